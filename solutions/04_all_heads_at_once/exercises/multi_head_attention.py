"""`MultiHeadAttention`: a module with all heads in one product."""

from torch import Tensor

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, draw_heads


def layer_call(draw: Draw, d_model: int, num_heads: int, dropout: float | None = None, **inputs: Tensor | None) -> Call:
    """Return the call of a layer with drawn weights; with `dropout`, in training mode."""
    state = {}
    for name in ("w_q", "w_k", "w_v", "w_o"):
        state |= draw.linear(name, d_model, d_model)
    init: dict[str, object] = {"d_model": d_model, "num_heads": num_heads}
    if dropout is not None:
        init["dropout"] = dropout
    return Call(inputs, init=init, state=state, training=dropout is not None)


def self_attention(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    return layer_call(draw, d_model, num_heads, query=draw.normal(batch, seq, d_model))


def cross_attention(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq_q, seq_k = draw_heads(draw, "seq_q seq_k")
    query, key = draw.normal(batch, seq_q, d_model), draw.normal(batch, seq_k, d_model)
    return layer_call(draw, d_model, num_heads, query=query, key=key)


def key_and_value_of_their_own(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq_q, seq_k = draw_heads(draw, "seq_q seq_k")
    query, key, value = (draw.normal(batch, seq, d_model) for seq in (seq_q, seq_k, seq_k))
    mask = draw.mask(seq_q, seq_k)
    return layer_call(draw, d_model, num_heads, query=query, key=key, value=value, mask=mask)


def padding_and_an_empty_sentence(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    mask = draw.mask(batch, 1, 1, seq)
    mask[draw.integer(0, batch - 1)] = False
    query = draw.normal(batch, seq, d_model)
    return layer_call(draw, d_model, num_heads, query=query, key=None, value=None, mask=mask)


def masks_of_the_heads(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq_q, seq_k = draw_heads(draw, "seq_q seq_k")
    query, key = draw.normal(batch, seq_q, d_model), draw.normal(batch, seq_k, d_model)
    mask = draw.mask(batch, num_heads, seq_q, seq_k)
    mask[draw.integer(0, batch - 1), draw.integer(0, num_heads - 1), draw.integer(0, seq_q - 1)] = False
    return layer_call(draw, d_model, num_heads, query=query, key=key, value=None, mask=mask)


def one_head_on_one_word(draw: Draw) -> Call:
    batch, d_model = draw.sizes("batch d_model", low=2, high=6)
    return layer_call(draw, d_model, 1, query=draw.normal(batch, 1, d_model))


def dropout_in_training(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    dropout = draw.integer(2, 4) / 10
    return layer_call(draw, d_model, num_heads, dropout, query=draw.normal(batch, seq, d_model))


def heads_that_do_not_fit(draw: Draw) -> Call:
    num_heads = draw.integer(3, 7)
    return Call({"d_model": num_heads * draw.integer(2, 5) + draw.integer(1, num_heads - 1), "num_heads": num_heads})


def layer_or_what_it_does(layer, *inputs):
    """Return what the layer returns. In training mode: facts about its dropout that no random number changes.

    Given the class itself: what it says to such sizes.
    """
    import torch

    if isinstance(layer, type):
        try:
            layer(*inputs)
        except Exception as error:
            return f"raises {type(error).__name__}"
        return "raises nothing"
    if not layer.training:
        return layer(*inputs)

    # (batch, seq, d_model) -> (100 * batch, seq, d_model): enough weights for their shares to be sure
    x = inputs[0].repeat(100, 1, 1)
    layer.eval()
    with torch.no_grad():
        _, undropped = layer(x)
        agree_in_eval = torch.equal(undropped, layer(x)[1])
        layer.train()
        output, weights = layer(x)
        agree_in_training = torch.equal(output, layer(x)[0])
        kept = weights != 0
        factors = weights[kept] / undropped[kept]
        alike = (factors - factors.mean()).abs().max() < 0.01
        # What the returned weights make of the values, head by head: (…, seq, seq) @ (…, seq, d_head)
        values = layer.w_v(x).chunk(weights.shape[1], dim=-1)
        merged = torch.cat([weights[:, head] @ value for head, value in enumerate(values)], dim=-1)
        follows = torch.allclose(layer.w_o(merged), output, atol=1e-4)
        # The way back through w_o: what was merged, if anything of that was dropped
        before = torch.linalg.solve(layer.w_o.weight.double(), (output - layer.w_o.bias).double().flatten(0, 1).T)
        shares = [(~kept).float().mean(), (before.abs() < 1e-6).float().mean(), (output == 0).float().mean()]
        weights_0, merged_0, output_0 = (f"about {round(share.item(), 1):.0%}" for share in shares)
    return {
        "weights set to 0 in training": weights_0,
        "the other weights": f"{factors.mean().item():.2f} times as large" if alike else "not all scaled alike",
        "the output is made of these weights": follows,
        "merged heads set to 0": merged_0,
        "output set to 0": output_0,
        "two calls are the same in training": agree_in_training,
        "two calls are the same in eval": agree_in_eval,
    }


SIZES_FIT = """if d_model % num_heads != 0:
            raise ValueError(
                "d_model must be a multiple of num_heads, "
                f"and {d_model} is not one of {num_heads}"
            )"""

WIDE_LAYERS = """self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)"""

SPLITS = """q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)"""

SCORES = "attention_scores(q, k)"
WEIGHTS = f"attention_weights({SCORES}, mask)"
DROPPED = f"weights = self.dropout({WEIGHTS})"
OUTPUT = "output = self.w_o(merge_heads(weights @ v))"
FROM_WEIGHTS_ON = f"""{DROPPED}
        # (batch, num_heads, seq_q, seq_k) @ (batch, num_heads, seq_k, d_head)
        # -> (batch, num_heads, seq_q, d_head) -> (batch, seq_q, d_model)
        {OUTPUT}"""


def split_by(how: str) -> str:
    """The three splits, done by `how`: an expression of the projected `y` and `num_heads`."""
    return "\n        ".join(
        f"{name} = (lambda y, num_heads: {how})(self.w_{name}({x}), self.num_heads)"
        for name, x in (("q", "query"), ("k", "key"), ("v", "value"))
    )


VIEW_ALONE = "y.reshape(len(y), num_heads, y.shape[1], y.shape[2] // num_heads)"
EVERY_NTH = "y.unflatten(-1, (-1, num_heads)).permute(0, 3, 1, 2)"
BLOCKED = "(torch.zeros((), dtype=torch.bool) if mask is None else ~mask)"


def layers(queries: str, keys: str, values: str) -> str:
    """The lines that make queries, keys and values, each with a layer of this name."""
    made = zip("qkv", (queries, keys, values), ("query", "key", "value"), strict=True)
    lines = (f"{name} = split_heads(self.{layer}({of}), self.num_heads)" for name, layer, of in made)
    return "\n        ".join(lines)


PROJECTED = layers("w_q", "w_k", "w_v")

EXERCISE = Exercise(
    name="MultiHeadAttention",
    returns=("output", "weights"),
    milestones={
        "w_q": "the queries",
        "w_k": "the keys",
        "w_v": "the values",
        "q": "the queries split into heads",
        "k": "the keys split into heads",
        "v": "the values split into heads",
        "attention_scores": "the scores",
        "attention_weights": "the weights before dropout",
        "matmul": "the outputs of the heads",
        "merge_heads": "the outputs of the heads side by side",
    },
    optional_milestones=("attention_scores",),
    cases=(
        Case("self-attention without a mask", self_attention),
        Case("cross-attention, no value given", cross_attention),
        Case("key and value of their own, and a mask (seq_q, seq_k)", key_and_value_of_their_own),
        Case(
            "self-attention with a mask (batch, 1, 1, seq), and a sentence in which all is blocked",
            padding_and_an_empty_sentence,
        ),
        Case("a mask of its own for each head, and a word that attends to nothing in one head", masks_of_the_heads),
        Case("a single head, and sentences of a single word", one_head_on_one_word),
        Case("a d_model that num_heads does not divide", heads_that_do_not_fit),
        Case("dropout in training mode", dropout_in_training),
    ),
    misconceptions=(
        # the layers
        families.without_biases(
            WIDE_LAYERS,
            "Some models do without them, but here each of the four projections has a bias, as nn.Linear makes it.",
        ),
        Misconception(
            "made the projections as wide as one head",
            replace=WIDE_LAYERS,
            by=WIDE_LAYERS.replace("(d_model, d_model)", "(d_model, d_model // num_heads)", 3),
            hint="That is room for the queries of one head. Each of the three projections serves all heads at once.",
            check="shapes",
        ),
        Misconception(
            "made one layer for queries, keys and values together",
            replace=WIDE_LAYERS,
            by="self.w_qkv = nn.Linear(d_model, 3 * d_model)\n        self.w_o = nn.Linear(d_model, d_model)",
            hint="torch's own layer does that, and it computes the same. But this layer has three, so that queries "
            "and keys may come from different sentences: w_q, w_k and w_v.",
            check="shapes",
        ),
        Misconception(
            "gave the layers other names",
            replace=WIDE_LAYERS,
            by=WIDE_LAYERS.replace("w_q", "query_layer").replace("w_k", "key_layer").replace("w_v", "value_layer"),
            hint="Trained weights are loaded by name, so names are part of the task: w_q, w_k, w_v and w_o.",
            check="shapes",
        ),
        Misconception(
            "made no output projection",
            replace=WIDE_LAYERS,
            by="\n        ".join(WIDE_LAYERS.split("\n        ")[:3]),
            hint="Merged heads are only side by side. A fourth layer, w_o, lets what they found be combined.",
            check="shapes",
        ),
        Misconception(
            "let keys share the queries' layer",
            replace="self.w_k = nn.Linear(d_model, d_model)",
            by="self.w_k = self.w_q",
            hint="Two names for one layer: queries and keys can never become different. Each role has a layer of its "
            "own.",
            check="shapes",
        ),
        Misconception(
            "raised no error for a d_model that num_heads does not divide",
            replace=SIZES_FIT,
            by="pass",
            hint="Such a layer is made without an error and fails later, with a message about shapes. Raise the "
            "error where the mistake is: a ValueError in __init__.",
        ),
        Misconception(
            "used assert for a d_model that num_heads does not divide",
            replace=SIZES_FIT,
            by="assert d_model % num_heads == 0",
            hint="An assert raises AssertionError, and is left out when Python runs with -O. The caller expects a "
            "ValueError: raise one.",
            shown_by=("assert",),
        ),
        # from the inputs to the heads
        families.mask_forgotten(WEIGHTS, "One of your functions wants to know the mask."),
        Misconception(
            "made an output projection and did not use it",
            replace="self.w_o(merge_heads(weights @ v))",
            by="merge_heads(weights @ v)",
            hint="The heads are only side by side: nothing has combined what they found. w_o is there but never used.",
        ),
        Misconception(
            "took the query where no value is given",
            replace="value = key",
            by="value = query",
            hint="Values belong to the words that are looked at: there must be one for each key. Without a value, "
            "the values come from key.",
            check="shapes",
        ),
        Misconception(
            "forgot to scale",
            replace=SCORES,
            by="q @ k.transpose(-2, -1)",
            hint="Your weights are too sharp. You have a function that computes scores and divides them by √d_head.",
        ),
        Misconception(
            "used no dropout",
            replace=DROPPED,
            by=f"weights = {WEIGHTS}",
            hint="In training mode a share of the weights must be set to 0 at random. (A dropout layer that is made "
            "in __init__ does nothing until forward calls it.)",
        ),
        Misconception(
            "kept dropout on in eval mode",
            shown_by=("no forward: Dropout",),
            replace=DROPPED,
            by=f"weights = nn.functional.dropout({WEIGHTS}, self.dropout.p)",
            hint="A trained layer must give the same answer every time. (nn.functional.dropout drops always unless it "
            "is told otherwise; a module nn.Dropout knows by itself which mode it is in.)",
        ),
        Misconception(
            "split with a view and no transpose",
            replace=SPLITS,
            by=split_by(VIEW_ALONE),
            hint="The shapes are right and each head gets some of the words instead of some of the features. Use your "
            "split_heads.",
        ),
        Misconception(
            "merged without transposing back",
            replace="merge_heads(weights @ v)",
            by="(weights @ v).reshape(query.shape)",
            hint="The shape is right and the words are mixed up. Use your merge_heads.",
        ),
        families.mask_inverted(
            WEIGHTS, here='nn.MultiheadAttention wants masks that way; here True means "may attend" from start to end.'
        ),
        Misconception(
            "split with a view alone and merged with a view alone",
            replace=SPLITS,
            by=split_by(VIEW_ALONE) + "\n        merge_heads = lambda heads: heads.reshape(query.shape)",
            hint="The two undo each other, but with attention between them each head sees some of the words only. "
            "Use your split_heads and merge_heads.",
        ),
        Misconception(
            "interleaved the heads",
            replace=SPLITS,
            by=split_by(EVERY_NTH),
            hint="Head 0 gets every num_heads-th feature. It should get the first d_head features, which lie side by "
            "side. Use your split_heads.",
        ),
        Misconception(
            "interleaved the heads from start to end",
            replace=SPLITS,
            by=split_by(EVERY_NTH) + "\n        merge_heads = lambda heads: heads.permute(0, 2, 3, 1).flatten(2)",
            hint="Such a layer could learn as well as ours. But head 0 would own every num_heads-th feature instead "
            "of the first d_head ones, and weights trained elsewhere would not fit. Use split_heads and merge_heads.",
        ),
        Misconception(
            "did not split the heads",
            replace=SPLITS,
            by="q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)\n        merge_heads = lambda heads: heads",
            hint="That is one head as wide as the whole layer. Split queries, keys and values before you compare them.",
            check="shapes",
        ),
        Misconception(
            "split into d_head heads",
            replace=SPLITS,
            by=SPLITS.replace("self.num_heads", "self.w_q.in_features // self.num_heads"),
            hint="Number and width of the heads have changed places. split_heads takes the number of heads.",
            check="shapes",
        ),
        Misconception(
            "gave a projection heads where it needs whole words",
            replace="self.w_o(merge_heads(weights @ v))",
            by="merge_heads(self.w_o(weights @ v))",
            hint="All four layers take whole words, d_model wide. So inputs are projected before they are split, "
            "and heads are merged before w_o.",
            check="shapes",
        ),
        Misconception(
            "made the keys from the query, whatever key was given",
            replace="self.w_k(key)",
            by="self.w_k(query)",
            hint="That is the same in self-attention only. In cross-attention the keys come from key.",
            check="shapes",
        ),
        Misconception(
            "made keys and values from the query, whatever was given",
            replace=SPLITS,
            by=SPLITS.replace("(key)", "(query)").replace("(value)", "(query)"),
            hint="That is self-attention only. If key and value are given, keys and values come from there.",
            check="shapes",
        ),
        Misconception(
            "made the values from key, whatever value was given",
            replace="self.w_v(value)",
            by="self.w_v(key)",
            hint="Mostly key and value are the same sentence, but they need not be. If value is given, values come "
            "from there.",
        ),
        Misconception(
            "swapped key and value",
            replace=SPLITS,
            by=SPLITS.replace("(key)", "(both)").replace("(value)", "(key)").replace("(both)", "(value)"),
            hint="Keys are made from key and values from value. It shows only where the two differ.",
        ),
        Misconception(
            "did not handle a key that is left out",
            shown_by=("no key is None",),
            replace="if key is None:\n            key = query",
            by="pass",
            hint="layer(x) is self-attention: key is None then, and the keys come from the query. Fill it in before "
            "anything is computed.",
            check="shapes",
        ),
        Misconception(
            "swapped queries and keys",
            replace=SCORES,
            by="attention_scores(k, q)",
            hint="Now the keys ask and the queries answer: the scores are transposed. A row belongs to a query.",
            check="shapes",
        ),
        families.layers_exchanged("queries", "keys", PROJECTED, layers("w_k", "w_q", "w_v")),
        families.layers_exchanged("keys", "values", PROJECTED, layers("w_q", "w_v", "w_k")),
        families.layers_exchanged("queries", "values", PROJECTED, layers("w_v", "w_k", "w_q")),
        families.layer_never_used(
            "values",
            "used the keys as values",
            "split_heads(self.w_v(value), self.num_heads)",
            "k",
            then="What a word hands over need not be what it offers.",
        ),
        families.layer_never_used("keys", "made the keys with the queries' layer", "self.w_k(key)", "self.w_q(key)"),
        families.layer_never_used(
            "values", "made the values with the queries' layer", "self.w_v(value)", "self.w_q(value)"
        ),
        families.layer_never_used(
            "values", "made the values with the keys' layer", "self.w_v(value)", "self.w_k(value)"
        ),
        families.layer_never_used("values", "did not project the values", "self.w_v(value)", "value"),
        families.layer_never_used("keys", "did not project the keys", "self.w_k(key)", "key"),
        families.layer_never_used("queries", "did not project the queries", "self.w_q(query)", "query"),
        Misconception(
            "did not project the inputs",
            replace=SPLITS,
            by=SPLITS.replace("self.w_q(query)", "query")
            .replace("self.w_k(key)", "key")
            .replace("self.w_v(value)", "value"),
            hint="The layers are there but never used. Queries, keys and values are made by w_q, w_k and w_v.",
        ),
        # scores and weights
        Misconception(
            "scaled by √d_model",
            replace=SCORES,
            by="q @ k.transpose(-2, -1) / math.sqrt(query.shape[-1])",
            hint="Your weights are too even. A score is a sum over the d_head entries of one head, so that is the "
            "number that counts.",
        ),
        Misconception(
            "divided the scores by d_head in all, not by its square root",
            replace=SCORES,
            by=f"{SCORES} / math.sqrt(q.shape[-1])",
            hint="Your weights are too even. Scores are divided by √d_head once, and attention_scores does so by "
            "itself.",
        ),
        Misconception(
            "ran softmax over the queries",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -math.inf).softmax(dim=-2).nan_to_num(0.0)",
            hint="Your columns sum to 1, your rows do not. Each query shares out a weight of 1 over the keys, the last "
            "dimension.",
        ),
        Misconception(
            "ran softmax over the heads",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -math.inf).softmax(dim=1).nan_to_num(0.0)",
            hint="The heads now compete with each other. Each head shares out a weight of 1 over the keys, the last "
            "dimension, by itself.",
        ),
        Misconception(
            "always blocked the future",
            replace=WEIGHTS,
            by=f"attention_weights({SCORES}, causal_mask(q.shape[2]) if mask is None and q.shape == k.shape else mask)",
            hint="Whether a layer is causal is up to the caller. Without a mask nothing is blocked.",
        ),
        Misconception(
            "applied the mask after softmax",
            replace=WEIGHTS,
            by=f"{SCORES}.softmax(dim=-1).masked_fill({BLOCKED}, 0.0)",
            hint="Blocked words get 0, but they took part in softmax and their share is lost: your rows sum to less "
            "than 1. Your attention_weights knows how.",
        ),
        Misconception(
            "masked with 0 instead of −∞",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, 0.0).softmax(dim=-1)",
            hint="e to the power of 0 is 1, so blocked words keep a share. Your attention_weights knows how.",
        ),
        Misconception(
            "masked with a large negative number instead of −∞",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -1e9).softmax(dim=-1)",
            hint="Where all is blocked, all scores are equal, and softmax gives each blocked word the same share. Your "
            "attention_weights makes zeros of such rows.",
        ),
        Misconception(
            "left NaN in rows where all is blocked",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -math.inf).softmax(dim=-1)",
            hint="Where all is blocked there is nothing to share out: that is 0 divided by 0, and NaN. Your "
            "attention_weights makes zeros of such rows.",
        ),
        Misconception(
            "put a dimension for the heads into every mask",
            replace=WEIGHTS,
            by=f"attention_weights({SCORES}, None if mask is None else mask.unsqueeze(1))",
            hint="That suits a mask (batch, seq_q, seq_k) and spoils all others. The masks of this course fit the "
            "scores (batch, num_heads, seq_q, seq_k) as they are: torch repeats what is missing.",
            check="shapes",
        ),
        # dropout
        Misconception(
            "dropped numbers before softmax instead of weights",
            replace=DROPPED,
            by=f"weights = attention_weights(self.dropout({SCORES}), mask)",
            hint="A score of 0 is an ordinary score, and softmax gives it a share: no weight becomes 0. Dropout "
            "comes after softmax.",
        ),
        Misconception(
            "dropped numbers of the output instead of weights",
            replace=FROM_WEIGHTS_ON,
            by=f"weights = {WEIGHTS}\n        output = self.dropout(self.w_o(merge_heads(weights @ v)))",
            hint="Many models do that as well, after the layer. Here it is the weights that are dropped, so that a "
            "head cannot rely on a single word.",
        ),
        Misconception(
            "dropped numbers of the merged heads instead of weights",
            replace=FROM_WEIGHTS_ON,
            by=f"weights = {WEIGHTS}\n        output = self.w_o(self.dropout(merge_heads(weights @ v)))",
            hint="Here it is the weights that are dropped, between softmax and the average, so that a head cannot "
            "rely on a single word.",
        ),
        Misconception(
            "returned weights that are not those that made the output",
            replace="return output, weights",
            by=f"return output, {WEIGHTS}",
            hint="In training mode, too, the output is made of the weights and the values. Drop weights once, after "
            "softmax; then average with them and return them.",
        ),
        Misconception(
            "dropped the returned weights and not those that made the output",
            replace=FROM_WEIGHTS_ON,
            by=f"weights = {WEIGHTS}\n        {OUTPUT}\n        weights = self.dropout(weights)",
            hint="Dropout has to come before the average: what is dropped must be missing from the output too.",
        ),
        Misconception(
            "kept the share that should be dropped",
            replace="nn.Dropout(dropout)",
            by="nn.Dropout(1 - dropout)",
            hint="dropout is the share that is set to 0. nn.Dropout takes just that.",
        ),
        Misconception(
            "did not scale up the weights that are kept",
            replace=DROPPED,
            by=f"weights = {WEIGHTS}\n        if self.training:\n"
            "            weights = weights * (torch.rand_like(weights) >= self.dropout.p)",
            hint="Setting weights to 0 makes them smaller on average. Those that remain are divided by 1 − dropout "
            "to make up for it; nn.Dropout does that by itself.",
        ),
        # from the heads to the output
        Misconception(
            "merged with view what was transposed",
            replace="merge_heads(weights @ v)",
            by="(weights @ v).transpose(1, 2).view(query.shape)",
            hint="After transpose the numbers of a row do not lie side by side in memory, and view copies nothing. Use "
            "your merge_heads.",
            check="shapes",
        ),
        Misconception(
            "transposed the weights",
            replace="merge_heads(weights @ v)",
            by="merge_heads(weights.transpose(-2, -1) @ v)",
            hint="A row of weights belongs to a query and is as long as there are values. It meets the values as it "
            "is.",
            check="shapes",
        ),
        Misconception(
            "averaged the heads instead of merging them",
            replace="merge_heads(weights @ v)",
            by="(weights @ v).mean(dim=1)",
            hint="An average mixes what the heads found and is only d_head wide. They are put side by side.",
            check="shapes",
        ),
        families.added_back("the query", OUTPUT, f"{OUTPUT} + query", around="the layer"),
        Misconception(
            "averaged the weights over the heads",
            replace="return output, weights",
            by="return output, weights.mean(dim=1)",
            hint="torch's own layer does that unless it is told not to. Return each head's weights, so that you can "
            "see what each looks at.",
            check="shapes",
        ),
        *families.output_and_weights("return output, weights", "return output", "return weights, output"),
        Misconception(
            "returned the scores instead of the weights",
            replace="return output, weights",
            by=f"return output, {SCORES}",
            hint="The output is right. But the second thing to return is the weights, whose rows sum to 1.",
        ),
        families.gradient_cut_off("return output, weights", "return output.detach(), weights.detach()"),
        Misconception(
            "filled in the value before the key",
            replace="if key is None:\n            key = query\n        if value is None:\n            value = key",
            by="if value is None:\n            value = key\n        if key is None:\n            key = query",
            hint="In self-attention both are left out. Then the key is None when the value is taken from it. First "
            "the key, then the value.",
            check="shapes",
            shown_by=("key is None",),
        ),
        families.asked_whether_true("the key is", "if key is None:", "if not key:", "if not|if name|or"),
        Misconception(
            "asked whether d_model divides num_heads",
            replace="if d_model % num_heads != 0:",
            by="if num_heads % d_model != 0:",
            hint="Nearly all numbers are refused now. The features are shared out among the heads, so it is num_heads "
            "that must divide d_model.",
            check="shapes",
        ),
        Misconception(
            "gave head_width the two numbers in the wrong order",
            replace=SIZES_FIT,
            by="head_width(num_heads, d_model)",
            hint="head_width takes the length of a word's vector first, then the number of heads.",
            check="shapes",
            shown_by=("head_width",),
        ),
        Misconception(
            "split the keys by the number of queries",
            replace="k = split_heads(self.w_k(key), self.num_heads)",
            by="k = self.w_k(key).view("
            "len(query), query.shape[1], self.num_heads, query.shape[2] // self.num_heads).transpose(1, 2)",
            hint="In cross-attention there may be more or fewer keys than queries. The keys' own shape says how many "
            "there are.",
            check="shapes",
        ),
        Misconception(
            "made a new dropout layer at each call",
            replace=DROPPED,
            by=f"weights = nn.Dropout(self.dropout.p)({WEIGHTS})",
            hint="A new module always starts in training mode, so this one drops weights in eval mode too. Make it "
            "in __init__: then eval() and train() set its mode.",
            shown_by=("forward: Dropout",),
        ),
        Misconception(
            "scaled by √num_heads",
            replace=SCORES,
            by="q @ k.transpose(-2, -1) / math.sqrt(self.num_heads)",
            hint="How many heads there are has nothing to do with how large a score is. A score is a sum over the "
            "d_head entries of one head, so that is the number that counts.",
        ),
        Misconception(
            "set the output to 0 where a word may attend to nothing",
            replace="return output, weights",
            by="""if mask is not None:
            sees = mask.expand(weights.shape).any(dim=-1).any(dim=1)
            output = output.masked_fill(~sees.unsqueeze(-1), 0.0)
        return output, weights""",
            hint="Its heads find nothing: what they hand over is 0, and that comes before w_o. The output is then what "
            "w_o makes of zeros: its bias.",
        ),
        Misconception(
            "scaled the rows to the sum 1 again after dropout",
            replace=DROPPED,
            by=f"{DROPPED}\n        weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-9)",
            hint="Dropout has divided the weights that are kept already, so that a row sums to 1 on average. It need "
            "not in each call: leave what dropout returns as it is.",
        ),
    ),
    alternatives=(
        Alternative(
            "attention, and dropout as a function that is told the mode",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("no")
        self.num_heads, self.p = num_heads, dropout
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)
        q, k, v = (split_heads(y, self.num_heads) for y in (q, k, v))
        _, weights = attention(q, k, v, mask)
        weights = nn.functional.dropout(weights, p=self.p, training=self.training)
        return self.w_o(merge_heads(weights @ v)), weights
""",
        ),
        Alternative(
            "einsum throughout",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_head = head_width(d_model, num_heads)
        self.num_heads = num_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(p=dropout)

    def forward(self, query, key=None, value=None, mask=None):
        if key is None: key = query
        if value is None: value = key
        q = self.w_q(query).reshape(*query.shape[:2], self.num_heads, self.d_head)
        k = self.w_k(key).reshape(*key.shape[:2], self.num_heads, self.d_head)
        v = self.w_v(value).reshape(*value.shape[:2], self.num_heads, self.d_head)
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(self.d_head)
        if mask is not None:
            scores = scores.masked_fill(mask.logical_not(), float("-inf"))
        weights = self.drop(torch.softmax(scores, dim=-1).nan_to_num(0.0))
        heads = torch.einsum("bhqk,bkhd->bqhd", weights, v)
        return self.w_o(heads.flatten(2)), weights
""",
        ),
        Alternative(
            "one product for queries, keys and values where they come from the same words",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        super().__init__()
        self.num_heads = num_heads
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        layers = (self.w_q, self.w_k, self.w_v)
        if key is None and value is None:
            weight, bias = torch.cat([l.weight for l in layers]), torch.cat([l.bias for l in layers])
            q, k, v = nn.functional.linear(query, weight, bias).chunk(3, dim=-1)
        else:
            key = query if key is None else key
            q, k, v = self.w_q(query), self.w_k(key), self.w_v(key if value is None else value)
        q, k, v = split_heads(q, self.num_heads), split_heads(k, self.num_heads), split_heads(v, self.num_heads)
        weights = self.dropout(attention_weights(attention_scores(q, k), mask))
        return self.w_o(merge_heads(torch.matmul(weights, v))), weights
""",
        ),
        Alternative(
            "a loop over chunks",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        self.heads = num_heads
        for name in ("w_q", "w_k", "w_v", "w_o"):
            setattr(self, name, nn.Linear(d_model, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        parts = [layer(x).chunk(self.heads, dim=-1) for layer, x in
                 ((self.w_q, query), (self.w_k, key), (self.w_v, value))]
        if mask is not None:
            mask = mask.expand(query.shape[0], self.heads, query.shape[1], key.shape[1])
        outputs, all_weights = [], []
        for head, (q, k, v) in enumerate(zip(*parts)):
            weights = attention_weights(attention_scores(q, k), None if mask is None else mask[:, head])
            weights = self.dropout(weights)
            outputs.append(weights @ v)
            all_weights.append(weights)
        return self.w_o(torch.cat(outputs, dim=-1)), torch.stack(all_weights, dim=1)
""",
        ),
        Alternative(
            "einops",
            """
from einops import rearrange

class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        self.num_heads = num_heads
        self.scale = (d_model // num_heads) ** -0.5
        self.w_q, self.w_k, self.w_v, self.w_o = [nn.Linear(d_model, d_model) for _ in range(4)]
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (rearrange(y, "b s (h d) -> b h s d", h=self.num_heads)
                   for y in (self.w_q(query), self.w_k(key), self.w_v(value)))
        scores = q @ rearrange(k, "b h s d -> b h d s") * self.scale
        weights = self.dropout(attention_weights(scores, mask))
        return self.w_o(rearrange(weights @ v, "b h s d -> b s (h d)")), weights
""",
        ),
        Alternative(
            "heads folded into the batch, bmm",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.w_o = nn.Linear(d_model, d_model)
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def fold(self, y):
        # (batch, seq, d_model) -> (batch * num_heads, seq, d_head)
        batch, seq, _ = y.shape
        y = y.view(batch, seq, self.num_heads, self.d_head).permute(0, 2, 1, 3)
        return y.reshape(batch * self.num_heads, seq, self.d_head)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        batch, seq_q, d_model = query.shape
        q, k, v = self.fold(self.w_q(query)), self.fold(self.w_k(key)), self.fold(self.w_v(value))
        scores = torch.bmm(q, k.transpose(1, 2)) / self.d_head**0.5
        scores = scores.view(batch, self.num_heads, seq_q, -1)
        if mask is not None:
            scores = torch.where(mask, scores, -math.inf)
        weights = scores.softmax(dim=-1)
        if mask is not None:
            weights = torch.where(mask, weights, 0.0)
        weights = self.dropout(weights)
        heads = torch.bmm(weights.flatten(0, 1), v)
        heads = heads.view(batch, self.num_heads, seq_q, self.d_head).transpose(1, 2).contiguous()
        return self.w_o(heads.view(batch, seq_q, d_model)), weights
""",
        ),
    ),
    builds_on=("split_heads", "merge_heads"),
    probe=layer_or_what_it_does,
    forbids=FORBIDS,
    exact_zeros=True,
)
