"""`shard`: the part of a layer that one of several processes computes."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families


def layer_call(draw: Draw, world_size: int, kv_heads: int = 4) -> Call:
    """Draw a layer of 8 heads, `kv_heads` of them of keys, to be shared out among `world_size` processes."""
    num_heads = 8
    d_head = 2
    d_model = num_heads * d_head
    draw.named(num_heads=num_heads, d_head=d_head, d_model=d_model)
    batch, seq = draw.sizes("batch seq", low=3, high=5)
    widths = (d_model, kv_heads * d_head, kv_heads * d_head, d_model)
    return Call(
        {
            "x": draw.normal(batch, seq, d_model),
            "world_size": world_size,
            "num_heads": num_heads,
            "num_kv_heads": kv_heads,
            "weights": [draw.normal(width, d_model, scale=d_model**-0.5) for width in widths],
            "biases": [draw.normal(width, scale=0.5) for width in widths],
        }
    )


def parts_of(target, x, world_size, num_heads, num_kv_heads, weights, biases):
    """Have a layer cut into the parts of all ranks. Return the sum of their outputs, shapes and facts.

    If the processes cannot share it out: what is raised.
    """
    import torch
    from torch import nn

    from manyheads.calling.frames import namespace_of

    # The learner's own class, of which the part must be one, or what stands in for it.
    Layer = namespace_of(target).get("GroupedQueryAttention")
    if Layer is None:
        raise NameError("there is no GroupedQueryAttention here")
    layer = Layer(x.shape[-1], num_heads, num_kv_heads)
    with torch.no_grad():
        linears = (layer.w_q, layer.w_k, layer.w_v, layer.w_o)
        for linear, weight, bias in zip(linears, weights, biases, strict=True):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    if num_kv_heads % world_size:
        try:
            target(layer, 0, world_size)
        except Exception as error:
            return f"raises {type(error).__name__}"
        return "raises nothing"
    parts = [target(layer, rank, world_size) for rank in range(world_size)]
    if not all(isinstance(part, nn.Module) for part in parts):
        return parts[0]
    outputs = [part(x) for part in parts]
    if not all(isinstance(output, torch.Tensor) for output in outputs):
        return outputs[0]
    queries = [part.w_q.weight for part in parts]
    in_order = all(q.dim() == 2 for q in queries) and torch.equal(torch.cat(queries), before[0])
    heads = [(getattr(part, "num_heads", None), getattr(part, "num_kv_heads", None)) for part in parts]
    same = all(map(torch.equal, before, layer.parameters()))
    learning = all(parameter.requires_grad for part in parts for parameter in part.parameters())
    with torch.no_grad():
        for part in parts:
            for parameter in part.parameters():
                parameter.add_(1)
    facts = {
        "num_heads or num_kv_heads is not the part's": any(
            pair != (num_heads // world_size, num_kv_heads // world_size) for pair in heads
        ),
        "rank 0 does not have the first heads, and so on": not in_order,
        "the whole layer has changed": not same or (layer.num_heads, layer.num_kv_heads) != (num_heads, num_kv_heads),
        "parts and whole share parameters": not all(map(torch.equal, before, layer.parameters())),
        "not all parameters can learn": not learning,
    }
    return sum(outputs), "; ".join(fact for fact, holds in facts.items() if holds) or "as they should be"


CHECK = """if layer.num_kv_heads % world_size != 0:
        raise ValueError(
            f"{layer.num_kv_heads} heads of keys cannot be shared out evenly "
            f"among {world_size} processes"
        )"""
COPY = "part = copy.deepcopy(layer)"
HEADS = """part.num_heads = layer.num_heads // world_size
    part.num_kv_heads = layer.num_kv_heads // world_size"""
ROWS = """weight = linear.weight.chunk(world_size, dim=0)[rank]
            linear.weight = nn.Parameter(weight.clone())"""
BIAS = "linear.bias = nn.Parameter(linear.bias.chunk(world_size)[rank].clone())"
COLUMNS = "weight = part.w_o.weight.chunk(world_size, dim=1)[rank]"
OWN_BIAS = """if rank > 0:
            part.w_o.bias.zero_()"""
CUT = f"""{ROWS}
            {BIAS}
            linear.out_features = len(weight)
        # (d_model, d_model) -> (d_model, d_model / world_size): their columns
        {COLUMNS}"""

EXERCISE = Exercise(
    name="shard",
    returns=("sum of all parts' outputs", "the state of the parts"),
    cases=(
        Case("two processes", lambda draw: layer_call(draw, 2)),
        Case("four processes", lambda draw: layer_call(draw, 4)),
        Case("more processes than heads of keys", lambda draw: layer_call(draw, 4, kv_heads=2)),
        Case("a number of processes that divides neither number of heads", lambda draw: layer_call(draw, 3)),
    ),
    misconceptions=(
        # the bias of w_o
        Misconception(
            "kept the bias of w_o in every part",
            replace=OWN_BIAS,
            by="pass",
            hint="The sum of all parts has it world_size times. Let one of them have it.",
        ),
        Misconception(
            "left the bias of w_o out of every part",
            replace="if rank > 0:",
            by="if True:",
            hint="No part adds the bias of w_o. One of them must.",
        ),
        Misconception(
            "zeroed the bias of w_o in a single part",
            replace="if rank > 0:",
            by="if rank == 1:",
            hint="With two processes that is right. With more, several parts add the bias: all but one must have 0 "
            "there.",
        ),
        Misconception(
            "cut the bias of w_o as well",
            replace=OWN_BIAS,
            by="part.w_o.bias = nn.Parameter(part.w_o.bias.chunk(world_size)[rank].clone())",
            hint="Each part makes a whole output, d_model wide, and so does its bias. It is not cut.",
            check="shapes",
        ),
        # the weight of w_o
        Misconception(
            "cut w_o by rows",
            replace=COLUMNS,
            by="weight = part.w_o.weight.chunk(world_size, dim=0)[rank]",
            hint="A row of w_o makes one entry of the output, from all heads. What a part has is some heads: they go "
            "in, so they meet columns.",
            check="shapes",
        ),
        Misconception(
            "left w_o whole",
            replace="part.w_o.weight = nn.Parameter(weight.clone())\n        ",
            by="",
            hint="The part has fewer heads than w_o has columns for. It needs the columns of its own heads only.",
            check="shapes",
        ),
        Misconception(
            "gave each part the columns of the first heads of w_o",
            replace=COLUMNS,
            by="weight = part.w_o.weight.chunk(world_size, dim=1)[0]",
            hint="Heads and columns belong together. Rank 1 has other heads, so other columns.",
        ),
        Misconception(
            "took the columns of w_o in reverse order of the ranks",
            replace=COLUMNS,
            by="weight = part.w_o.weight.chunk(world_size, dim=1)[world_size - 1 - rank]",
            hint="Heads and columns belong together: rank 0 has the first heads and the first columns.",
        ),
        Misconception(
            "took every world_size-th column of w_o",
            replace=COLUMNS,
            by="weight = part.w_o.weight[:, rank::world_size]",
            hint="A head's columns lie side by side, and so do those of neighbouring heads.",
        ),
        # queries, keys and values
        Misconception(
            "cut w_q, w_k and w_v by columns",
            replace=ROWS,
            by=ROWS.replace("dim=0", "dim=1"),
            hint="Every head reads the whole word, all d_model features. What a head has for itself are the rows that "
            "make its queries.",
            check="shapes",
        ),
        Misconception(
            "left keys and values whole",
            replace="(part.w_q, part.w_k, part.w_v)",
            by="(part.w_q,)",
            hint="Keys and values are cut along with the queries. Else each process keeps the whole cache, and its "
            "heads look at the wrong keys.",
            check="shapes",
        ),
        Misconception(
            "gave every part the rows of the first heads",
            replace=ROWS,
            by=ROWS.replace("[rank]", "[0]"),
            hint="All parts have the weights of the first heads. Rank 1 has the next ones.",
        ),
        Misconception(
            "forgot the biases of w_q, w_k and w_v",
            replace=BIAS,
            by="pass",
            hint="A row comes with its bias. Yours are still as long as in the whole layer.",
            check="shapes",
        ),
        Misconception(
            "gave every part the biases of the first heads",
            replace=BIAS,
            by=BIAS.replace("[rank]", "[0]"),
            hint="The weights are right. Each row also has a bias of its own.",
        ),
        Misconception(
            "set the biases of w_q, w_k and w_v to 0 for all ranks but the first",
            replace=BIAS,
            by=f"{BIAS}\n            if rank > 0:\n                linear.bias.zero_()",
            hint="These biases belong to their heads, which no other process has. Only the bias of w_o would be "
            "added several times.",
        ),
        Misconception(
            "took every world_size-th row",
            replace=ROWS,
            by=ROWS.replace("linear.weight.chunk(world_size, dim=0)[rank]", "linear.weight[rank::world_size]"),
            hint="A head's rows lie side by side, and so do those of neighbouring heads. Yours take a little of each "
            "head.",
        ),
        Misconception(
            "took every world_size-th row, and its bias",
            replace=f"{ROWS}\n            {BIAS}",
            by=f"{ROWS}\n            {BIAS}".replace(
                "linear.weight.chunk(world_size, dim=0)[rank]", "linear.weight[rank::world_size]"
            ).replace("linear.bias.chunk(world_size)[rank]", "linear.bias[rank::world_size]"),
            hint="A head's rows lie side by side, and so do those of neighbouring heads. Yours take a little of each "
            "head.",
        ),
        # the numbers of heads
        Misconception(
            "left the numbers of heads as they were",
            replace=HEADS,
            by="pass",
            hint="The part has fewer features now, and still splits them into as many heads: they are narrower than "
            "before. A part has fewer heads, of the same width.",
            check="shapes",
        ),
        Misconception(
            "left the number of heads of keys as it was",
            replace="part.num_kv_heads = layer.num_kv_heads // world_size",
            by="pass",
            hint="Keys and values have been cut as well: there are fewer heads of them in a part.",
            check="shapes",
        ),
        Misconception(
            "changed the number of heads of the whole layer",
            replace=HEADS,
            by=f"{HEADS}\n    layer.num_heads = part.num_heads\n    layer.num_kv_heads = part.num_kv_heads",
            hint="The whole layer says now that it has fewer heads. Change the part.",
            check="shapes",
        ),
        Misconception(
            "cut the layer itself",
            replace=COPY,
            by="part = layer",
            hint="After rank 0 has its part, nothing is left of the layer for rank 1. Work on a copy.",
            check="shapes",
        ),
        Misconception(
            "made a copy that shares its layers",
            replace=COPY,
            by="part = copy.copy(layer)",
            hint="copy.copy makes a new object around the same layers, so the whole layer is cut with it. "
            "copy.deepcopy copies them, too.",
            check="shapes",
        ),
        Misconception(
            "made a new layer of d_model with fewer heads",
            replace=COPY,
            by="part = GroupedQueryAttention(\n        layer.w_q.in_features, layer.num_heads // world_size, "
            "layer.num_kv_heads // world_size\n    )",
            hint="The constructor gives fewer heads more width each, since together they fill d_model, and it draws "
            "new numbers. Start from a copy.",
        ),
        Misconception(
            "shared parameters with the whole layer",
            replace="part.w_o.weight = nn.Parameter(weight.clone())",
            by="part.w_o.weight = nn.Parameter(layer.w_o.weight.chunk(world_size, dim=1)[rank].detach())",
            hint="The numbers are right, but a piece of a tensor shares its memory: if a part learns, the whole layer "
            "changes. Copy them: clone().",
        ),
        Misconception(
            "put a tensor in the place of a parameter",
            replace="linear.weight = nn.Parameter(weight.clone())",
            by="linear.weight = weight.clone()",
            hint="Only a parameter can be there: nn.Parameter makes one of a tensor.",
            check="shapes",
        ),
        families.recorded_by_torch(
            "changed the bias in place while torch was keeping track",
            "Setting a parameter to 0 is not a step that training should follow back. Say so with torch.no_grad().",
        ),
        # what is returned
        Misconception(
            "returned nothing",
            replace="return part",
            by="pass",
            hint="The part is made, and then not returned.",
            check="shapes",
        ),
        Misconception(
            "returned the whole layer",
            replace="return part",
            by="return layer",
            hint="The part is made, and the whole layer comes back.",
        ),
        Misconception(
            "raised no error for heads that cannot be shared out",
            replace=CHECK,
            by="pass",
            hint="2 heads of keys cannot be cut for 4 processes. Raise a ValueError that says so.",
        ),
        Misconception(
            "used assert for heads that cannot be shared out",
            replace=CHECK,
            by="assert layer.num_kv_heads % world_size == 0",
            hint="An assert raises AssertionError, and is left out when Python runs with -O. The caller expects a "
            "ValueError: raise one.",
            shown_by=("assert",),
        ),
        Misconception(
            "numbered the ranks from 1",
            replace=COPY,
            by="rank = rank - 1\n    part = copy.deepcopy(layer)",
            hint="Rank 0 got the last heads: ranks count from 0.",
        ),
        Misconception(
            "made a narrower layer",
            replace=COPY,
            by="return GroupedQueryAttention(\n        layer.w_q.in_features // world_size, "
            "layer.num_heads // world_size, layer.num_kv_heads // world_size\n    )",
            hint="A part reads whole words, d_model wide, as the layer does. It has fewer heads, not narrower words.",
            check="shapes",
        ),
        Misconception(
            "cut keys and values by the queries' rows",
            replace=f"{ROWS}\n            {BIAS}",
            by="""share = layer.w_q.out_features // world_size
            weight = linear.weight[rank * share : (rank + 1) * share]
            linear.weight = nn.Parameter(weight.clone())
            linear.bias = nn.Parameter(linear.bias[rank * share : (rank + 1) * share].clone())""",
            hint="There are fewer rows of keys than of queries, so a part has fewer of them. Each linear layer is cut "
            "by its own number of rows.",
            check="shapes",
        ),
        Misconception(
            "made fractions of the numbers of heads",
            replace=HEADS,
            by=HEADS.replace("//", "/"),
            hint="/ gives a float, also where it comes out even, and a float is no number of heads. // stays whole.",
            check="shapes",
        ),
        Misconception(
            "gave the heads out in reverse order of the ranks",
            replace=COPY,
            by="share, rank = rank, world_size - 1 - rank\n    part = copy.deepcopy(layer)",
            hint="The sum is right, but rank 0 got the last heads. It gets the first ones, and so on.",
        ),
        Misconception(
            "asked whether the heads of queries can be shared out, not those of keys",
            replace="layer.num_kv_heads % world_size",
            by="layer.num_heads % world_size",
            hint="There are fewer heads of keys than of queries: 2 of them cannot be cut for 4 processes, even if "
            "there are 8 heads of queries.",
        ),
        Misconception(
            "left the number of heads of queries as it was",
            replace="part.num_heads = layer.num_heads // world_size",
            by="pass",
            hint="Queries have been cut as well: there are fewer heads of them in a part.",
            check="shapes",
        ),
        Misconception(
            "left the biases of w_q, w_k and w_v out",
            replace=BIAS,
            by="linear.bias = None",
            hint="Queries, keys and values of the part are those of the whole layer, bias included. A row comes with "
            "its bias.",
        ),
        Misconception(
            "took every world_size-th row, and every world_size-th column of w_o",
            replace=CUT,
            by=CUT.replace(".chunk(world_size, dim=0)[rank]", "[rank::world_size]")
            .replace(".chunk(world_size)[rank]", "[rank::world_size]")
            .replace(".chunk(world_size, dim=1)[rank]", "[:, rank::world_size]"),
            hint="A head's rows lie side by side, and so do those of neighbouring heads; so do its columns of w_o. "
            "Yours take a little of each head.",
        ),
        Misconception(
            "gave every part the first heads",
            replace=CUT,
            by=CUT.replace("[rank]", "[0]"),
            hint="All parts are the same, but for the bias of w_o. Which heads a part has depends on its rank.",
        ),
        Misconception(
            "took world_size for the size of a part",
            replace=CUT,
            by=CUT.replace("chunk(", "split("),
            hint="split takes the size of a part, chunk the number of parts.",
            check="shapes",
            shown_by=("split",),
        ),
        Misconception(
            "divided the biases of w_q, w_k and w_v among the parts",
            replace=BIAS,
            by=BIAS.replace("[rank].clone()", "[rank].clone() / world_size"),
            hint="These biases belong to their heads, which no other part has. Only the bias of w_o would be added "
            "several times.",
        ),
        Misconception(
            "left keys and values whole, and their number of heads",
            replace=f"{HEADS}\n    with torch.no_grad():\n        for linear in (part.w_q, part.w_k, part.w_v):",
            by="part.num_heads = layer.num_heads // world_size\n"
            "    with torch.no_grad():\n        for linear in (part.w_q,):",
            hint="Each part has keys and values for its own heads only: that is what makes its cache smaller. With all "
            "of them, its heads look at the keys of others.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "new linear layers, filled by slices",
            """
def shard(layer, rank, world_size):
    if layer.num_kv_heads % world_size:
        raise ValueError(f"{world_size} processes for {layer.num_kv_heads} heads of keys")
    small = copy.deepcopy(layer)
    small.num_heads //= world_size
    small.num_kv_heads //= world_size
    d_head = layer.w_q.out_features // layer.num_heads
    for name, heads in (("w_q", small.num_heads), ("w_k", small.num_kv_heads), ("w_v", small.num_kv_heads)):
        whole = getattr(layer, name)
        rows = slice(rank * heads * d_head, (rank + 1) * heads * d_head)
        linear = nn.Linear(whole.in_features, heads * d_head)
        linear.weight.data = whole.weight.data[rows].clone()
        linear.bias.data = whole.bias.data[rows].clone()
        setattr(small, name, linear)
    columns = slice(rank * small.num_heads * d_head, (rank + 1) * small.num_heads * d_head)
    small.w_o = nn.Linear(small.num_heads * d_head, layer.w_o.out_features)
    small.w_o.load_state_dict(
        {
            "weight": layer.w_o.weight[:, columns],
            "bias": layer.w_o.bias if rank == 0 else torch.zeros_like(layer.w_o.bias),
        }
    )
    return small
""",
        ),
        Alternative(
            "the bias of w_o shared out evenly",
            """
def shard(layer, rank, world_size):
    if layer.num_kv_heads % world_size != 0:
        raise ValueError("the heads of keys cannot be shared out")
    part = copy.deepcopy(layer)
    part.num_heads, part.num_kv_heads = layer.num_heads // world_size, layer.num_kv_heads // world_size
    for linear in (part.w_q, part.w_k, part.w_v):
        linear.weight = nn.Parameter(linear.weight.detach().chunk(world_size)[rank].clone())
        linear.bias = nn.Parameter(linear.bias.detach().chunk(world_size)[rank].clone())
    part.w_o.weight = nn.Parameter(part.w_o.weight.detach().chunk(world_size, dim=1)[rank].clone())
    part.w_o.bias = nn.Parameter(part.w_o.bias.detach() / world_size)
    return part
""",
        ),
        Alternative(
            "the bias of w_o with the last rank, cut through .data",
            """
def shard(layer, rank, world_size):
    if layer.num_kv_heads % world_size != 0:
        raise ValueError("the heads of keys cannot be shared out")
    part = copy.deepcopy(layer)
    part.num_heads = layer.num_heads // world_size
    part.num_kv_heads = layer.num_kv_heads // world_size
    for linear in (part.w_q, part.w_k, part.w_v):
        linear.weight.data = torch.tensor_split(linear.weight.data, world_size)[rank].clone()
        linear.bias.data = torch.tensor_split(linear.bias.data, world_size)[rank].clone()
    part.w_o.weight.data = torch.tensor_split(part.w_o.weight.data, world_size, dim=1)[rank].contiguous()
    part.w_o.bias.data = part.w_o.bias.data * (rank == world_size - 1)
    return part
""",
        ),
        Alternative(
            "heads as a dimension",
            """
def shard(layer, rank, world_size):
    if layer.num_kv_heads % world_size != 0:
        raise ValueError("the heads of keys cannot be shared out")
    small = copy.deepcopy(layer)

    def mine(tensor, heads, dim=0):
        by_head = tensor.detach().unflatten(dim, (heads, -1))
        share = heads // world_size
        return nn.Parameter(by_head.narrow(dim, rank * share, share).flatten(dim, dim + 1).clone())

    for name, heads in (("w_q", layer.num_heads), ("w_k", layer.num_kv_heads), ("w_v", layer.num_kv_heads)):
        linear = getattr(small, name)
        linear.weight, linear.bias = mine(linear.weight, heads), mine(linear.bias, heads)
    small.w_o.weight = mine(small.w_o.weight, layer.num_heads, dim=1)
    if rank != 0:
        nn.init.zeros_(small.w_o.bias)
    small.num_heads = layer.num_heads // world_size
    small.num_kv_heads = layer.num_kv_heads // world_size
    return small
""",
        ),
    ),
    builds_on=("repeat_heads", "GroupedQueryAttention"),
    probe=parts_of,
)
