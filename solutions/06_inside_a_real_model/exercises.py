"""What is known of the exercises of chapter 6: their cases, the mistakes learners make, other right solutions.

Read by `autograder`, in lesson order, through `EXERCISES`. The reference solutions stand in `lesson.py`. No case needs
MiniLM: all are drawn, and small.
"""

from collections.abc import Sequence

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

# Calls that would make this chapter's exercises pointless.
FORBIDS = ("MultiheadAttention", "multi_head_attention_forward")


def attention_map(draw: Draw, *shape: int) -> torch.Tensor:
    """Draw weights of `shape` (…, seq, seq) whose rows sum to 1."""
    return draw.normal(*shape, scale=2.0).softmax(dim=-1)


# load_attention


def published_tensors(draw: Draw, change: str = "none", numbers: Sequence[int] = ()) -> Call:
    """Draw a small model's attention tensors, 4 for each layer (query, key, value, output), and which layer to load.

    Args:
        numbers: the layers' numbers, where they are not 0, 1, 2 and so on. Layer 1 is loaded then.
        change: what happens to the tensors, "ROLE" standing for the name of one of the biases.
    """
    num_heads, d_head = draw.sizes("num_heads d_head", low=2, high=3)
    layers = len(numbers) or draw.sizes("layers", low=4, high=5)[0]
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    role = ("self.query", "self.key", "self.value", "output.dense")[draw.integer(0, 3)]
    return Call(
        {
            "weights": draw.normal(layers, 4, d_model, d_model),
            "biases": draw.normal(layers, 4, d_model),
            "numbers": list(numbers or range(layers)),
            "index": 1 if numbers else draw.integer(1, layers - 2),  # neither the first nor the last
            "change": change.replace("ROLE", f"{role}.bias"),
        }
    )


def loads(load_attention, weights, biases, numbers, index, change):
    """Load one layer of a small model whose tensors have MiniLM's names."""
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, d_model, num_heads):
            super().__init__()
            self.num_heads = num_heads
            self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    tensors = {}
    for number, weight, bias in zip(numbers, weights, biases, strict=True):
        for place, role in enumerate(("self.query", "self.key", "self.value", "output.dense")):
            name = f"encoder.layer.{number}.attention.{role}"
            tensors[f"{name}.weight"] = weight[place].clone()
            tensors[f"{name}.bias"] = bias[place].clone()
    layer = Layer(weights.shape[-1], 2)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    changed = f"encoder.layer.{index}.attention.{change.split(' ')[0]}"
    if changed in tensors:
        if change.endswith("is missing"):
            del tensors[changed]
        else:
            tensors[changed] = tensors[changed][None] if change.endswith("dimensions") else tensors[changed][:1]
        try:
            load_attention(layer, tensors, index)
        except NotImplementedError:
            raise
        except Exception:  # which kind is up to the learner
            return "an error"
        return "a layer, and no error"
    load_attention(layer, tensors, index)
    if change != "none":
        for tensor in tensors.values():
            tensor.zero_()
    return dict(layer.named_parameters())


CHECK_SHAPE = """if theirs.shape != ours.shape:
                    raise ValueError(f"{name}.{kind} has the shape {tuple(theirs.shape)}, not {tuple(ours.shape)}")"""

LOAD_ATTENTION = Exercise(
    name="load_attention",
    returns=("The loaded layer",),
    cases=(
        Case("a layer in the middle of the model", published_tensors),
        Case(
            "layer 1 of a model that has layers 10 and 11, too",
            lambda draw: published_tensors(draw, numbers=(0, 1, 2, 10, 11)),
        ),
        Case(
            "the tensors change after loading",
            lambda draw: published_tensors(draw, "all tensors are set to 0 after loading"),
        ),
        Case("a tensor is missing", lambda draw: published_tensors(draw, "ROLE is missing")),
        Case("a bias does not fit", lambda draw: published_tensors(draw, "ROLE holds a single number")),
        Case("a bias is a row", lambda draw: published_tensors(draw, "ROLE has two dimensions")),
    ),
    misconceptions=(
        Misconception(
            "swapped queries and keys",
            replace='layer.w_q: f"{place}.self.query",\n        layer.w_k: f"{place}.self.key"',
            by='layer.w_k: f"{place}.self.query",\n        layer.w_q: f"{place}.self.key"',
            hint="Each query would be compared the wrong way round. Match the names one by one.",
        ),
        Misconception(
            "loaded the keys' weights as values",
            replace='layer.w_v: f"{place}.self.value"',
            by='layer.w_v: f"{place}.self.key"',
            hint="Where to look would be right, and what is handed over would not. Values have tensors of their own.",
        ),
        Misconception(
            "swapped values and output",
            replace='layer.w_v: f"{place}.self.value",\n        layer.w_o: f"{place}.output.dense"',
            by='layer.w_o: f"{place}.self.value",\n        layer.w_v: f"{place}.output.dense"',
            hint="All four have the same shape here, so nothing complains. “output.dense” is what comes last.",
        ),
        Misconception(
            "forgot the output projection",
            replace='        layer.w_o: f"{place}.output.dense",\n',
            by="",
            hint="w_o still holds what it was made with, so that whatever the heads find is scrambled on its way out.",
        ),
        Misconception(
            "always loaded the first layer",
            replace="encoder.layer.{index}",
            by="encoder.layer.0",
            hint="All layers of the model would be copies of the first one. The index belongs into the name.",
        ),
        Misconception(
            "counted the layers from 1",
            replace="encoder.layer.{index}",
            by="encoder.layer.{index - 1}",
            hint="You have loaded the layer before the one that was asked for. In the names, too, the first is 0.",
        ),
        Misconception(
            "loaded the layer after it",
            replace="encoder.layer.{index}",
            by="encoder.layer.{index + 1}",
            hint="You have loaded the layer after the one that was asked for. In the names, too, the first is 0.",
        ),
        Misconception(
            "forgot the biases",
            replace='("weight", "bias")',
            by='("weight",)',
            hint="Each of the four layers has two parameters. The other one still holds what it was made with.",
        ),
        Misconception(
            "transposed the weights",
            replace="ours.copy_(theirs)",
            by="ours.copy_(theirs.T)",
            hint="These models were saved from layers of nn.Linear, so their weights lie as yours do. That all are "
            "square is why nothing complained.",
        ),
        Misconception(
            "kept the file's own tensors instead of copying their numbers",
            replace="ours.copy_(theirs)",
            by="ours.data = theirs",
            hint="Your layer and the file's tensors are the same memory now: who changes one changes both, and "
            "training your layer would ruin what was loaded. Copy the numbers into the parameters that are there.",
        ),
        Misconception(
            "let torch record the copying",
            replace="with torch.no_grad():",
            by="if True:",
            hint="A parameter is something to be learned, and torch does not let you overwrite it while it records. "
            "There is a block in which nothing is recorded.",
            check="shapes",
        ),
        Misconception(
            "put a plain tensor in the place of a parameter",
            replace="ours.copy_(theirs)",
            by="setattr(linear, kind, theirs)",
            hint="A layer takes only parameters there. Leave the parameter where it is, and copy the numbers into it.",
            check="shapes",
        ),
        Misconception(
            "left “attention” out of the names",
            replace="encoder.layer.{index}.attention",
            by="encoder.layer.{index}",
            hint="There is no such tensor. Look at the list of names once more: what stands between the layer's number "
            "and “self”?",
            check="shapes",
        ),
        Misconception(
            "loaded into a copy of the layer",
            shown_by=("deepcopy|copy",),
            replace='place = f"encoder',
            by='layer = copy.deepcopy(layer)\n    place = f"encoder',
            hint="The layer that you were given is as it was before. Its own parameters are to be filled.",
            check="shapes",
        ),
        Misconception(
            "did not look at the shapes",
            replace=CHECK_SHAPE,
            by="pass",
            hint="copy_ repeats a single number until it fits, without a word. The layer is wrong then, and nobody "
            "knows. Compare the shapes before you copy.",
        ),
        Misconception(
            "passed over a tensor that is missing",
            replace='tensors[f"{name}.{kind}"]',
            by='tensors.get(f"{name}.{kind}", getattr(linear, kind))',
            hint="One parameter stays what it was made with, and nobody knows. What cannot be right should stop "
            "with an error.",
        ),
        Misconception(
            "gave the tensor the parameter's name instead of copying its numbers",
            replace="ours.copy_(theirs)",
            by="ours = theirs",
            hint="A name points to something else now, and the layer is as it was before. The numbers have to go into "
            "the parameter that is there.",
            shown_by=("no copy_|copy|deepcopy|data|set_|load_state_dict",),
            check="shapes",
        ),
        Misconception(
            "left the layer as it was",
            replace="ours.copy_(theirs)",
            by="ours.clone().copy_(theirs)",
            hint="Nothing has arrived in the parameters of the layer that you were given. Its own are to be filled.",
            check="shapes",
        ),
        Misconception(
            "compared the numbers of entries instead of the shapes",
            replace="if theirs.shape != ours.shape:\n"
            "                    raise ValueError("
            'f"{name}.{kind} has the shape {tuple(theirs.shape)}, not {tuple(ours.shape)}")\n'
            "                ours.copy_(theirs)",
            by="ours.copy_(theirs.view_as(ours))",
            hint="A tensor of another shape is another thing, also where it has as many entries: read in the wrong "
            "order it fits, and nobody knows. Compare the shapes themselves.",
        ),
    ),
    alternatives=(
        Alternative(
            "load_state_dict, which looks at names and shapes itself",
            """
def load_attention(layer, tensors, index):
    place = f"encoder.layer.{index}.attention."
    theirs = {"w_q": "self.query", "w_k": "self.key", "w_v": "self.value", "w_o": "output.dense"}
    state = {}
    for ours, name in theirs.items():
        for kind in ("weight", "bias"):
            state[f"{ours}.{kind}"] = tensors[f"{place}{name}.{kind}"]
    layer.load_state_dict(state)
""",
        ),
        Alternative(
            "one line a parameter, with a function that checks",
            """
def load_attention(layer, tensors, index):
    def put(parameter, name):
        tensor = tensors[f"encoder.layer.{index}.attention.{name}"]
        assert tensor.shape == parameter.shape, name
        parameter.data.copy_(tensor)

    put(layer.w_q.weight, "self.query.weight")
    put(layer.w_q.bias, "self.query.bias")
    put(layer.w_k.weight, "self.key.weight")
    put(layer.w_k.bias, "self.key.bias")
    put(layer.w_v.weight, "self.value.weight")
    put(layer.w_v.bias, "self.value.bias")
    put(layer.w_o.weight, "output.dense.weight")
    put(layer.w_o.bias, "output.dense.bias")
    return layer
""",
        ),
        Alternative(
            "new parameters",
            """
def load_attention(layer, tensors, index):
    for linear, name in (
        (layer.w_q, "self.query"), (layer.w_k, "self.key"), (layer.w_v, "self.value"), (layer.w_o, "output.dense")
    ):
        for kind in ("weight", "bias"):
            key = f"encoder.layer.{index}.attention.{name}.{kind}"
            if key not in tensors:
                raise KeyError(f"there is no {key}")
            if tensors[key].shape != getattr(linear, kind).shape:
                raise ValueError(f"{key} does not fit")
            setattr(linear, kind, nn.Parameter(tensors[key].clone()))
""",
        ),
    ),
    forbids=FORBIDS,
    probe=loads,
)


# sink_score


def maps_to_score(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    return Call({"weights": attention_map(draw, layers, heads, seq, seq)})


def maps_with_position(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    return Call({"weights": attention_map(draw, layers, heads, seq, seq), "position": draw.integer(1, seq - 2)})


def maps_with_last_position(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    return Call({"weights": attention_map(draw, layers, heads, seq, seq), "position": -1})


SINK = "weights[..., position].mean(dim=-1)"

SINK_SCORE = Exercise(
    name="sink_score",
    returns=("score",),
    cases=(
        Case("the first token", maps_to_score),
        Case("a token in the middle", maps_with_position),
        Case("the last token, counted from the end", maps_with_last_position),
    ),
    misconceptions=(
        Misconception(
            "looked at the token's row instead of its column",
            replace="weights[..., position]",
            by="weights[..., position, :]",
            hint="A row says where this token looks, and always sums to 1: your scores are all alike. Who looks at it "
            "stands in its column.",
        ),
        Misconception(
            "always looked at the first token",
            replace="weights[..., position]",
            by="weights[..., 0]",
            hint="The position was given: 0 is only its default.",
        ),
        Misconception(
            "left out the token itself",
            replace=SINK,
            by="(weights[..., position].sum(dim=-1) - weights[..., position, position]) / (weights.shape[-1] - 1)",
            hint="That is a sensible score too, but here the mean is over all queries, the token itself among them.",
        ),
        Misconception(
            "left out the first query",
            replace="weights[..., position]",
            by="weights[..., 1:, position]",
            hint="Here the mean is over all queries, the first one among them.",
        ),
        Misconception(
            "took only the token's weight on itself",
            replace=SINK,
            by="weights[..., position, position]",
            hint="That is one query. A sink is where all queries look, so take the mean over them.",
        ),
        Misconception(
            "took the largest weight instead of the mean",
            replace=".mean(dim=-1)",
            by=".amax(dim=-1)",
            hint="A single word that looks there would make it a sink. Ask how much all of them give on average.",
        ),
        Misconception(
            "added the weights up",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1)",
            hint="Your scores grow with the length of the sentence. The mean over the queries stays between 0 and 1.",
        ),
        Misconception(
            "counted the queries that look there most",
            replace=SINK,
            by="(weights.argmax(dim=-1) == position % weights.shape[-1]).to(weights.dtype).mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        Misconception(
            "averaged over the heads too",
            replace=".mean(dim=-1)",
            by=".mean(dim=(-2, -1))",
            hint="Heads differ, and that is what you want to see: one score for each layer and each head.",
            check="shapes",
        ),
        Misconception(
            "averaged over the heads instead of the queries",
            replace=".mean(dim=-1)",
            by=".mean(dim=1)",
            hint="With the column picked, three dimensions are left: layers, heads, queries. The last one has to go.",
            check="shapes",
        ),
        Misconception(
            "gave a score to every token",
            replace=SINK,
            by="weights.mean(dim=-2)",
            hint="The mean over the queries is right. Of the tokens, only the one at the given position is wanted.",
            check="shapes",
        ),
        Misconception(
            "returned the largest weight together with its place",
            replace=".mean(dim=-1)",
            by=".max(dim=-1)",
            hint="max along a dimension gives two tensors, the values and where they are. And a single word that "
            "looks there would make it a sink: ask how much all of them give on average.",
            check="shapes",
        ),
        Misconception(
            "cut the column out as a slice and averaged over its single entry",
            replace="weights[..., position]",
            by="weights[..., position : position + 1]",
            hint="A slice keeps the dimension, with one entry in it, and the mean over that changes nothing: a number "
            "is left for each query. The mean runs over the queries.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "mean first, token second",
            """
def sink_score(weights, position=0):
    return weights.mean(dim=2)[:, :, position]
""",
        ),
        Alternative(
            "a product with a vector of one 1",
            """
def sink_score(weights, position=0):
    chosen = torch.zeros(weights.shape[-1], dtype=weights.dtype)
    chosen[position] = 1
    # (layers, heads, seq, seq) @ (seq) -> (layers, heads, seq)
    return (weights @ chosen).sum(dim=-1) / weights.shape[-2]
""",
        ),
        Alternative(
            "select and a loop",
            """
def sink_score(weights, position=0):
    return torch.stack([torch.stack([head[:, position].mean() for head in layer]) for layer in weights])
""",
        ),
    ),
    forbids=FORBIDS,
    gradients=False,
)


# previous_token_score


def causal_maps(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    scores = draw.normal(layers, heads, seq, seq, scale=2.0)
    causal = torch.ones(seq, seq, dtype=torch.bool).tril()
    return Call({"weights": scores.masked_fill(~causal, -torch.inf).softmax(dim=-1)})


def maps_of_two_tokens(draw: Draw) -> Call:
    layers, heads = draw.sizes("layers heads", high=7)
    draw.named(seq=2)
    return Call({"weights": attention_map(draw, layers, heads, 2, 2)})


DIAGONAL = "weights.diagonal(offset=-1, dim1=-2, dim2=-1)"

PREVIOUS_TOKEN_SCORE = Exercise(
    name="previous_token_score",
    returns=("score",),
    cases=(
        Case("words that may look anywhere", maps_to_score),
        Case("words that look only back", causal_maps),
        Case("sentences of two tokens", maps_of_two_tokens),
    ),
    misconceptions=(
        Misconception(
            "looked at the token after it",
            replace="offset=-1",
            by="offset=1",
            hint="That is the diagonal above the main one: query i on token i + 1. Wanted is query i on token i − 1, "
            "below it.",
        ),
        Misconception(
            "looked at the token itself",
            replace="offset=-1",
            by="offset=0",
            hint="That is the main diagonal: query i on token i. The position before is one column to the left.",
        ),
        Misconception(
            "looked two tokens back",
            replace="offset=-1",
            by="offset=-2",
            hint="One diagonal too far. Query i should be met with token i − 1.",
        ),
        Misconception(
            "counted the first token among those that have one before them",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1) / weights.shape[-1]",
            hint="The first token has none before it, so there is one weight less than there are tokens. Divide by "
            "the number of weights, or even a perfect head stays below 1.",
        ),
        Misconception(
            "let the first token look back to the last one",
            replace=DIAGONAL,
            by="weights[..., torch.arange(weights.shape[-1]), torch.arange(weights.shape[-1]) - 1]",
            hint="For the first token, position − 1 is −1, and torch takes that for the last one. Start at position 1.",
        ),
        Misconception(
            "added the weights up",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1)",
            hint="Your scores grow with the length of the sentence. The mean over the positions stays between 0 and 1.",
        ),
        Misconception(
            "took the largest weight instead of the mean",
            replace=".mean(dim=-1)",
            by=".amax(dim=-1)",
            hint="One word that looks back by chance would be enough for a high score. Take the mean over positions.",
        ),
        Misconception(
            "counted how often the token before gets the most",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="(weights.argmax(dim=-1)[..., 1:] == torch.arange(weights.shape[-1] - 1)).to(weights.dtype)"
            ".mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        Misconception(
            "took everything that stands before, not only the token right before",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="weights.tril(-1).sum(dim=-1)[..., 1:].mean(dim=-1)",
            hint="A head that spreads its weight over the whole past gets a high score from you. Only one token is "
            "the one before.",
        ),
        Misconception(
            "met every row with every column",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="weights[..., 1:, :-1].mean(dim=(-2, -1))",
            hint="Two slices cut out a square: every later query with every earlier token. Wanted are its pairs, row 1 "
            "with column 0, row 2 with column 1 and so on.",
        ),
        Misconception(
            "took the diagonal over layers and heads",
            replace=DIAGONAL,
            by="weights.diagonal(offset=-1)",
            hint="Without being told, diagonal takes the first two dimensions, which are layers and heads here. The "
            "map of a head is the last two.",
            check="shapes",
        ),
        Misconception(
            "returned the weights one by one",
            replace=".mean(dim=-1)",
            by="",
            hint="These are the right weights, one for each position. One number for each head is wanted: their mean.",
            check="shapes",
        ),
        Misconception(
            "averaged over the heads too",
            replace=".mean(dim=-1)",
            by=".mean(dim=(-2, -1))",
            hint="Heads differ, and that is what you want to see: one score for each layer and each head.",
            check="shapes",
        ),
        Misconception(
            "left out the last token",
            replace="weights.diagonal(offset=-1, dim1=-2, dim2=-1)",
            by="torch.stack([weights[..., i, i - 1] for i in range(1, weights.shape[-1] - 1)], dim=-1)",
            hint="The last token looks at the one before it too. (range stops one before its end.)",
            check="shapes",
        ),
        Misconception(
            "averaged over all tokens what each gives to all before it",
            replace="weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)",
            by="weights.tril(-1).sum(dim=-1).mean(dim=-1)",
            hint="A head that spreads its weight over the whole past gets a high score from you. Only one token is "
            "the one before; and the first token has none.",
        ),
    ),
    alternatives=(
        Alternative(
            "two ranges of positions",
            """
def previous_token_score(weights):
    position = torch.arange(1, weights.shape[-1])
    return weights[:, :, position, position - 1].mean(dim=-1)
""",
        ),
        Alternative(
            "the square below the diagonal, and its trace",
            """
def previous_token_score(weights):
    shifted = weights[..., 1:, :-1]
    return torch.einsum("...ii->...", shifted) / shifted.shape[-1]
""",
        ),
        Alternative(
            "a loop over positions",
            """
def previous_token_score(weights):
    seq = weights.size(-1)
    total = torch.zeros(weights.shape[:2], dtype=weights.dtype)
    for position in range(1, seq):
        total += weights[:, :, position, position - 1]
    return total / (seq - 1)
""",
        ),
    ),
    forbids=FORBIDS,
    gradients=False,
)


# attention_without


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
            # (d_model, d_model): a column for each entry of the merged heads, d_head of them for each head
            edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0
    output, _ = edited(x, mask=mask)"""
SILENCE = "edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0"

ATTENTION_WITHOUT = Exercise(
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
            hint="The weight of nn.Linear is (out, in): a row makes one entry of the output, from all heads. What "
            "a head hands over comes in, so it meets columns.",
        ),
        Misconception(
            "changed the layer itself",
            replace="copy.deepcopy(layer)",
            by="layer",
            hint="The output is right, but these heads are gone for good: the next call starts from a damaged layer. "
            "Work on a copy (copy.copy would still share the parameters), or put everything back.",
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
            "silenced all the others",
            replace="for head in heads:",
            by="for head in sorted(set(range(weights.shape[1])) - set(heads)):",
            hint="What comes out is what these heads alone contribute. They are the ones to be silenced.",
        ),
        Misconception(
            "silenced only the first of the heads",
            replace="for head in heads:",
            by="for head in heads[:1]:",
            hint="There may be several heads, or none. Is something returned inside the loop?",
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
        Misconception(
            "let torch record that you change the weight",
            replace="with torch.no_grad():",
            by="if True:",
            hint="A parameter is something to be learned, and torch does not let you overwrite it while it records. "
            "There is a block in which nothing is recorded.",
            check="shapes",
        ),
        Misconception(
            "silenced the values' weights and left their bias",
            replace=SILENCE,
            by="edited.w_v.weight[head * d_head : (head + 1) * d_head] = 0",
            hint="The head still hands over its bias, the same for every word. Silent means that nothing of it "
            "arrives.",
        ),
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
            "forgot the mask",
            replace="edited(x, mask=mask)",
            by="edited(x)",
            hint="The other heads look at blocked words now. Hand the mask on.",
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
            hint="That is the difference between the full output and the one that is wanted.",
        ),
        Misconception(
            "added the input to the output",
            replace="return output",
            by="return x + output",
            hint="The block does that afterwards, around the layer. Wanted is the layer's output alone.",
        ),
        Misconception(
            "returned the weights as well",
            replace="return output",
            by="return output, weights",
            hint="One tensor is asked for: the output. What a silenced head looked at is of no use to anybody.",
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
            "returned the output of all heads",
            replace="output, _ = edited(x, mask=mask)",
            by="output, _ = layer(x, mask=mask)",
            hint="That is what the intact layer says. Whatever you silenced, this output was not made with it: "
            "silence the heads first, then ask the layer that has them silenced.",
        ),
        Misconception(
            "silenced only the last of the heads",
            replace="for head in heads:",
            by="for head in heads[-1:]:",
            hint="All of them are to be silent at once. Does each step of the loop start from the intact layer?",
        ),
        Misconception(
            "took 12 for the number of heads",
            replace="d_head = x.shape[-1] // weights.shape[1]",
            by="d_head = x.shape[-1] // 12",
            hint="MiniLM's layers have 12 heads, others have more or fewer. How many this one has, its weights tell.",
            shown_by=("12",),
        ),
        Misconception(
            "set the bias of w_o to 0 along with each head",
            replace="edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0",
            by="edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0\n            edited.w_o.bias.zero_()",
            hint="The bias belongs to no head. With all heads silenced, it is what is left.",
        ),
        Misconception(
            "put the mean of what they say in the place of the silenced heads",
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
            hint="That is a fine experiment too, but here such a head still says something: the same for every word. "
            "Silent means that nothing of it arrives.",
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


# head_importance


def embeddings_to_compare(draw: Draw, batch: int = 0) -> Call:
    num_layers, num_heads = draw.sizes("num_layers num_heads", low=2, high=4)
    d, several = draw.sizes("d batch", low=4, high=7)
    batch = batch or several
    draw.named(batch=batch)
    intact = draw.normal(batch, d)
    # (batch, d) + (layers, heads, batch, d): each head changes each sentence, some more than others
    size = draw.normal(num_layers, num_heads, 1, 1).abs()
    silenced = intact + size * draw.normal(num_layers, num_heads, batch, d)
    return Call({"intact": intact, "silenced": silenced, "num_layers": num_layers, "num_heads": num_heads})


def asks(head_importance, intact, silenced, num_layers, num_heads):
    """Let the learner's code ask an encoder that only looks its answers up, and count how often it does."""
    calls = {}

    def encode(silenced_head=None):
        if silenced_head is None:
            calls[None] = calls.get(None, 0) + 1
            return intact.clone()
        try:
            pair = tuple(silenced_head)
        except TypeError:
            raise TypeError(f"silenced should be a pair, (layer, head), and it is {silenced_head!r}") from None
        if len(pair) != 2:
            raise ValueError(f"silenced should be one pair, (layer, head), and it is {silenced_head!r}")
        layer, head = map(int, pair)
        if not (0 <= layer < num_layers and 0 <= head < num_heads):
            raise ValueError(f"there is no head {head} in layer {layer}")
        calls[layer, head] = calls.get((layer, head), 0) + 1
        return silenced[layer, head].clone()

    importance = head_importance(lambda silenced=None: encode(silenced), num_layers, num_heads)
    often = {0: "never", 1: "once"}
    heads = [number for key, number in calls.items() if key is not None]
    each = max(heads, default=0) if len(heads) == num_layers * num_heads else 0
    return importance, (
        f"intact {often.get(calls.get(None, 0), 'several times')}, "
        f"{'each' if each else 'not every'} head {often.get(each, 'several times')}"
    )


HEAD_IMPORTANCE = Exercise(
    name="head_importance",
    returns=("importance", "How often the model was run"),
    cases=(
        Case("several sentences", embeddings_to_compare),
        Case("a single sentence", lambda draw: embeddings_to_compare(draw, batch=1)),
    ),
    misconceptions=(
        Misconception(
            "returned the similarity itself",
            replace="1 - nn",
            by="nn",
            hint="Your largest numbers stand for the heads that matter least. Importance is how far the embedding "
            "moves: 1 − similarity.",
        ),
        Misconception(
            "compared along the batch instead of the features",
            replace="dim=-1",
            by="dim=0",
            hint="Each sentence's vector is to be compared with the same sentence's vector: along the last dimension.",
        ),
        Misconception(
            "measured the distance instead of the angle",
            replace="1 - nn.functional.cosine_similarity(intact, without, dim=-1).mean()",
            by="(intact - without).norm(dim=-1).mean()",
            hint="A distance depends on how long the vectors are. The cosine compares directions only.",
        ),
        Misconception(
            "took the mean squared difference",
            replace="1 - nn.functional.cosine_similarity(intact, without, dim=-1).mean()",
            by="nn.functional.mse_loss(without, intact)",
            hint="A difference depends on how long the vectors are. The cosine compares directions only.",
        ),
        Misconception(
            "compared all sentences as one long vector",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1).mean()",
            by="nn.functional.cosine_similarity(intact.flatten(), without.flatten(), dim=0)",
            hint="Sentences with long vectors count more then. Compare sentence by sentence, and take the mean.",
        ),
        Misconception(
            "took the dot product for the cosine",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="(intact * without).sum(dim=-1)",
            hint="The dot product grows with the vectors' lengths. Divided by both lengths it is the cosine.",
        ),
        Misconception(
            "looked at the first sentence only",
            replace=".mean()",
            by="[0]",
            hint="A head may matter for one sentence and not for another. Take the mean over the batch.",
        ),
        Misconception(
            "averaged the embeddings before comparing them",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1).mean()",
            by="nn.functional.cosine_similarity(intact.mean(dim=0), without.mean(dim=0), dim=-1)",
            hint="In the mean of several sentences, changes cancel out. Compare sentence by sentence, and average "
            "what comes out.",
        ),
        Misconception(
            "added the similarities up",
            replace=".mean()",
            by=".sum()",
            hint="Your numbers depend on how many sentences there are. Take the mean over the batch.",
        ),
        Misconception(
            "took the sentence that suffers most",
            replace=".mean()",
            by=".min()",
            hint="One odd sentence decides everything then. Take the mean over the batch.",
        ),
        Misconception(
            "compared each head with the one before it",
            replace="dim=-1).mean()",
            by="dim=-1).mean()\n            intact = without",
            hint="Each head is to be compared with the intact model. Is the intact embedding overwritten on the way?",
        ),
        Misconception(
            "computed the intact embedding anew for each head",
            replace="cosine_similarity(intact,",
            by="cosine_similarity(encode(),",
            hint="The numbers are right, but the model runs twice as often as it must. Nothing about the intact model "
            "changes: one run before the loops is enough.",
        ),
        Misconception(
            "shared the importance out so that it sums to 1",
            replace="return importance",
            by="return importance / importance.sum()",
            hint="How far the embedding moves is the answer. Shared out, a model in which nothing matters looks like "
            "one in which everything does.",
        ),
        Misconception(
            "swapped layer and head in the pair",
            replace="silenced=(layer, head)",
            by="silenced=(head, layer)",
            hint="The pair says first which layer, then which head in it.",
            check="shapes",
        ),
        Misconception(
            "named the head alone, without its layer",
            replace="silenced=(layer, head)",
            by="silenced=head",
            hint="Each layer has a head of that number. Say which layer, then which head in it: a pair.",
            check="shapes",
        ),
        Misconception(
            "returned a row for each head",
            replace="return importance",
            by="return importance.T",
            hint="The result has a row for each layer and a column for each head.",
            check="shapes",
        ),
        Misconception(
            "returned lists instead of a tensor",
            replace="return importance",
            by="return importance.tolist()",
            hint="What you collected in lists becomes a tensor with torch.tensor(…).",
            check="shapes",
        ),
        Misconception(
            "kept a number for each sentence",
            replace="torch.zeros(num_layers, num_heads)",
            by="torch.zeros(num_layers, num_heads, len(intact))",
            hint="One number for each head is wanted: the mean over the batch.",
            check="shapes",
        ),
        Misconception(
            "counted layers and heads from 1",
            replace="silenced=(layer, head)",
            by="silenced=(layer + 1, head + 1)",
            hint="Counting starts at 0: the last layer is num_layers − 1, the last head num_heads − 1.",
            check="shapes",
        ),
        Misconception(
            "put the pair into a list",
            replace="silenced=(layer, head)",
            by="silenced=[(layer, head)]",
            hint="encode silences one head at a time, and wants its pair (layer, head) as it is.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "lists and torch.tensor",
            """
def head_importance(encode, num_layers, num_heads):
    intact = encode()
    rows = []
    for layer in range(num_layers):
        row = []
        for head in range(num_heads):
            similarity = torch.cosine_similarity(intact, encode((layer, head)))
            row.append(1 - similarity.mean().item())
        rows.append(row)
    return torch.tensor(rows)
""",
        ),
        Alternative(
            "all embeddings first, one comparison",
            """
def head_importance(encode, num_layers, num_heads):
    intact = encode(silenced=None)
    without = torch.stack(
        [encode(silenced=(layer, head)) for layer in range(num_layers) for head in range(num_heads)]
    )
    # (batch, d), (layers * heads, batch, d) -> (layers * heads, batch)
    cosine = nn.functional.cosine_similarity(intact[None], without, dim=-1)
    return (1 - cosine).mean(dim=-1).view(num_layers, num_heads)
""",
        ),
        Alternative(
            "unit vectors and dot products",
            """
def head_importance(encode, num_layers, num_heads):
    unit = lambda vectors: vectors / vectors.norm(dim=-1, keepdim=True)
    intact = unit(encode())
    importance = torch.empty(num_layers, num_heads)
    for place in range(num_layers * num_heads):
        layer, head = divmod(place, num_heads)
        importance[layer, head] = (1 - (intact * unit(encode(silenced=[layer, head]))).sum(-1)).mean()
    return importance
""",
        ),
    ),
    forbids=FORBIDS,
    probe=asks,
    gradients=False,
)


EXERCISES = [LOAD_ATTENTION, SINK_SCORE, PREVIOUS_TOKEN_SCORE, ATTENTION_WITHOUT, HEAD_IMPORTANCE]
