"""`fuse_heads`: makes one MultiHeadAttention of a ParallelHeads, with the same numbers."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import COPIED_WHILE_RECORDED, FORBIDS, draw_heads


def parallel_heads(draw: Draw) -> Call:
    num_heads, d_head, d_model, batch, seq = draw_heads(draw, "seq")
    # All that three layers a head and one for the output hold, in one row: a weight and a bias each.
    numbers = draw.normal(4 * d_model * (d_model + 1), scale=d_head**-0.5)
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    x = draw.normal(batch, seq, d_model)
    return Call({"d_model": d_model, "num_heads": num_heads, "_numbers": numbers, "x": x, "mask": mask})


def fused_and_run(target, d_model, num_heads, numbers, x, mask):
    """Fill a ParallelHeads with numbers, have it fused, and return the fused layer's output, weights and facts."""
    import torch
    from torch import nn

    from manyheads.earlier import ParallelHeads

    def known(self):  # what is not copied stays at these, not at random numbers
        nn.init.constant_(self.weight, 0.1)
        if self.bias is not None:
            nn.init.constant_(self.bias, 0.7)

    parallel = ParallelHeads(d_model, num_heads)
    with torch.no_grad():
        rest = numbers
        for _, parameter in sorted(parallel.named_parameters()):
            here, rest = rest.split((parameter.numel(), rest.numel() - parameter.numel()))
            parameter.copy_(here.view_as(parameter))
    before = [parameter.clone() for parameter in parallel.parameters()]
    random = nn.Linear.reset_parameters
    nn.Linear.reset_parameters = known
    try:
        fused = target(parallel)
    finally:
        nn.Linear.reset_parameters = random
    if not isinstance(fused, nn.Module):
        return fused
    output, weights = fused(x, mask=mask)
    learns = all(parameter.requires_grad for parameter in fused.parameters())
    holds = {name: parameter.detach().clone() for name, parameter in fused.named_parameters()}
    with torch.no_grad():
        moved = [parameter + 1 for parameter in fused.parameters()]
        for parameter in fused.parameters():
            parameter.add_(1)
    facts = {
        "parameters": ", ".join(sorted(name for name, _ in fused.named_parameters())),
        "all parameters can learn": learns,
        "the heads stay as they are when the fused layer learns": all(map(torch.equal, before, parallel.parameters())),
        "each parameter learns by itself": all(map(torch.equal, moved, fused.parameters())),
    }
    return output, weights, facts, holds


CAT_WEIGHTS = "torch.cat([layer.weight for layer in narrow])"
CAT_BIASES = "torch.cat([layer.bias for layer in narrow])"
COPIED_WIDE = f"""wide.weight.copy_({CAT_WEIGHTS})
            wide.bias.copy_({CAT_BIASES})"""
COPIED_OUTPUT = """fused.w_o.weight.copy_(parallel.w_o.weight)
        fused.w_o.bias.copy_(parallel.w_o.bias)"""

EXERCISE = Exercise(
    name="fuse_heads",
    returns=("output", "weights", "fused layer", "its parameters"),
    informs=("its parameters",),
    cases=(Case("several heads under a causal mask", parallel_heads),),
    misconceptions=(
        Misconception(
            "put the heads' weights side by side instead of one below the other",
            replace=CAT_WEIGHTS,
            by="torch.cat([layer.weight for layer in narrow], dim=1)",
            hint="nn.Linear stores a weight as (out, in). All heads read the same d_model features and each adds "
            "d_head results, so it is the rows that become more.",
            check="shapes",
        ),
        Misconception(
            "interleaved the heads' rows",
            replace=CAT_WEIGHTS,
            by="torch.stack([layer.weight for layer in narrow], dim=1).flatten(0, 1)",
            hint="Row 0 of each head comes first, then row 1 of each head. All rows of head 0 should come first.",
        ),
        Misconception(
            "interleaved the heads' rows, and their biases too",
            replace=COPIED_WIDE,
            by="""wide.weight.copy_(torch.stack([layer.weight for layer in narrow], dim=1).flatten(0, 1))
            wide.bias.copy_(torch.stack([layer.bias for layer in narrow], dim=1).flatten())""",
            hint="Row 0 of each head comes first, then row 1 of each head. All rows of head 0 should come first, and "
            "so should its biases.",
        ),
        Misconception(
            "put the heads in reverse order",
            replace="for head in parallel.heads]",
            by="for head in reversed(parallel.heads)]",
            hint="Head 0's rows come first: split_heads gives the first d_head features to head 0.",
        ),
        Misconception(
            "gave every head the weights of the first",
            replace="getattr(head, name) for head in parallel.heads",
            by="getattr(parallel.heads[0], name) for head in parallel.heads",
            hint="Your heads all look at the same. Each has weights of its own.",
        ),
        Misconception(
            "forgot the heads' biases",
            replace=f"wide.bias.copy_({CAT_BIASES})",
            by="pass",
            hint="An nn.Linear layer is a weight and a bias. The biases of w_q, w_k and w_v are still those that they "
            "were made with.",
        ),
        Misconception(
            "forgot the output projection",
            replace=COPIED_OUTPUT,
            by="pass",
            hint="The weights are right and the output is not: the new layer's w_o still holds the numbers it was made "
            "with.",
        ),
        Misconception(
            "forgot the output projection's bias",
            replace="fused.w_o.bias.copy_(parallel.w_o.bias)",
            by="pass",
            hint="All outputs are off by the same vector: the bias of w_o is still the one it was made with.",
        ),
        Misconception(
            "let both layers share memory instead of copying the numbers",
            replace=COPIED_OUTPUT,
            by="fused.w_o = parallel.w_o",
            hint="The numbers are right, but there are some that both layers use: training one layer changes the "
            "other. Are w_o's among them? (A new parameter made of .data copies nothing.)",
        ),
        Misconception(
            "transposed the output projection",
            replace="fused.w_o.weight.copy_(parallel.w_o.weight)",
            by="fused.w_o.weight.copy_(parallel.w_o.weight.T)",
            hint="Both are nn.Linear layers and store their weight the same way.",
        ),
        Misconception(
            "put the keys' weights into the values' layer",
            replace="getattr(head, name)",
            by='getattr(head, name.replace("v", "k"))',
            hint="The weights are right and the output is not: the values are made by the keys' layer.",
        ),
        Misconception(
            "swapped queries and keys",
            replace="getattr(head, name)",
            by='getattr(head, {"w_q": "w_k", "w_k": "w_q"}.get(name, name))',
            hint="The words that ask and the words that answer have changed places.",
        ),
        Misconception(
            "made a layer with a single head",
            replace="MultiHeadAttention(d_model, len(parallel.heads))",
            by="MultiHeadAttention(d_model, 1)",
            hint="It needs as many heads as there were.",
            check="shapes",
        ),
        COPIED_WHILE_RECORDED,
        Misconception(
            "returned the parallel heads themselves",
            replace="return fused",
            by="return parallel",
            hint="It gives the same numbers, since it is the same layer. Return a MultiHeadAttention, with w_q, "
            "w_k, w_v and w_o.",
        ),
        Misconception(
            "returned nothing",
            replace="return fused",
            by="pass",
            hint="The new layer is made and filled, and then not returned.",
            check="shapes",
        ),
        Misconception(
            "made as many heads as each is wide",
            replace="MultiHeadAttention(d_model, len(parallel.heads))",
            by="MultiHeadAttention(d_model, parallel.heads[0].w_q.out_features)",
            hint="out_features of a head's layer is its width, d_head. How many heads there are, the list of heads "
            "knows.",
            check="shapes",
        ),
        Misconception(
            "gave every head the biases of the first",
            replace="layer.bias for layer in narrow",
            by="narrow[0].bias for layer in narrow",
            hint="The weights are right. Each head has biases of its own, too.",
        ),
        Misconception(
            "filled the queries' layer only",
            replace='("w_q", "w_k", "w_v")',
            by='("w_q",)',
            hint="The layers for keys and values still hold the numbers that they were made with. All three are "
            "filled alike.",
        ),
        Misconception(
            "stacked the heads' weights instead of joining them",
            replace=CAT_WEIGHTS,
            by="torch.stack([layer.weight for layer in narrow])",
            hint="stack makes a new dimension for the heads. A weight has two, and it is the rows that become more.",
            check="shapes",
        ),
        Misconception(
            "put a tensor in the place of a parameter",
            replace="wide.weight.copy_(torch.cat([layer.weight for layer in narrow]))",
            by="wide.weight = torch.cat([layer.weight for layer in narrow])",
            hint="Only a parameter can be there. Leave the parameter where it is, and copy the numbers into it.",
            check="shapes",
        ),
        Misconception(
            "asked the parallel heads for something that they need not have",
            replace="d_model = parallel.w_o.in_features",
            by="d_model = parallel.d_model",
            hint="ParallelHeads promises heads and w_o. What else it has is up to its author, but its layers know "
            "their sizes, and its list of heads knows its length.",
            check="shapes",
        ),
        Misconception(
            "filled all three layers with the queries' numbers",
            replace="getattr(head, name)",
            by="head.w_q",
            hint="Queries, keys and values would be the same. Each of the three has layers of its own in every head: "
            "w_q, w_k and w_v. (You have a loop? Then what it reads must change with each step.)",
        ),
        Misconception(
            "put the queries' weights into the keys' layer",
            replace="getattr(head, name)",
            by='getattr(head, name.replace("k", "q"))',
            hint="Keys are made by the queries' layer now, so each word looks for words like itself. Keys have layers "
            "of their own.",
        ),
        Misconception(
            "put the queries' weights into the values' layer",
            replace="getattr(head, name)",
            by='getattr(head, name.replace("v", "q"))',
            hint="The weights are right and the output is not: the values are made by the queries' layer.",
        ),
        Misconception(
            "swapped keys and values",
            replace="getattr(head, name)",
            by='getattr(head, {"w_k": "w_v", "w_v": "w_k"}.get(name, name))',
            hint="What a word offers and what it hands over have changed places. Match the layers by their names.",
        ),
        Misconception(
            "swapped queries and values",
            replace="getattr(head, name)",
            by='getattr(head, {"w_q": "w_v", "w_v": "w_q"}.get(name, name))',
            hint="What a word looks for and what it hands over have changed places. Match the layers by their names.",
        ),
        Misconception(
            "forgot the weights of the output projection and copied its bias",
            replace="fused.w_o.weight.copy_(parallel.w_o.weight)",
            by="pass",
            hint="The new layer's w_o still holds the weight it was made with. Both of its parameters are to be "
            "copied.",
        ),
        Misconception(
            "returned a layer with parameters that cannot learn",
            replace="return fused",
            by="return fused.requires_grad_(False)",
            hint="The numbers are right, and training could not change all of them: a parameter, or each of them, asks "
            "for no gradient. If you switched requires_grad off for the copying, it has to be on again afterwards.",
        ),
        Misconception(
            "left out the last head",
            replace=COPIED_WIDE,
            by=f"""rows = d_model - narrow[-1].out_features
            wide.weight[:rows] = {CAT_WEIGHTS}[:rows]
            wide.bias[:rows] = {CAT_BIASES}[:rows]""",
            hint="The last head's rows still hold the numbers that they were made with. (range(n) ends with n − 1 by "
            "itself.)",
        ),
        Misconception(
            "left out the first head",
            replace=COPIED_WIDE,
            by=f"""rows = narrow[0].out_features
            wide.weight[rows:] = {CAT_WEIGHTS}[rows:]
            wide.bias[rows:] = {CAT_BIASES}[rows:]""",
            hint="The first head's rows still hold the numbers that they were made with. (Places are counted from 0.)",
        ),
    ),
    alternatives=(
        Alternative(
            "load_state_dict",
            """
def fuse_heads(parallel):
    d_model = parallel.w_o.weight.shape[0]
    fused = MultiHeadAttention(d_model, len(parallel.heads))
    state = {f"w_o.{name}": tensor for name, tensor in parallel.w_o.state_dict().items()}
    for role in ("w_q", "w_k", "w_v"):
        for part in ("weight", "bias"):
            state[f"{role}.{part}"] = torch.cat([getattr(getattr(head, role), part) for head in parallel.heads])
    fused.load_state_dict(state)
    return fused
""",
        ),
        Alternative(
            "slices, through .data",
            """
def fuse_heads(parallel):
    d_head = parallel.heads[0].w_q.out_features
    fused = MultiHeadAttention(d_head * len(parallel.heads), len(parallel.heads))
    for index, head in enumerate(parallel.heads):
        rows = slice(index * d_head, (index + 1) * d_head)
        for wide, narrow in ((fused.w_q, head.w_q), (fused.w_k, head.w_k), (fused.w_v, head.w_v)):
            wide.weight.data[rows] = narrow.weight.data
            wide.bias.data[rows] = narrow.bias.data
    fused.w_o.load_state_dict(parallel.w_o.state_dict())
    return fused
""",
        ),
        Alternative(
            "new parameters, and a deep copy",
            """
import copy

def fuse_heads(parallel):
    heads = parallel.heads
    fused = MultiHeadAttention(parallel.w_o.out_features, len(heads))
    fused.w_q.weight = nn.Parameter(torch.vstack([head.w_q.weight.detach() for head in heads]))
    fused.w_k.weight = nn.Parameter(torch.vstack([head.w_k.weight.detach() for head in heads]))
    fused.w_v.weight = nn.Parameter(torch.vstack([head.w_v.weight.detach() for head in heads]))
    fused.w_q.bias = nn.Parameter(torch.hstack([head.w_q.bias.detach() for head in heads]))
    fused.w_k.bias = nn.Parameter(torch.hstack([head.w_k.bias.detach() for head in heads]))
    fused.w_v.bias = nn.Parameter(torch.hstack([head.w_v.bias.detach() for head in heads]))
    fused.w_o = copy.deepcopy(parallel.w_o)
    return fused
""",
        ),
    ),
    builds_on=("MultiHeadAttention", "split_heads", "merge_heads"),
    probe=fused_and_run,
    forbids=FORBIDS,
)
