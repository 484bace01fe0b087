"""`attention_without`: computes what a layer gives while some of its heads are silent."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, OVERWRITTEN


def silencing_call(draw: Draw, heads: str, mask: str = "none") -> Call:
    """Draw a layer, an input and which heads to silence: "none", "one", "two" or "all" of them."""
    (num_heads,) = draw.sizes("num_heads", low=3, high=4)
    # A layer of 24 or more features, too: else 12 heads, as MiniLM has, would be taken for heads of one feature.
    d_head = 8 if heads == "two" else 7 - num_heads
    d_model = num_heads * d_head
    draw.named(d_head=d_head)
    draw.named(d_model=d_model)
    batch, seq = draw.sizes("batch seq", low=2, high=6)
    first = draw.integer(0, num_heads - 2)
    chosen = {
        "none": (),
        "one": (draw.integer(1, num_heads - 1),),
        "two": (draw.integer(first + 1, num_heads - 1), first),
        "all": tuple(range(num_heads)),
    }[heads]
    masks = {"none": None, "padding": draw.mask(batch, 1, 1, seq), "causal": torch.ones(seq, seq).bool().tril()}
    return Call(
        {
            "x": draw.normal(batch, seq, d_model),
            "heads": chosen if heads != "one" else list(chosen),
            "mask": masks[mask],
            "num_heads": num_heads,
            "weights": draw.normal(4, d_model, d_model, scale=d_model**-0.5),
            "biases": draw.normal(4, d_model, scale=0.5),
        }
    )


def silences(attention_without, x, heads, mask, num_heads, weights, biases):
    """Silence heads of a small layer, then ask the layer itself once more."""
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, d_model):
            super().__init__()
            self.num_heads = num_heads
            self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

        def forward(self, query, key=None, value=None, mask=None):
            key = query if key is None else key
            value = key if value is None else value
            pairs = ((self.w_q, query), (self.w_k, key), (self.w_v, value))
            q, k, v = (torch.stack(linear(y).chunk(num_heads, dim=-1), dim=1) for linear, y in pairs)
            if mask is not None:
                mask = torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~mask, -torch.inf)
            output, weights = torch._scaled_dot_product_attention_math(q, k, v, attn_mask=mask)
            return self.w_o(torch.cat(output.unbind(dim=1), dim=-1)), weights

    layer = Layer(x.shape[-1])
    with torch.no_grad():
        for linear, weight, bias in zip((layer.w_q, layer.w_k, layer.w_v, layer.w_o), weights, biases, strict=True):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
    output = attention_without(layer, x, heads) if mask is None else attention_without(layer, x, heads, mask)
    return output, layer(x, mask=mask)[0]


EDIT = """edited = copy.deepcopy(layer)
    with torch.no_grad():
        for head in heads:
            # (d_model, d_model): a column for each entry of the merged heads, d_head of
            # them for each head
            edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0
    output, _ = edited(x, mask=mask)"""
SILENCE = "edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0"

EXERCISE = Exercise(
    name="attention_without",
    returns=("output", "What the layer itself gives afterwards"),
    cases=(
        Case("two heads silenced", lambda draw: silencing_call(draw, "two")),
        Case("one head silenced, with padding masked", lambda draw: silencing_call(draw, "one", "padding")),
        Case("one head silenced, under a causal mask", lambda draw: silencing_call(draw, "one", "causal")),
        Case("no head silenced", lambda draw: silencing_call(draw, "none")),
        Case("all heads silenced", lambda draw: silencing_call(draw, "all")),
    ),
    misconceptions=(
        Misconception(
            "zeroed rows of w_o instead of columns",
            replace="w_o.weight[:, head * d_head : (head + 1) * d_head]",
            by="w_o.weight[head * d_head : (head + 1) * d_head]",
            hint="The weight of nn.Linear is (out, in): a row makes one entry of the output, from all heads. What a "
            "head hands over goes in, so it meets columns.",
        ),
        Misconception(
            "silenced only the first of the heads",
            replace="for head in heads:",
            by="for head in heads[:1]:",
            hint="There may be several heads, or none. Is something returned inside the loop?",
        ),
        Misconception(
            "silenced only the last of the heads",
            replace="for head in heads:",
            by="for head in heads[-1:]:",
            hint="All of them are to be silent at once. Does each step of the loop start from the intact layer?",
        ),
        Misconception(
            "set the bias of w_o to 0 along with each head",
            replace=SILENCE,
            by="edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0\n            edited.w_o.bias.zero_()",
            hint="The bias belongs to no head. With all heads silenced, it is what is left.",
        ),
        Misconception(
            "forgot the mask",
            replace="edited(x, mask=mask)",
            by="edited(x)",
            hint="The other heads look at blocked words now. Pass the mask on.",
        ),
        Misconception(
            "silenced every num_heads-th feature",
            replace="head * d_head : (head + 1) * d_head",
            by="head :: weights.shape[1]",
            hint="That takes a little from each head. Head h's features stand side by side: d_head of them, beginning "
            "at h · d_head.",
        ),
        Misconception(
            "silenced a single feature of each head",
            replace="head * d_head : (head + 1) * d_head",
            by="head",
            hint="Columns are features and not heads: each head has d_head of them.",
        ),
        Misconception(
            "counted the heads from 1",
            replace="head * d_head : (head + 1) * d_head",
            by="(head - 1) * d_head : head * d_head",
            hint="The first head is head 0, and its features begin at 0. Yours belong to the head before, and for head "
            "0 the slice is empty.",
        ),
        Misconception(
            "silenced all the others",
            replace="for head in heads:",
            by="for head in sorted(set(range(weights.shape[1])) - set(heads)):",
            hint="What comes out is what these heads alone contribute. They are the ones to be silenced.",
        ),
        Misconception(
            "changed the layer itself",
            replace="copy.deepcopy(layer)",
            by="layer",
            hint="The output is right, but these heads are gone for good: the next call starts from a damaged layer. "
            "Work on a copy (copy.copy would still share the parameters), or put everything back. (You do? What you "
            "kept for that must be a clone: another name for the weight, or its .data, changes with it.)",
        ),
        Misconception(
            "began at the head's number, not at its first feature",
            replace="head * d_head : (head + 1) * d_head",
            by="head : head + d_head",
            hint="Each head has d_head features, so those of head 2 begin at 2 · d_head. Yours overlap with head 0's.",
        ),
        Misconception(
            "silenced the values' weights and left their bias",
            replace=SILENCE,
            by="edited.w_v.weight[head * d_head : (head + 1) * d_head] = 0",
            hint="The head still hands over its bias, the same for every word. Silent means that nothing of it "
            "arrives.",
        ),
        Misconception(
            "silenced all heads from the chosen one on",
            replace="head * d_head : (head + 1) * d_head",
            by="head * d_head :",
            hint="A slice without an end goes to the last feature of the last head. A head's features end where those "
            "of the next one begin.",
        ),
        Misconception(
            "zeroed features of the output",
            replace=EDIT,
            by="""output, _ = layer(x, mask=mask)
    for head in heads:
        output[..., head * d_head : (head + 1) * d_head] = 0""",
            hint="In the output, w_o has mixed all heads already: each feature has something of every head. Silence a "
            "head before w_o.",
        ),
        Misconception(
            "zeroed features of the input",
            replace=EDIT,
            by="""y = x.clone()
    for head in heads:
        y[..., head * d_head : (head + 1) * d_head] = 0
    output, _ = layer(y, mask=mask)""",
            hint="In the input, features belong to no head: w_q, w_k and w_v give every head something of all of them. "
            "Heads are separate only between the softmax and w_o.",
        ),
        Misconception(
            "returned the merged heads without w_o",
            replace=EDIT,
            by="""values = layer.w_v(x).unflatten(-1, (weights.shape[1], -1)).transpose(1, 2)
    output = (weights @ values).transpose(1, 2)
    output[:, :, list(heads)] = 0
    output = output.flatten(2)""",
            hint="The right heads are silent, and the output projection is missing: the layer's output is what w_o "
            "makes of the merged heads.",
        ),
        families.recorded_by_torch("let torch record that you change the weight", OVERWRITTEN),
        Misconception(
            "silenced the queries",
            replace=SILENCE,
            by="edited.w_q.weight[head * d_head : (head + 1) * d_head] = 0\n"
            "            edited.w_q.bias[head * d_head : (head + 1) * d_head] = 0",
            hint="All scores are 0 now, so the head looks at all words alike and hands over their mean. It is blind, "
            "but not silent. (Zeroing the keys does the same.)",
        ),
        Misconception(
            "took the bias of w_o away too",
            replace="output, _ = edited(x, mask=mask)",
            by="edited.w_o.bias = None\n    output, _ = edited(x, mask=mask)",
            hint="The bias belongs to no head. With all heads silenced, it is what is left.",
        ),
        Misconception(
            "made up for the missing heads by enlarging the others",
            replace="return output",
            by="return output * weights.shape[1] / max(weights.shape[1] - len(heads), 1)",
            hint="That is what dropout does in training. Here the other heads stay as they are.",
        ),
        Misconception(
            "returned what the heads contribute, not what is left without them",
            replace="return output",
            by="return layer(x, mask=mask)[0] - output",
            hint="That is the full output minus the one to return.",
        ),
        Misconception(
            "added the input to the output",
            replace="return output",
            by="return x + output",
            hint="The block does that afterwards, around the layer. Return the layer's output alone.",
        ),
        Misconception(
            "returned the weights as well",
            replace="return output",
            by="return output, weights",
            hint="Return one tensor: the output. What a silenced head looked at is of no use.",
            check="shapes",
        ),
        Misconception(
            "cut the silenced heads' features out instead of zeroing them",
            replace=SILENCE,
            by="edited.w_o.weight.data = edited.w_o.weight[:, d_head:]",
            hint="The weight has fewer columns now than the heads hand over, and they do not fit any more. Leave the "
            "shape alone and put zeros there.",
            check="shapes",
        ),
        Misconception(
            "passed the mask as the key",
            replace="edited(x, mask=mask)",
            by="edited(x, mask)",
            hint="The layer's second argument is the key. Give the mask by its name.",
            check="shapes",
        ),
        Misconception(
            "returned the output of all heads",
            replace="output, _ = edited(x, mask=mask)",
            by="output, _ = layer(x, mask=mask)",
            hint="That is what the intact layer says. Whatever you silenced, this output was not made with it: "
            "silence the heads first, then ask the layer that has them silenced.",
        ),
        Misconception(
            "took 12 for the number of heads",
            replace="d_head = x.shape[-1] // weights.shape[1]",
            by="d_head = x.shape[-1] // 12",
            hint="MiniLM's layers have 12 heads, others have more or fewer. The weights show how many this one has.",
            shown_by=("12",),
        ),
        Misconception(
            "took the number of heads for their width",
            replace="d_head = x.shape[-1] // weights.shape[1]",
            by="d_head = weights.shape[1]",
            hint="The weights show how many heads there are. How wide each is follows from d_model as well.",
        ),
        Misconception(
            "replaced what the silenced heads say with its mean",
            replace=EDIT,
            by="""def averaged(module, inputs):
        merged = inputs[0].clone()
        for head in heads:
            part = slice(head * d_head, (head + 1) * d_head)
            merged[..., part] = merged[..., part].mean(dim=(0, 1))
        return (merged,)

    edited = copy.deepcopy(layer)
    edited.w_o.register_forward_pre_hook(averaged)
    output, _ = edited(x, mask=mask)""",
            hint="That is an experiment of its own, but here such a head still says something: the same for every "
            "word. Silent means that nothing of it arrives.",
        ),
        Misconception(
            "subtracted the bias of w_o along with each head",
            replace="output, _ = edited(x, mask=mask)",
            by="output, _ = edited(x, mask=mask)\n    output = output - len(heads) * layer.w_o.bias",
            hint="w_o adds its bias to whatever it is given, also to what a single head hands over. The bias belongs "
            "to no head: take away what the weight of w_o makes of the head, and no more.",
        ),
        Misconception(
            "made an index of an empty list",
            replace=EDIT,
            by="""edited = copy.deepcopy(layer)
    columns = torch.tensor([head * d_head + feature for head in heads for feature in range(d_head)])
    with torch.no_grad():
        edited.w_o.weight[:, columns] = 0
    output, _ = edited(x, mask=mask)""",
            hint="torch.tensor([]) holds floats, for want of anything else, and floats cannot be an index. There may "
            "be no head to silence: say which dtype you want, or take slices in a loop.",
            check="shapes",
        ),
        Misconception(
            "silenced the head after it",
            replace="head * d_head : (head + 1) * d_head",
            by="(head + 1) * d_head : (head + 2) * d_head",
            hint="The first head is head 0, and its features begin at 0. Yours belong to the next one, and for the "
            "last head the slice is empty.",
        ),
        Misconception(
            "zeroed columns of w_v, where its rows are the heads'",
            replace=SILENCE,
            by="edited.w_v.weight[:, head * d_head : (head + 1) * d_head] = 0",
            hint="The weight of nn.Linear is (out, in). A column of w_v meets one feature of x, for all heads. What "
            "comes out belongs to the heads, and it has a bias besides.",
        ),
        Misconception(
            "set the part of w_o's bias with a head's numbers to 0, too",
            replace=SILENCE,
            by="edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0\n"
            "            edited.w_o.bias[head * d_head : (head + 1) * d_head] = 0",
            hint="The bias of w_o is added to the output, whose features belong to no head. It stays as it is, "
            "whichever heads are silent.",
        ),
        Misconception(
            "returned the weights as well where no head is silenced",
            replace="    return output",
            by="    return output if len(heads) else layer(x, mask=mask)",
            hint="The layer returns a pair. Return its output alone, whatever heads there are.",
            check="shapes",
        ),
        Misconception(
            "left the last feature of each head",
            replace="(head + 1) * d_head]",
            by="(head + 1) * d_head - 1]",
            hint="A slice stops before its end by itself, so a bit of the head still arrives.",
        ),
        Misconception(
            "read the number of heads off the batch",
            replace="weights.shape[1]",
            by="weights.shape[0]",
            hint="weights is (batch, num_heads, seq, seq): its first size counts the sentences.",
        ),
    ),
    alternatives=(
        Alternative(
            "functional_call with another weight",
            """
def attention_without(layer, x, heads, mask=None):
    d_head = x.shape[-1] // layer.num_heads
    weight = layer.w_o.weight.detach().clone()
    for head in heads:
        weight[:, head * d_head : (head + 1) * d_head] = 0
    output, _ = torch.func.functional_call(layer, {"w_o.weight": weight}, (x,), {"mask": mask})
    return output
""",
        ),
        Alternative(
            "zero and put back",
            """
def attention_without(layer, x, heads, mask=None):
    kept = layer.w_o.weight.detach().clone()
    d_head = layer.w_o.in_features // layer.num_heads
    try:
        with torch.no_grad():
            for h in heads:
                layer.w_o.weight[:, h * d_head : h * d_head + d_head].zero_()
            return layer(x, mask=mask)[0]
    finally:
        with torch.no_grad():
            layer.w_o.weight.copy_(kept)
""",
        ),
        Alternative(
            "a hook in front of w_o",
            """
def attention_without(layer, x, heads, mask=None):
    def silence(module, inputs):
        merged = inputs[0].clone()
        d_head = merged.shape[-1] // layer.num_heads
        for head in heads:
            merged[..., head * d_head : (head + 1) * d_head] = 0
        return (merged,)

    hook = layer.w_o.register_forward_pre_hook(silence)
    try:
        return layer(x, mask=mask)[0]
    finally:
        hook.remove()
""",
        ),
        Alternative(
            "attention by hand, with the heads multiplied by 0 or 1",
            """
def attention_without(layer, x, heads, mask=None):
    batch, seq, d_model = x.shape
    d_head = d_model // layer.num_heads
    q, k, v = (
        linear(x).view(batch, seq, layer.num_heads, d_head).transpose(1, 2)
        for linear in (layer.w_q, layer.w_k, layer.w_v)
    )
    scores = q @ k.transpose(-2, -1) / d_head**0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    gate = torch.ones(layer.num_heads, 1, 1)
    gate[list(heads)] = 0
    # (batch, num_heads, seq, d_head) -> (batch, seq, d_model)
    merged = (scores.softmax(dim=-1) @ v * gate).transpose(1, 2).reshape(batch, seq, d_model)
    return layer.w_o(merged)
""",
        ),
        Alternative(
            "values silenced, weight and bias",
            """
def attention_without(layer, x, heads, mask=None):
    layer = copy.deepcopy(layer)
    d_head = x.shape[-1] // layer.num_heads
    for head in heads:
        rows = slice(head * d_head, (head + 1) * d_head)
        layer.w_v.weight.data[rows] = 0
        layer.w_v.bias.data[rows] = 0
    return layer(x, mask=mask)[0]
""",
        ),
    ),
    forbids=FORBIDS,
    probe=silences,
    gradients=False,
)
