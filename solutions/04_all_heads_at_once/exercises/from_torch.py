"""`from_torch`: makes a MultiHeadAttention of torch's own layer, with the same numbers."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import COPIED_WHILE_RECORDED, FUNCTIONS, draw_heads


def torch_call(draw: Draw, bias: bool) -> Call:
    num_heads, d_head, d_model, batch, seq = draw_heads(draw, "seq")
    numbers = draw.normal(4 * d_model * (d_model + bias), scale=d_head**-0.5)
    sizes: dict[str, object] = {"d_model": d_model, "num_heads": num_heads}
    options = {"dropout": draw.integer(2, 4) / 10, "bias": bias}
    return Call({**sizes, **options, "_numbers": numbers, "x": draw.normal(batch, seq, d_model)})


def turned_and_run(target, d_model, num_heads, dropout, bias, numbers, x):
    """Fill torch's layer with numbers, have it turned into ours, and return our output, weights and facts."""
    import torch
    from torch import nn

    def known(self):  # what is not copied stays at these, not at random numbers
        nn.init.constant_(self.weight, 0.1)
        if self.bias is not None:
            nn.init.constant_(self.bias, 0.7)

    theirs = nn.MultiheadAttention(d_model, num_heads, dropout=dropout, bias=bias, batch_first=True)
    with torch.no_grad():
        rest = numbers
        for _, parameter in sorted(theirs.named_parameters()):
            here, rest = rest.split((parameter.numel(), rest.numel() - parameter.numel()))
            parameter.copy_(here.view_as(parameter))
    before = [parameter.clone() for parameter in theirs.parameters()]
    random = nn.Linear.reset_parameters
    nn.Linear.reset_parameters = known
    try:
        ours = target(theirs)
    finally:
        nn.Linear.reset_parameters = random
    if not isinstance(ours, nn.Module):
        return ours
    ours.eval()
    output, weights = ours(x)
    learns = all(parameter.requires_grad for parameter in ours.parameters())
    holds = {name: parameter.detach().clone() for name, parameter in ours.named_parameters()}
    ours.train()
    with torch.no_grad():
        share = (ours(x.repeat(100, 1, 1))[1] == 0).float().mean().item()
        moved = [parameter + 1 for parameter in ours.parameters()]
        for parameter in ours.parameters():
            parameter.add_(1)
    facts = {
        "parameters": ", ".join(sorted(name for name, _ in ours.named_parameters())),
        "all parameters can learn": learns,
        "weights set to 0 in training": f"about {round(share, 1):.0%}",
        "torch's layer stays as it is when ours learns": all(map(torch.equal, before, theirs.parameters())),
        "each parameter learns by itself": all(map(torch.equal, moved, ours.parameters())),
    }
    return output, weights, facts, holds


PARTS = "layer.in_proj_weight.chunk(3)"
BIAS_PARTS = "layer.in_proj_bias.chunk(3)"
NO_BIASES = """if layer.in_proj_bias is None:  # it was made with bias=False
            for linear in (*ours, mine.w_o):
                linear.bias.zero_()"""

EXERCISE = Exercise(
    name="from_torch",
    returns=("output", "weights", "layer", "its parameters"),
    informs=("its parameters",),
    cases=(
        Case("a layer with biases", lambda draw: torch_call(draw, bias=True)),
        Case("a layer that was made with bias=False", lambda draw: torch_call(draw, bias=False)),
    ),
    misconceptions=(
        Misconception(
            "took the rows for keys, queries and values, in this order",
            replace="ours = (mine.w_q, mine.w_k, mine.w_v)",
            by="ours = (mine.w_k, mine.w_q, mine.w_v)",
            hint="The words that ask and the words that answer have changed places. torch's order is queries, keys, "
            "values.",
        ),
        Misconception(
            "took every third row for the queries",
            replace=PARTS,
            by="layer.in_proj_weight.unflatten(0, (-1, 3)).unbind(1)",
            hint="Some models store their weights that way. In torch's layer the first d_model rows are the "
            "queries', then come the keys', then the values'.",
        ),
        Misconception(
            "cut the weights into columns",
            replace=PARTS,
            by="layer.in_proj_weight.chunk(3, dim=1)",
            hint="in_proj_weight is (3 * d_model, d_model), (out, in) as everywhere in nn.Linear: it is the rows that "
            "must be cut.",
            check="shapes",
        ),
        Misconception(
            "transposed the weights",
            replace="linear.weight.copy_(weight)",
            by="linear.weight.copy_(weight.T)",
            hint="Both layers store their weights as (out, in). Nothing needs to be transposed.",
        ),
        Misconception(
            "transposed the output projection",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="mine.w_o.weight.copy_(layer.out_proj.weight.T)",
            hint="Both layers store their weights as (out, in). Nothing needs to be transposed.",
        ),
        Misconception(
            "forgot the output projection",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="pass",
            hint="The weights are right and the output is not: the weight of w_o is still the one it was made with.",
        ),
        Misconception(
            "forgot the output projection's bias",
            replace="mine.w_o.bias.copy_(layer.out_proj.bias)",
            by="pass",
            hint="All outputs are off by the same vector: the bias of w_o is still the one it was made with.",
        ),
        Misconception(
            "forgot the biases of queries, keys and values",
            replace="linear.bias.copy_(bias)",
            by="pass",
            hint="The biases of w_q, w_k and w_v are still those they were made with. torch's layer stores all "
            "three one after the other, like the weights.",
        ),
        Misconception(
            "gave queries, keys and values the same part of the biases",
            replace=BIAS_PARTS,
            by="[layer.in_proj_bias.chunk(3)[0]] * 3",
            hint="in_proj_bias is cut into three parts like in_proj_weight, in the same order.",
        ),
        Misconception(
            "did not handle a layer without biases",
            replace="if layer.in_proj_bias is None:",
            by="if False:",
            hint="A layer that was made with bias=False has None in place of its biases, and None cannot be copied.",
            check="shapes",
        ),
        Misconception(
            "left the biases as they were made, for a layer without any",
            replace=NO_BIASES,
            by="if layer.in_proj_bias is None:  # it was made with bias=False\n            pass",
            hint="nn.Linear starts with random biases. Where torch's layer adds nothing, ours must add 0.",
        ),
        Misconception(
            "let the four biases share one tensor of zeros",
            replace=NO_BIASES,
            by="if layer.in_proj_bias is None:  # it was made with bias=False\n"
            "            zeros = torch.zeros(layer.embed_dim)\n"
            "            for linear in (*ours, mine.w_o):\n"
            "                linear.bias.data = zeros",
            hint="The numbers are right, but the four biases are one and the same: a step of training that moves one "
            "moves all. Each has zeros of its own.",
        ),
        Misconception(
            "set the biases of queries, keys and values to 0 and left the output projection's",
            replace="for linear in (*ours, mine.w_o):",
            by="for linear in ours:",
            hint="bias=False takes the bias of the output projection away too. Where torch's layer adds nothing, ours "
            "must add 0.",
        ),
        Misconception(
            "left dropout behind",
            replace="layer.num_heads, layer.dropout)",
            by="layer.num_heads)",
            hint="In eval mode the two agree. In training mode torch's layer drops weights, and yours should drop as "
            "many.",
        ),
        Misconception(
            "took the width of a head for the number of heads",
            replace="layer.num_heads, layer.dropout)",
            by="layer.head_dim, layer.dropout)",
            hint="head_dim is d_head. The layer knows the number of its heads as well.",
            check="shapes",
        ),
        Misconception(
            "let both layers share memory instead of copying the numbers",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="mine.w_o.weight = layer.out_proj.weight",
            hint="The numbers are right, but there are some that both layers use: training one layer changes the "
            "other. A part that chunk or a slice gives is not a copy, nor is a new parameter made of .data.",
        ),
        COPIED_WHILE_RECORDED,
        Misconception(
            "returned torch's own layer",
            replace="return mine",
            by="return layer",
            hint="Return a MultiHeadAttention, with w_q, w_k, w_v and w_o: your own layer, filled with torch's "
            "numbers.",
            check="shapes",
        ),
        Misconception(
            "returned nothing",
            replace="return mine",
            by="pass",
            hint="The new layer is made and filled, and then not returned.",
            check="shapes",
        ),
        Misconception(
            "cut the weights head by head",
            replace=PARTS,
            by="[w.flatten(0, 1) for w in layer.in_proj_weight.unflatten(0, (layer.num_heads, 3, -1)).unbind(1)]",
            hint="Some models store their weights that way. In torch's layer all queries come first, those of every "
            "head, then all keys, then all values.",
        ),
        Misconception(
            "copied no bias at all",
            replace="if layer.in_proj_bias is None:  # it was made with bias=False\n"
            "            for linear in (*ours, mine.w_o):\n"
            "                linear.bias.zero_()\n        else:\n"
            "            for linear, bias in zip(ours, layer.in_proj_bias.chunk(3), strict=True):\n"
            "                linear.bias.copy_(bias)\n            mine.w_o.bias.copy_(layer.out_proj.bias)",
            by="pass",
            hint="Each of the four layers is a weight and a bias, and the biases are still those that yours was made "
            "with. Where torch's layer has none, they must be 0.",
        ),
        families.asked_whether_true("the biases are", "if layer.in_proj_bias is None:", "if not layer.in_proj_bias:"),
        Misconception(
            "used torch's output projection itself",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="mine.w_o = layer.out_proj\n        if layer.in_proj_bias is None:\n            for linear in ours:\n"
            "                linear.bias.zero_()\n            return mine",
            hint="It belongs to both layers now: training one changes the other. Copy the numbers into the layer that "
            "is there, and 0 for a bias that torch's layer does not have.",
        ),
        Misconception(
            "set all biases to 0, even where torch's layer has some",
            replace="if layer.in_proj_bias is None:",
            by="if True:",
            hint="Only a layer that was made with bias=False adds nothing. Others have biases, and these are to be "
            "copied like the weights.",
        ),
        Misconception(
            "took the rows for queries, values and keys, in this order",
            replace="ours = (mine.w_q, mine.w_k, mine.w_v)",
            by="ours = (mine.w_q, mine.w_v, mine.w_k)",
            hint="What a word offers and what it hands over have changed places. torch's order is queries, keys, "
            "values.",
        ),
        Misconception(
            "took the rows for values, keys and queries, in this order",
            replace="ours = (mine.w_q, mine.w_k, mine.w_v)",
            by="ours = (mine.w_v, mine.w_k, mine.w_q)",
            hint="What a word looks for and what it hands over have changed places. torch's order is queries, keys, "
            "values.",
        ),
        Misconception(
            "gave queries, keys and values the same part of the weights",
            replace=PARTS,
            by="[layer.in_proj_weight.chunk(3)[0]] * 3",
            hint="in_proj_weight has three parts, one below the other: the queries', the keys' and the values'.",
        ),
        Misconception(
            "filled queries, keys and values with the same part of weights and biases",
            replace="return mine",
            by="""for linear in (mine.w_k, mine.w_v):
        linear.load_state_dict(mine.w_q.state_dict())
    return mine""",
            hint="Queries, keys and values would be the same. torch's layer stores three parts, one below the other: "
            "the queries', the keys' and the values'.",
        ),
        Misconception(
            "left the weights of queries, keys and values as they were made",
            replace=PARTS,
            by="(mine.w_q.weight, mine.w_k.weight, mine.w_v.weight)",
            hint="w_o is filled, and the other three still hold what they were made with. torch's layer stores their "
            "weights in in_proj_weight.",
        ),
        Misconception(
            "never set the output projection's bias",
            replace="for linear in (*ours, mine.w_o):\n"
            "                linear.bias.zero_()\n        else:\n"
            "            for linear, bias in zip(ours, layer.in_proj_bias.chunk(3), strict=True):\n"
            "                linear.bias.copy_(bias)\n            mine.w_o.bias.copy_(layer.out_proj.bias)",
            by="for linear in ours:\n"
            "                linear.bias.zero_()\n        else:\n"
            "            for linear, bias in zip(ours, layer.in_proj_bias.chunk(3), strict=True):\n"
            "                linear.bias.copy_(bias)",
            hint="The bias of w_o is still the one it was made with. It belongs to torch's out_proj, and where that "
            "has none, it must be 0.",
        ),
        Misconception(
            "transposed all weights, those of the output projection too",
            replace="return mine",
            by="""with torch.no_grad():
        for linear in (*ours, mine.w_o):
            linear.weight.copy_(linear.weight.T.clone())
    return mine""",
            hint="Both layers store their weights as (out, in). Nothing needs to be transposed.",
        ),
        Misconception(
            "took every third row for the queries, of the weights and of the biases",
            replace="return mine",
            by="""with torch.no_grad():
        for place, linear in enumerate(ours):
            linear.weight.copy_(layer.in_proj_weight[place::3])
            if layer.in_proj_bias is not None:
                linear.bias.copy_(layer.in_proj_bias[place::3])
    return mine""",
            hint="Some models store their numbers that way. In torch's layer the first d_model rows are the queries', "
            "then come the keys', then the values', and the biases are in the same order.",
        ),
        Misconception(
            "cut the weights and the biases head by head",
            replace="return mine",
            by="""with torch.no_grad():
        for place, linear in enumerate(ours):
            rows = layer.in_proj_weight.unflatten(0, (layer.num_heads, 3, -1))[:, place]
            linear.weight.copy_(rows.flatten(0, 1))
            if layer.in_proj_bias is not None:
                linear.bias.copy_(layer.in_proj_bias.view(layer.num_heads, 3, -1)[:, place].flatten())
    return mine""",
            hint="Some models store their numbers that way. In torch's layer all queries come first, those of every "
            "head, then all keys, then all values, and the biases are in the same order.",
        ),
        Misconception(
            "returned a layer with parameters that cannot learn",
            replace="return mine",
            by="return mine.requires_grad_(False)",
            hint="The numbers are right, and training could not change all of them: a parameter, or each of them, asks "
            "for no gradient. If you switched requires_grad off for the copying, it has to be on again afterwards.",
        ),
    ),
    alternatives=(
        Alternative(
            "slices and load_state_dict",
            """
def from_torch(layer):
    d = layer.embed_dim
    mine = MultiHeadAttention(d, layer.num_heads, dropout=layer.dropout)
    bias = layer.in_proj_bias if layer.in_proj_bias is not None else torch.zeros(3 * d)
    out_bias = layer.out_proj.bias if layer.out_proj.bias is not None else torch.zeros(d)
    mine.load_state_dict({
        "w_q.weight": layer.in_proj_weight[:d], "w_q.bias": bias[:d],
        "w_k.weight": layer.in_proj_weight[d : 2 * d], "w_k.bias": bias[d : 2 * d],
        "w_v.weight": layer.in_proj_weight[2 * d :], "w_v.bias": bias[2 * d :],
        "w_o.weight": layer.out_proj.weight, "w_o.bias": out_bias,
    })
    return mine
""",
        ),
        Alternative(
            "new parameters",
            """
def from_torch(layer):
    mine = MultiHeadAttention(layer.embed_dim, layer.num_heads, layer.dropout)
    state = layer.state_dict()
    zeros = torch.zeros(4, layer.embed_dim)
    weights = [*state["in_proj_weight"].view(3, layer.embed_dim, -1), state["out_proj.weight"]]
    biases = zeros
    if "in_proj_bias" in state:
        biases = [*state["in_proj_bias"].view(3, -1), state["out_proj.bias"]]
    for linear, weight, bias in zip((mine.w_q, mine.w_k, mine.w_v, mine.w_o), weights, biases):
        linear.weight = nn.Parameter(weight.clone())
        linear.bias = nn.Parameter(bias.clone())
    return mine
""",
        ),
        Alternative(
            "through .data, with a try for the biases",
            """
def from_torch(layer):
    mine = MultiHeadAttention(layer.in_proj_weight.shape[1], layer.num_heads, layer.dropout)
    mine.w_q.weight.data, mine.w_k.weight.data, mine.w_v.weight.data = (
        part.clone() for part in layer.in_proj_weight.data.split(layer.embed_dim)
    )
    mine.w_o.weight.data = layer.out_proj.weight.data.clone()
    for linear in (mine.w_q, mine.w_k, mine.w_v, mine.w_o):
        linear.bias.data.fill_(0)
    try:
        for linear, bias in zip((mine.w_q, mine.w_k, mine.w_v), layer.in_proj_bias.data.split(layer.embed_dim)):
            linear.bias.data += bias
        mine.w_o.bias.data += layer.out_proj.bias.data
    except AttributeError:
        pass
    return mine
""",
        ),
    ),
    builds_on=("MultiHeadAttention", "split_heads", "merge_heads"),
    probe=turned_and_run,
    forbids=FUNCTIONS,
)
