"""`FastMultiHeadAttention`: a module of many heads that never writes the scores down."""

from dataclasses import replace

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import (
    ALWAYS_CAUSAL,
    CAUSAL,
    LARGEST,
    META,
    NOT_CAUSAL_FOR_ONE_QUERY,
    causal_mask_on_the_cpu,
    causal_to_the_last_key,
    causal_to_the_last_of_more_keys,
    square_causal_mask,
)


def layer_call(
    draw: Draw,
    cross: bool = False,
    values: bool = False,
    masked: bool = False,
    causal: bool = False,
    single: bool = False,
    keys: str = "",
    dropout: float = 0.0,
    training: bool = False,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Call:
    """Draw a layer and its inputs; `keys`, with `cross`: more or fewer of them than queries, or as it comes."""
    (num_heads,) = draw.sizes("num_heads", low=3, high=4)  # of two heads, too many orders are right
    (d_head,) = draw.sizes("d_head", low=2, high=4)
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    batch, seq_q = draw.sizes("batch seq_q", low=2, high=LARGEST)
    if single:
        seq_q = 1
        draw.named(seq_q=seq_q)
    seq_k = draw.sizes("seq_k", low=2, high=LARGEST)[0] if cross else seq_q
    if keys:
        seq_q, seq_k = sorted((seq_q, seq_k), reverse=keys == "fewer")
        draw.named(seq_q=seq_q, seq_k=seq_k)
    query = draw.normal(batch, seq_q, d_model)
    key = draw.normal(batch, seq_k, d_model) if cross else None
    value = draw.normal(batch, seq_k, d_model) if values else None
    mask = draw.mask(batch, 1, 1, seq_k) if masked else None
    state = {}
    for name in ("w_q", "w_k", "w_v", "w_o"):
        state |= draw.linear(name, d_model, d_model)
    tensors = {"query": query, "key": key, "value": value}
    return Call(
        {
            **{name: None if part is None else part.to(device, dtype) for name, part in tensors.items()},
            "mask": mask,
            "is_causal": causal,
        },
        init={"d_model": d_model, "num_heads": num_heads, "dropout": dropout},
        state=state,
        training=training,
    )


def layer_on_blocked_words(draw: Draw) -> Call:
    """A mask (seq_q, seq_k) for all sentences and heads; one word may attend to nothing."""
    call = layer_call(draw, cross=True)
    query, key = call.inputs["query"], call.inputs["key"]
    assert isinstance(query, torch.Tensor)
    assert isinstance(key, torch.Tensor)
    mask = draw.mask(query.shape[1], key.shape[1])
    mask[draw.integer(0, len(mask) - 1)] = False
    return replace(call, inputs={**call.inputs, "mask": mask})


def quarter(draw: Draw) -> float:
    """A share of weights to drop that is not its own complement."""
    return draw.integer(10, 40) / 100


def layer_spied_on(layer, query, key, value, mask, is_causal):
    """Call the layer in the dtype and on the device of its input and, if this machine has a GPU, there too.

    With dropout in training mode the numbers depend on chance, and only the output's shape is reported.
    """
    import torch

    from manyheads.calling import pretend_hardware

    layer.to(device=query.device, dtype=query.dtype)
    inputs = (query, key, value, mask)
    with pretend_hardware.AttentionSpy() as spy:
        here = there = layer(*inputs, is_causal)
    if torch.cuda.is_available() and not query.is_meta:
        try:
            moved = [part if part is None else part.cuda() for part in inputs]
        except RuntimeError:  # a GPU that cannot be used is no fault of the learner's
            moved = None
        if moved is not None:
            there = layer.cuda()(*moved, is_causal)
    if layer.training and isinstance(here, torch.Tensor) and isinstance(there, torch.Tensor):
        here, there = here.to("meta"), there.to("meta")
    return here, there, bool(spy.dropouts), max(spy.dropouts, default=0.0)


CALL = """F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
        )"""
LAYERS = """self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)"""
SPLIT = """q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)"""


def layers(queries: str, keys: str, values: str) -> str:
    """The lines that make queries, keys and values, each with a layer of this name."""
    made = zip("qkv", (queries, keys, values), ("query", "key", "value"), strict=True)
    lines = (f"{name} = split_heads(self.{layer}({of}), self.num_heads)" for name, layer, of in made)
    return "\n        ".join(lines)


PROJECTED = layers("w_q", "w_k", "w_v")

EXERCISE = Exercise(
    name="FastMultiHeadAttention",
    keeps_dtype=True,
    returns=(
        "output",
        "output on a GPU",
        "use of scaled_dot_product_attention",
        "the dropout_p that scaled_dot_product_attention was given",
    ),
    milestones={
        "w_q": "the queries",
        "w_k": "the keys",
        "w_v": "the values",
        "q": "the queries split into heads",
        "k": "the keys split into heads",
        "v": "the values split into heads",
        "heads": "the outputs of the heads",
        "merge_heads": "the outputs of the heads side by side",
    },
    optional_milestones=("q", "k", "v", "heads", "merge_heads"),
    cases=(
        Case("self-attention", layer_call),
        Case("is_causal", lambda draw: layer_call(draw, causal=True)),
        Case(
            "is_causal, with more keys than queries",
            lambda draw: layer_call(draw, cross=True, causal=True, keys="more"),
        ),
        Case(
            "is_causal, with fewer keys than queries",
            lambda draw: layer_call(draw, cross=True, causal=True, keys="fewer"),
        ),
        Case("is_causal, with a single query", lambda draw: layer_call(draw, cross=True, causal=True, single=True)),
        Case("cross-attention, value left out", lambda draw: layer_call(draw, cross=True)),
        Case("key and value from different words", lambda draw: layer_call(draw, cross=True, values=True)),
        Case("a padding mask", lambda draw: layer_call(draw, masked=True)),
        Case("one mask for all sentences, and a word that may attend to nothing", layer_on_blocked_words),
        Case("dropout, in evaluation mode", lambda draw: layer_call(draw, dropout=quarter(draw))),
        Case("dropout, in training mode", lambda draw: layer_call(draw, dropout=quarter(draw), training=True)),
        Case("a layer in bfloat16", lambda draw: layer_call(draw, dtype=torch.bfloat16)),
        Case("another device, here the pretend device meta", lambda draw: layer_call(draw, causal=True, device=META)),
    ),
    misconceptions=(
        Misconception(
            "forgot w_o",
            replace="self.w_o(merge_heads(heads))",
            by="merge_heads(heads)",
            hint="The heads are side by side and never meet. The last projection, w_o, mixes them.",
        ),
        Misconception(
            "used dropout in evaluation mode",
            replace="self.dropout if self.training else 0.0",
            by="self.dropout",
            hint="The function drops weights whenever dropout_p is not 0: unlike nn.Dropout, it does not know about "
            "eval(). A module knows it, by self.training.",
        ),
        Misconception(
            "dropped numbers of the output instead of weights",
            replace=f"heads = {CALL}",
            by=f"heads = {CALL.replace('dropout_p=dropout, ', '')}\n        heads = F.dropout(heads, dropout)",
            hint="Many models do that as well, after the layer. Here it is the weights that are dropped. They never "
            "leave the function, so only it can do that: dropout_p.",
            shown_by=("forward: dropout()|Dropout()", "no dropout_p"),
        ),
        Misconception(
            "left dropout out",
            replace="dropout_p=dropout, ",
            by="",
            hint="In training mode a share of the weights is dropped. They never leave the function, so only it can "
            "do that: dropout_p. (self.dropout must be a number there, not an nn.Dropout.)",
        ),
        Misconception(
            "ignored the mask",
            replace="attn_mask=mask, ",
            by="",
            hint="Padding is still looked at. Pass the mask to the function that applies it.",
        ),
        Misconception(
            "inverted the mask",
            replace="attn_mask=mask",
            by="attn_mask=None if mask is None else ~mask",
            hint="Your words look exactly at the padding. nn.MultiheadAttention marks what is blocked, but "
            'scaled_dot_product_attention is like this course: True means "may attend".',
        ),
        Misconception(
            "ignored is_causal",
            replace=", is_causal=is_causal",
            by="",
            hint="Your words see the future though the caller said no. Pass is_causal on.",
        ),
        families.layer_never_used(
            "values", "made the values with the keys' layer", "self.w_v(value)", "self.w_k(value)"
        ),
        families.layers_exchanged("keys", "values", PROJECTED, layers("w_q", "w_v", "w_k")),
        families.layers_exchanged("queries", "keys", PROJECTED, layers("w_k", "w_q", "w_v")),
        Misconception(
            "merged the heads without putting the words first",
            replace="merge_heads(heads)",
            by="heads.reshape(query.shape)",
            hint="The shape is right and the numbers are in the wrong places: a word's row holds pieces of other "
            "words. The heads' dimension must be beside d_head before the two become one.",
        ),
        Misconception(
            "scaled the queries a second time",
            replace="q, k, v, attn_mask",
            by="q / q.shape[-1] ** 0.5, k, v, attn_mask",
            hint="Your weights are too even. The function divides by √d_head itself.",
        ),
        Misconception(
            "dropped only when not training",
            replace="self.dropout if self.training else 0.0",
            by="0.0 if self.training else self.dropout",
            hint="It is the other way round: dropout makes training harder, and is off when the layer is used.",
        ),
        Misconception(
            "gave the share to keep instead of the share to drop",
            replace="self.dropout if self.training else 0.0",
            by="1 - self.dropout if self.training else 0.0",
            hint="dropout_p is the share that is set to 0, as in nn.Dropout.",
        ),
        ALWAYS_CAUSAL,
        Misconception(
            "made keys and values from the query",
            replace="key = query if key is None else key",
            by="key = query",
            hint="In cross-attention the words of query look at other words. Only when key is None do they look at "
            "each other.",
            check="shapes",
        ),
        Misconception(
            "made the values from the query when value was left out",
            replace="value = key if value is None else value",
            by="value = query if value is None else value",
            hint="Keys and values belong to the same words: there must be as many of each. Without a value, the key's "
            "words serve.",
            check="shapes",
        ),
        families.layers_exchanged("queries", "values", PROJECTED, layers("w_v", "w_k", "w_q")),
        Misconception(
            "ignored value",
            replace="value = key if value is None else value",
            by="value = key",
            hint="The caller may give values of their own. Only when value is None do the key's words serve.",
        ),
        Misconception(
            "did not split the heads",
            replace=SPLIT,
            by="q, k, v = self.w_q(query)[:, None], self.w_k(key)[:, None], self.w_v(value)[:, None]",
            hint="That is a single head as wide as d_model, whatever num_heads says. Split q, k and v first.",
        ),
        Misconception(
            "let the heads attend to each other instead of the words",
            replace=SPLIT,
            by=SPLIT.replace("split_heads(", "torch.transpose(split_heads(").replace("num_heads)", "num_heads), 1, 2)"),
            hint="scaled_dot_product_attention takes (batch, num_heads, seq, d_head): the last two dimensions of q, "
            "k and v are words and features. With (batch, seq, num_heads, d_head) it takes heads for words.",
            check="shapes",
        ),
        families.layer_never_used("values", "used the keys as values", "q, k, v, attn_mask", "q, k, k, attn_mask"),
        families.layer_never_used("values", "did not project the values", "self.w_v(value)", "value"),
        families.layer_never_used("keys", "did not project the keys", "self.w_k(key)", "key"),
        families.layer_never_used("queries", "did not project the queries", "self.w_q(query)", "query"),
        families.layer_never_used("keys", "made the keys with the queries' layer", "self.w_k(key)", "self.w_q(key)"),
        Misconception(
            "returned the weights as well",
            replace="return self.w_o(merge_heads(heads))",
            by="return self.w_o(merge_heads(heads)), None",
            hint="The weights are never written down: that is what makes the layer fast. It returns the output alone.",
            check="shapes",
        ),
        Misconception(
            "computed attention in float32",
            replace="q, k, v, attn_mask",
            by="q.float(), k.float(), v.float(), attn_mask",
            hint="In a bfloat16 layer w_o expects bfloat16 numbers. Nothing here needs a dtype of its own: leave q, k "
            "and v as they are.",
            check="shapes",
        ),
        causal_mask_on_the_cpu(CALL, "The layer may lie on a GPU, and your mask does not."),
        Misconception(
            "used your own attention",
            replace=CALL,
            by=f"F.dropout(attention(q, k, v, {CAUSAL}.tril() if is_causal else mask)[0], dropout)",
            hint="That is the layer of the last chapter: it writes the score matrix down. Let "
            "scaled_dot_product_attention do it.",
        ),
        Misconception(
            "left out w_o's layer",
            replace=LAYERS,
            by=LAYERS.replace("\n        self.w_o = nn.Linear(d_model, d_model)", ""),
            hint="Four layers: for queries, keys, values, and one that mixes the heads' outputs. Names matter: "
            "trained weights are loaded by name.",
            check="shapes",
        ),
        families.without_biases(
            LAYERS, "The weights of your MultiHeadAttention should fit in here: its layers have a bias each."
        ),
        Misconception(
            "made one layer for queries, keys and values together",
            replace=LAYERS,
            by="self.w_qkv = nn.Linear(d_model, 3 * d_model)\n        self.w_o = nn.Linear(d_model, d_model)",
            hint="Many fast layers do this. But here the weights of your MultiHeadAttention must fit: w_q, w_k, w_v "
            "and w_o.",
            check="shapes",
        ),
        Misconception(
            "cut the gradient off",
            replace="return self.w_o(merge_heads(heads))",
            by="return self.w_o(merge_heads(heads)).detach()",
            hint="The numbers are right, and training could not change them. Something cuts torch's "
            "record of them off: detach, .data, numpy or no_grad, perhaps.",
        ),
        causal_to_the_last_key(CALL),
        causal_to_the_last_of_more_keys(CALL),
        NOT_CAUSAL_FOR_ONE_QUERY,
        square_causal_mask(CALL),
        Misconception(
            "gave dropout_p a layer instead of a number",
            replace="self.dropout if self.training else 0.0",
            by="nn.Dropout(self.dropout) if self.training else 0.0",
            hint="dropout_p is the share that is dropped, a number. An nn.Dropout layer drops by itself, and the "
            "function cannot ask it.",
            check="shapes",
        ),
        Misconception(
            "compared the words without splitting the heads",
            replace=SPLIT,
            by="q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)\n        merge_heads = lambda heads: heads",
            hint="That is a single head as wide as d_model, whatever num_heads says, and masks for the heads do not "
            "fit it. Split q, k and v first.",
            check="shapes",
        ),
        Misconception(
            "left the heads behind the words",
            replace=SPLIT,
            by="q, k, v = (\n"
            "            y.unflatten(-1, (self.num_heads, -1))\n"
            "            for y in (self.w_q(query), self.w_k(key), self.w_v(value))\n"
            "        )\n        merge_heads = lambda heads: heads.flatten(-2)",
            hint="scaled_dot_product_attention takes (batch, num_heads, seq, d_head): the last two dimensions of q, "
            "k and v are words and features. With (batch, seq, num_heads, d_head) the heads of a word attend to each "
            "other.",
            check="shapes",
        ),
        Misconception(
            "set the output to 0 where a word may attend to nothing",
            replace="return self.w_o(merge_heads(heads))",
            by="""output = self.w_o(merge_heads(heads))
        if mask is not None:
            sees = mask.expand(*heads.shape[:3], k.shape[-2]).any(dim=-1).any(dim=1)
            output = output.masked_fill(~sees.unsqueeze(-1), 0.0)
        return output""",
            hint="Its heads find nothing: what they hand over is 0, and that comes before w_o. The output is then what "
            "w_o makes of zeros: its bias.",
        ),
        families.asked_whether_true(
            "the key is", "if key is None else key", "if not key else key", "if not|if name|or"
        ),
        Misconception(
            "split with a view and no transpose",
            replace=SPLIT,
            by="q, k, v = (\n"
            "            y.reshape(len(y), self.num_heads, y.shape[1], -1)\n"
            "            for y in (self.w_q(query), self.w_k(key), self.w_v(value))\n"
            "        )",
            hint="The shapes are right and each head gets some of the words instead of some of the features. Use "
            "split_heads.",
        ),
        Misconception(
            "split with a view alone and merged with a view alone",
            replace=SPLIT,
            by="q, k, v = (\n"
            "            y.reshape(len(y), self.num_heads, y.shape[1], -1)\n"
            "            for y in (self.w_q(query), self.w_k(key), self.w_v(value))\n"
            "        )\n        merge_heads = lambda heads: heads.reshape(query.shape)",
            hint="The two undo each other, but with attention between them each head sees some of the words only. "
            "Use split_heads and merge_heads.",
        ),
        Misconception(
            "interleaved the heads",
            replace=SPLIT,
            by="q, k, v = (\n"
            "            y.unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)\n"
            "            for y in (self.w_q(query), self.w_k(key), self.w_v(value))\n"
            "        )",
            hint="Head 0 gets every num_heads-th feature. It should get the first d_head features, which lie side by "
            "side. Use split_heads.",
        ),
        families.layer_never_used(
            "values", "made the values with the queries' layer", "self.w_v(value)", "self.w_q(value)"
        ),
        Misconception(
            "made keys and values from the query, and used neither key nor value",
            replace=SPLIT,
            by=SPLIT.replace("(key)", "(query)").replace("(value)", "(query)"),
            hint="That is self-attention only. If key and value are given, keys and values come from there.",
            check="shapes",
        ),
        Misconception(
            "took the projected queries for keys, and those for values, where they were left out",
            replace=f"key = query if key is None else key\n        value = key if value is None else value\n        "
            f"# (batch, seq, d_model) -> (batch, num_heads, seq, d_head), three times\n        {PROJECTED}",
            by="""projected = self.w_q(query)
        keys = projected if key is None else self.w_k(key)
        values = keys if value is None else self.w_v(value)
        q, k, v = (split_heads(y, self.num_heads) for y in (projected, keys, values))""",
            hint="What is left out is given by the words, not by what a layer has made of them: w_k or w_v are never "
            "used then. Fill in the words first, and project afterwards.",
        ),
        Misconception(
            "took the query's length for the keys as well",
            replace=PROJECTED,
            by="q, k, v = (\n"
            "            y.view(len(query), query.shape[1], self.num_heads, -1).transpose(1, 2)\n"
            "            for y in (self.w_q(query), self.w_k(key), self.w_v(value))\n"
            "        )",
            hint="Keys and values have a length of their own, seq_k. Each is split by its own shape.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "one call for each head",
            """
class FastMultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (
            layer(words).chunk(self.num_heads, dim=-1)
            for layer, words in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        if mask is not None:
            mask = mask.expand(len(query), self.num_heads, query.shape[1], key.shape[1])
        heads = [
            F.scaled_dot_product_attention(
                q[h], k[h], v[h], None if mask is None else mask[:, h], self.dropout * self.training, is_causal
            )
            for h in range(self.num_heads)
        ]
        return self.w_o(torch.cat(heads, dim=-1))
""",
        ),
        Alternative(
            "view and transpose, one product for q, k and v",
            """
class FastMultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.drop = num_heads, nn.Dropout(dropout)
        for name in ("w_q", "w_k", "w_v", "w_o"):
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        key = query if key is None else key
        value = key if value is None else value

        def heads(layer, x):
            batch, seq, d_model = x.shape
            # (batch, seq, d_model) -> (batch, seq, num_heads, d_head) -> (batch, num_heads, seq, d_head)
            return layer(x).view(batch, seq, self.num_heads, d_model // self.num_heads).transpose(1, 2)

        q, k, v = heads(self.w_q, query), heads(self.w_k, key), heads(self.w_v, value)
        output = F.scaled_dot_product_attention(q, k, v, mask, self.drop.p if self.training else 0, is_causal)
        # (batch, num_heads, seq, d_head) -> (batch, seq, num_heads, d_head) -> (batch, seq, d_model)
        return self.w_o(output.transpose(1, 2).flatten(2))
""",
        ),
        Alternative(
            "a subclass of the last chapter's layer",
            """
class FastMultiHeadAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__(d_model, num_heads, dropout)
        self.share, self.count = dropout, num_heads

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        if key is None:
            key = query
        if value is None:
            value = key
        q, k, v = (
            split_heads(layer(x), self.count)
            for layer, x in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        share = self.share if self.training else 0.0
        return self.w_o(merge_heads(F.scaled_dot_product_attention(q, k, v, mask, share, is_causal)))
""",
        ),
        Alternative(
            "fast_attention outside of training",
            """
class FastMultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        key = query if key is None else key
        value = key if value is None else value
        q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)
        if self.training and self.dropout > 0:
            output = F.scaled_dot_product_attention(q, k, v, mask, self.dropout, is_causal)
        else:
            output = fast_attention(q, k, v, mask, is_causal)
        return self.w_o(merge_heads(output))
""",
        ),
    ),
    builds_on=("fast_attention",),
    probe=layer_spied_on,
)
