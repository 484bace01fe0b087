"""`GroupedQueryAttention`: self-attention in which groups of heads share keys and values."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, draw_groups


def layer_call(draw: Draw, kv_heads: int = 3, mask: str = "none") -> Call:
    """Draw a layer and its input; `mask`: none, causal or padding."""
    num_heads, num_kv_heads, d_head, batch, seq = draw_groups(draw, "seq", kv_heads)
    d_model = num_heads * d_head
    state = {}
    for name, width in (("w_q", d_model), ("w_k", num_kv_heads * d_head), ("w_v", num_kv_heads * d_head)):
        state |= draw.linear(name, width, d_model)
    state |= draw.linear("w_o", d_model, d_model)
    masks = {
        "none": None,
        "causal": torch.ones(seq, seq, dtype=torch.bool).tril(),
        "padding": draw.mask(batch, 1, 1, seq),
    }
    return Call(
        {"x": draw.normal(batch, seq, d_model), "mask": masks[mask]},
        init={"d_model": d_model, "num_heads": num_heads, "num_kv_heads": num_kv_heads},
        state=state,
    )


def sizes_that_do_not_fit(draw: Draw, heads: bool) -> Call:
    """Sizes of which num_heads does not divide d_model, or num_kv_heads does not divide num_heads."""
    num_heads = 6
    if heads:
        return Call({"d_model": num_heads * 4 + draw.integer(1, 5), "num_heads": num_heads, "num_kv_heads": 3})
    return Call({"d_model": num_heads * 4 * draw.integer(1, 3), "num_heads": num_heads, "num_kv_heads": 4})


def layer_and_its_heads(layer, *inputs):
    """Return the output, and what the layer says of its heads. Given the class: what it says to such sizes."""
    if isinstance(layer, type):
        try:
            layer(*inputs)
        except Exception as error:
            return f"raises {type(error).__name__}"
        return "raises nothing"
    return layer(*inputs), *(
        getattr(layer, name, "there is no such attribute") for name in ("num_heads", "num_kv_heads")
    )


ERROR_HEADS = """if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide d_model {d_model}")"""
ERROR_GROUPS = """if num_heads % num_kv_heads != 0:
            raise ValueError(
                f"{num_kv_heads} heads of keys do not divide {num_heads} heads"
            )"""
LAYERS = """self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, num_kv_heads * d_head)
        self.w_v = nn.Linear(d_model, num_kv_heads * d_head)
        self.w_o = nn.Linear(d_model, d_model)"""
ATTEND = "attention(q, repeat_heads(k, times), repeat_heads(v, times), mask)"
ATTRIBUTES = """self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads"""


def attending(name: str, by: str, hint: str, check: str = "outputs", shown_by: tuple[str, ...] = ()) -> Misconception:
    return Misconception(name, replace=ATTEND, by=by, hint=hint, check=check, shown_by=shown_by)


EXERCISE = Exercise(
    name="GroupedQueryAttention",
    returns=("output", "num_heads", "num_kv_heads"),
    milestones={
        "w_q": "the queries",
        "w_k": "the keys",
        "w_v": "the values",
        "q": "the queries split into heads",
        "k": "the keys split into heads",
        "v": "the values split into heads",
        "repeat_heads": "the keys, repeated for each head",
        "repeat_heads.2": "the values, repeated for each head",
        "heads": "the outputs of the heads",
        "merge_heads": "the outputs of the heads side by side",
    },
    optional_milestones=("q", "k", "v", "repeat_heads", "heads"),
    cases=(
        Case("groups of heads, without a mask", layer_call),
        Case("one head of keys and values for all, causal", lambda draw: layer_call(draw, kv_heads=1, mask="causal")),
        Case("each head with keys and values of its own", lambda draw: layer_call(draw, kv_heads=6, mask="padding")),
        Case("a d_model that num_heads does not divide", lambda draw: sizes_that_do_not_fit(draw, heads=True)),
        Case("a num_heads that num_kv_heads does not divide", lambda draw: sizes_that_do_not_fit(draw, heads=False)),
    ),
    misconceptions=(
        # the layers
        Misconception(
            "made keys and values for all heads",
            replace=LAYERS,
            by=LAYERS.replace("num_kv_heads * d_head", "d_model"),
            hint="That is chapter 4's layer. w_k and w_v make num_kv_heads heads only, each d_head wide: that is what "
            "is saved.",
            check="shapes",
        ),
        Misconception(
            "made w_k and w_v one head wide",
            replace=LAYERS,
            by=LAYERS.replace("num_kv_heads * d_head", "d_head"),
            hint="That is room for a single head. There are num_kv_heads of them.",
            check="shapes",
        ),
        Misconception(
            "made w_k and w_v as wide as there are heads",
            replace=LAYERS,
            by=LAYERS.replace("num_kv_heads * d_head", "num_kv_heads"),
            hint="Each head of keys is d_head numbers wide, so the layer makes num_kv_heads · d_head of them.",
            check="shapes",
        ),
        Misconception(
            "made w_q narrower, too",
            replace=LAYERS,
            by=LAYERS.replace("w_q = nn.Linear(d_model, d_model)", "w_q = nn.Linear(d_model, num_kv_heads * d_head)"),
            hint="All heads keep their own queries. Only keys and values are shared.",
            check="shapes",
        ),
        families.without_biases(
            LAYERS, "Some models do without them, but here each of the four layers has a bias, as nn.Linear makes it."
        ),
        Misconception(
            "shared the values' layer with the keys",
            replace="self.w_v = nn.Linear(d_model, num_kv_heads * d_head)",
            by="self.w_v = self.w_k",
            hint="Heads share keys with heads, and values with heads. Keys and values are still two things, each with "
            "a layer of its own.",
            check="shapes",
        ),
        Misconception(
            "made no output projection",
            replace="\n        self.w_o = nn.Linear(d_model, d_model)",
            by="\n        self.w_o = nn.Identity()",
            hint="The heads are only side by side. A fourth layer, w_o, combines what they found.",
            check="shapes",
        ),
        Misconception(
            "raised no error for a d_model that num_heads does not divide",
            replace=ERROR_HEADS,
            by="pass",
            hint="Such a layer is made without an error and fails later, with a message about shapes. Raise a "
            "ValueError in __init__.",
        ),
        Misconception(
            "raised no error for a num_heads that num_kv_heads does not divide",
            replace=ERROR_GROUPS,
            by="pass",
            hint="6 heads cannot be shared out evenly among 4 heads of keys. Say so with a ValueError in __init__.",
        ),
        Misconception(
            "used assert for sizes that do not fit",
            replace=f"{ERROR_HEADS}\n        {ERROR_GROUPS}",
            by="assert d_model % num_heads == 0 and num_heads % num_kv_heads == 0",
            hint="An assert raises AssertionError, and is left out when Python runs with -O. The caller expects a "
            "ValueError: raise one.",
            shown_by=("assert",),
        ),
        Misconception(
            "kept the numbers of heads under other names",
            replace=ATTRIBUTES,
            by="self.heads = num_heads\n        self.kv_heads = num_kv_heads\n"
            "        num_heads = lambda self: self.heads\n"
            "        type(self).num_heads = property(num_heads)\n"
            "        type(self).num_kv_heads = property(lambda self: self.kv_heads)\n"
            "        del type(self).num_heads, type(self).num_kv_heads",
            hint="What comes next asks the layer for num_heads and num_kv_heads. Names are part of the task.",
            check="shapes",
        ),
        # from the input to the heads
        attending(
            "repeated all heads one after the other",
            "attention(q, k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1), mask)",
            "Neighbouring heads look at different keys: 0, 1, 0, 1. A group lies side by side: 0, 0, 0, 1, 1, 1. Use "
            "your repeat_heads.",
        ),
        attending(
            "repeated the values' heads another way than the keys'",
            "attention(q, repeat_heads(k, times), v.repeat(1, times, 1, 1), mask)",
            "Heads compare with one head's keys and take another's values. Both are repeated alike.",
        ),
        attending(
            "used the first head of keys and values for all",
            "attention(q, k[:, :1], v[:, :1], mask)",
            "All groups look at head 0. That is right only if there is one head of keys.",
        ),
        attending(
            "took the mean of the heads of keys and values",
            "attention(q, k.mean(1, keepdim=True), v.mean(1, keepdim=True), mask)",
            "The mean is for converting a trained layer, group by group. Here each group uses its own head as it is.",
        ),
        attending(
            "took keys for values",
            "attention(q, repeat_heads(k, times), repeat_heads(k, times), mask)",
            "w_v is there and never used. What a word hands over are its values.",
        ),
        attending(
            "swapped keys and values",
            "attention(q, repeat_heads(v, times), repeat_heads(k, times), mask)",
            "Queries are compared with keys, and what comes out is an average of values.",
        ),
        families.mask_forgotten(ATTEND, "Pass it to attention."),
        families.mask_inverted(ATTEND),
        attending(
            "always blocked the future",
            "attention(q, repeat_heads(k, times), repeat_heads(v, times), causal_mask(x.shape[1], x.device))",
            "What is blocked is up to the caller: the mask says it, and None blocks nothing.",
        ),
        Misconception(
            "did not repeat keys and values",
            replace=ATTEND,
            by="attention(q, k, v, mask)",
            hint="There are more heads of queries than of keys, and they do not fit. Each head of keys is for several "
            "heads of queries.",
            check="shapes",
        ),
        Misconception(
            "split keys and values into num_heads heads",
            replace="""k = split_heads(self.w_k(x), self.num_kv_heads)
        v = split_heads(self.w_v(x), self.num_kv_heads)""",
            by="""k = split_heads(self.w_k(x), self.num_heads)
        v = split_heads(self.w_v(x), self.num_heads)""",
            hint="w_k makes num_kv_heads heads, so that is how many to split them into. Yours are narrower than the "
            "queries.",
            check="shapes",
        ),
        Misconception(
            "repeated num_heads times",
            replace="times = self.num_heads // self.num_kv_heads",
            by="times = self.num_heads",
            hint="Each head of keys is for a group of heads, not for all: num_heads divided by num_kv_heads.",
            check="shapes",
        ),
        attending(
            "scaled a second time",
            "attention(q / math.sqrt(q.shape[-1]), repeat_heads(k, times), repeat_heads(v, times), mask)",
            "`attention` divides by √d_head itself. Twice makes the scores small, and all weights nearly alike.",
        ),
        # from the heads to the output
        Misconception(
            "forgot w_o",
            replace="self.w_o(merge_heads(heads))",
            by="merge_heads(heads)",
            hint="The heads are side by side and never meet. The last projection, w_o, combines them.",
        ),
        Misconception(
            "merged the heads with a reshape alone",
            replace="merge_heads(heads)",
            by="heads.reshape(x.shape)",
            hint="The shape is right, and words and heads are mixed up. Use your merge_heads.",
        ),
        Misconception(
            "returned the weights as well",
            replace="return self.w_o(merge_heads(heads))",
            by="return self.w_o(merge_heads(heads)), _",
            hint="Return one tensor: the output.",
            check="shapes",
        ),
        families.added_back(
            "the input", "self.w_o(merge_heads(heads))", "x + self.w_o(merge_heads(heads))", "the layer"
        ),
        Misconception(
            "took the two results of attention for one",
            replace="heads, _ = attention(",
            by="heads = attention(",
            hint="attention returns a pair: what the heads give, and their weights. You need the first.",
            check="shapes",
        ),
        Misconception(
            "repeated each head as often as there are heads of keys",
            replace="times = self.num_heads // self.num_kv_heads",
            by="times = self.num_kv_heads",
            hint="How many heads of queries share one head of keys? num_heads divided by num_kv_heads.",
            check="shapes",
        ),
        Misconception(
            "split the queries into num_kv_heads heads",
            replace="split_heads(self.w_q(x), self.num_heads)",
            by="split_heads(self.w_q(x), self.num_kv_heads)",
            hint="There are num_heads heads of queries, as in chapter 4. Only keys and values have fewer.",
            check="shapes",
        ),
        attending(
            "repeated single features instead of whole heads",
            """attention(
            q,
            split_heads(self.w_k(x).repeat_interleave(times, dim=-1), self.num_heads),
            split_heads(self.w_v(x).repeat_interleave(times, dim=-1), self.num_heads),
            mask,
        )""",
            "Each number of a key came several times in a row, so heads are made of a few features each. Split first, "
            "then repeat heads.",
        ),
        Misconception(
            "kept the size of a group as num_kv_heads",
            replace=ATTRIBUTES,
            by=f"""{ATTRIBUTES}
        groups = {{"num_kv_heads": num_heads // num_kv_heads}}
        heads = {{"num_kv_heads": num_kv_heads}}
        self.register_forward_pre_hook(lambda layer, given: vars(layer).update(heads))
        self.register_forward_hook(lambda layer, given, output: vars(layer).update(groups))""",
            hint="num_heads // num_kv_heads is how many heads share one. The attribute says how many heads of keys "
            "there are, as the argument does: what comes next asks for it.",
        ),
        attending(
            "divided a head's number by num_kv_heads instead of the size of a group",
            "attention(q, *(torch.stack([t[:, h // t.shape[1]] for h in range(q.shape[1])], 1) for t in (k, v)), mask)",
            "Head h belongs to group h // times, where times heads share one. By the number of heads of keys, groups "
            "get the wrong size.",
            check="shapes",
        ),
        Misconception(
            "divided the scores by the root of d_model instead of d_head",
            replace="q = split_heads(self.w_q(x), self.num_heads)",
            by="q = split_heads(self.w_q(x), self.num_heads) * self.num_heads**-0.5",
            hint="A score is a sum of d_head products, the width of one head. `attention` scales by that itself.",
        ),
        Misconception(
            "did not scale the scores",
            replace="q = split_heads(self.w_q(x), self.num_heads)",
            by="q = split_heads(self.w_q(x), self.num_heads) * (x.shape[-1] // self.num_heads) ** 0.5",
            hint="Scores are divided by the root of d_head before softmax. `attention` does that itself.",
        ),
        attending(
            "took softmax over the queries",
            """(
            (q @ repeat_heads(k, times).mT / math.sqrt(q.shape[-1]))
            .masked_fill(torch.tensor(False) if mask is None else ~mask, -1e9)
            .softmax(dim=-2)
            @ repeat_heads(v, times),
            None,
        )""",
            "For each word that looks, its weights on all words sum to 1: the last dimension. `attention` does that "
            "itself.",
        ),
        attending(
            "blocked the scores where the mask is True, with a large negative number",
            """(
            (q @ repeat_heads(k, times).mT / math.sqrt(q.shape[-1]))
            .masked_fill(torch.tensor(False) if mask is None else mask, -1e9)
            .softmax(dim=-1)
            @ repeat_heads(v, times),
            None,
        )""",
            'Your words look exactly where they may not. True means "may attend": block where the mask is False.',
        ),
        Misconception(
            "divided d_model by the number of heads of keys",
            replace=LAYERS,
            by=LAYERS.replace("num_kv_heads * d_head", "d_model // num_kv_heads"),
            hint="A head is d_model / num_heads wide, whoever shares it. w_k and w_v make num_kv_heads of them.",
            check="shapes",
        ),
        attending(
            "blocked the future where no mask is given",
            "attention(q, repeat_heads(k, times), repeat_heads(v, times), "
            "causal_mask(x.shape[1], x.device) if mask is None else mask)",
            "What is blocked is up to the caller: the mask says it, and None blocks nothing.",
        ),
        Misconception(
            "raised no error for numbers that do not divide",
            replace=f"{ERROR_HEADS}\n        {ERROR_GROUPS}",
            by="pass",
            hint="Such a layer is made without an error and fails later, with a message about shapes. Raise a "
            "ValueError in __init__ for either of the two.",
        ),
    ),
    alternatives=(
        Alternative(
            "scaled_dot_product_attention with enable_gqa",
            """
class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads):
        super().__init__()
        if d_model % num_heads or num_heads % num_kv_heads:
            raise ValueError(f"{d_model}, {num_heads} and {num_kv_heads} do not fit")
        self.num_heads, self.num_kv_heads, self.d_head = num_heads, num_kv_heads, d_model // num_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, num_kv_heads * self.d_head)
        self.w_v = nn.Linear(d_model, num_kv_heads * self.d_head)
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        batch, seq, _ = x.shape
        q = self.w_q(x).view(batch, seq, self.num_heads, self.d_head).transpose(1, 2)
        k = self.w_k(x).view(batch, seq, self.num_kv_heads, self.d_head).transpose(1, 2)
        v = self.w_v(x).view(batch, seq, self.num_kv_heads, self.d_head).transpose(1, 2)
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return self.w_o(heads.transpose(1, 2).flatten(2))
""",
        ),
        Alternative(
            "einsum over groups, nothing repeated",
            """
class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads):
        super().__init__()
        if d_model % num_heads != 0 or num_heads % num_kv_heads != 0:
            raise ValueError(f"d_model {d_model}, heads {num_heads}, heads of keys {num_kv_heads}")
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        width = d_model * num_kv_heads // num_heads
        self.w_q, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_k, self.w_v = nn.Linear(d_model, width), nn.Linear(d_model, width)

    def forward(self, x, mask=None):
        q = self.w_q(x).unflatten(-1, (self.num_kv_heads, self.num_heads // self.num_kv_heads, -1))
        k, v = (w(x).unflatten(-1, (self.num_kv_heads, -1)) for w in (self.w_k, self.w_v))
        scores = torch.einsum("bqgtd,bkgd->bgtqk", q, k) / q.shape[-1] ** 0.5
        if mask is not None:
            full = mask.expand(x.shape[0], self.num_heads, x.shape[1], x.shape[1])
            scores = scores.masked_fill(~full.unflatten(1, scores.shape[1:3]), float("-inf"))
        heads = torch.einsum("bgtqk,bkgd->bqgtd", scores.softmax(-1), v)
        return self.w_o(heads.flatten(2))
""",
        ),
        Alternative(
            "a loop over the heads",
            """
class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads):
        super().__init__()
        for whole, part in ((d_model, num_heads), (num_heads, num_kv_heads)):
            if whole % part:
                raise ValueError(f"{part} does not divide {whole}")
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        d_head = d_model // num_heads
        self.w_q = nn.Linear(d_model, num_heads * d_head)
        self.w_k = nn.Linear(d_model, num_kv_heads * d_head)
        self.w_v = nn.Linear(d_model, num_kv_heads * d_head)
        self.w_o = nn.Linear(num_heads * d_head, d_model)

    def forward(self, x, mask=None):
        queries = self.w_q(x).chunk(self.num_heads, dim=-1)
        keys, values = self.w_k(x).chunk(self.num_kv_heads, dim=-1), self.w_v(x).chunk(self.num_kv_heads, dim=-1)
        if mask is not None:
            mask = mask.expand(x.shape[0], self.num_heads, x.shape[1], x.shape[1])
        outputs = []
        for h, q in enumerate(queries):
            g = h * self.num_kv_heads // self.num_heads
            outputs.append(attention(q, keys[g], values[g], None if mask is None else mask[:, h])[0])
        return self.w_o(torch.cat(outputs, dim=-1))
""",
        ),
        Alternative(
            "expanded keys, scores by hand",
            """
class GroupedQueryAttention(nn.Module):
    def __init__(self, d_model, num_heads, num_kv_heads):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("num_heads must divide d_model")
        if num_heads % num_kv_heads != 0:
            raise ValueError("num_kv_heads must divide num_heads")
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model // num_heads * num_kv_heads)
        self.w_v = nn.Linear(d_model, d_model // num_heads * num_kv_heads)
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        def heads_of(y, count):
            y = split_heads(y, count)
            return y.repeat_interleave(self.num_heads // count, dim=1)

        q = heads_of(self.w_q(x), self.num_heads)
        k, v = (heads_of(w(x), self.num_kv_heads) for w in (self.w_k, self.w_v))
        scores = (q @ k.mT) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(mask.logical_not(), -torch.inf)
        return self.w_o(merge_heads(scores.softmax(dim=-1) @ v))
""",
        ),
    ),
    builds_on=("repeat_heads",),
    probe=layer_and_its_heads,
    forbids=FORBIDS,
)
