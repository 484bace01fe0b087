"""`attend_next`: a layer's output for new words, with the keys and values of old ones in a cache."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, draw_groups


def text_call(draw: Draw, news: str, kv_heads: int = 3) -> Call:
    """Draw a layer and a text that comes in pieces: `news` says how many words are new each time."""
    sizes = [int(new) for new in news.split()]
    if sizes[-1] > 1:
        draw.named(new=sizes[-1])
    if len(sizes) > 1:
        draw.named(total=sum(sizes))
    num_heads, num_kv_heads, d_head, batch = draw_groups(draw, kv_heads=kv_heads)
    d_model = num_heads * d_head
    widths = (d_model, num_kv_heads * d_head, num_kv_heads * d_head, d_model)
    return Call(
        {
            "pieces": [draw.normal(batch, new, d_model) for new in sizes],
            "num_heads": num_heads,
            "num_kv_heads": num_kv_heads,
            "weights": [draw.normal(width, d_model, scale=d_model**-0.5) for width in widths],
            "biases": [draw.normal(width, scale=0.5) for width in widths],
        }
    )


def written_in_pieces(target, pieces, num_heads, num_kv_heads, weights, biases):
    """Let the learner's function read a text piece by piece. Return its output for the last piece, and counts.

    The layer and the cache are made here, so that nothing depends on the learner's own.
    """
    import torch
    from torch import nn
    from torch.utils._python_dispatch import TorchDispatchMode

    class Cache:
        def __init__(self):
            self.k = self.v = None

        def append(self, k, v):
            self.k = k if self.k is None else torch.cat([self.k, k], dim=2)
            self.v = v if self.v is None else torch.cat([self.v, v], dim=2)
            return self.k, self.v

    class Layer(nn.Module):
        def __init__(self, d_model):
            super().__init__()
            self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
            self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, len(weight)) for weight in weights)

        def forward(self, x, mask=None):
            q, k, v = (linear(x).unflatten(-1, (-1, x.shape[-1] // num_heads)) for linear in self.three())
            k, v = (part.repeat_interleave(num_heads // num_kv_heads, dim=2) for part in (k, v))
            scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            return self.w_o(torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v).flatten(2))

        def three(self):
            return self.w_q, self.w_k, self.w_v

    class Rows(TorchDispatchMode):
        """Counts how many vectors are multiplied with each weight, however that is done."""

        def __init__(self, watched):
            super().__init__()
            self.watched = {weight.data_ptr(): name for name, weight in watched.items()}
            self.rows = dict.fromkeys(watched, 0)

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm):
                operands = args[-2:]
                for this, other in (operands, operands[::-1]):
                    name = self.watched.get(this.data_ptr())
                    if name is not None:
                        self.rows[name] += other.numel() // pieces[0].shape[-1]
            return func(*args, **(kwargs or {}))

    layer = Layer(pieces[0].shape[-1])
    with torch.no_grad():
        linears = (layer.w_q, layer.w_k, layer.w_v, layer.w_o)
        for linear, weight, bias in zip(linears, weights, biases, strict=True):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
    cache = Cache()
    for x in pieces:
        with Rows({"k": layer.w_k.weight, "v": layer.w_v.weight}) as watch:
            output = target(layer, x, cache)
    batch, new, _ = pieces[-1].shape
    again = [max(0, watch.rows[name] // batch - new) for name in "kv"]
    held = (0, 0) if cache.k is None or cache.k.dim() < 3 else cache.k.shape[1:3]
    return output, *held, *again


MASK = "causal_mask(total, x.device)[total - new :]"
ATTEND = "attention(q, repeat_heads(k, times), repeat_heads(v, times), mask)"
APPEND = "k, v = cache.append(new_k, new_v)"
NEW = """new_k = split_heads(layer.w_k(x), layer.num_kv_heads)
    new_v = split_heads(layer.w_v(x), layer.num_kv_heads)"""

EXERCISE = Exercise(
    name="attend_next",
    returns=(
        "output",
        "heads in the cache",
        "words in the cache",
        "old words whose keys are computed again",
        "old words whose values are computed again",
    ),
    milestones={
        "w_q": "the queries of the new words",
        "w_k": "the keys of the new words",
        "w_v": "the values of the new words",
        "q": "the queries split into heads",
        "new_k": "the new keys split into heads",
        "new_v": "the new values split into heads",
        "append": "the keys of all words",
        "append.2": "the values of all words",
        "mask": "the mask",
        "heads": "the outputs of the heads",
        "merge_heads": "the outputs of the heads side by side",
    },
    optional_milestones=("q", "new_k", "new_v", "heads"),
    cases=(
        Case("a question of several words, then one new word", lambda draw: text_call(draw, "7 1")),
        Case("several new words behind several old ones", lambda draw: text_call(draw, "5 4")),
        Case("one word, and nothing before it", lambda draw: text_call(draw, "1")),
        Case("word by word, one head of keys for all", lambda draw: text_call(draw, "1 1 1 1 1 1 1 1", kv_heads=1)),
    ),
    misconceptions=(
        Misconception(
            "computed all keys and values again",
            replace=f"{NEW}\n    # -> (batch, num_kv_heads, total, d_head)\n    {APPEND}",
            by="""everything, _ = cache.append(x[:, None], x[:, None])
    k = split_heads(layer.w_k(everything[:, 0]), layer.num_kv_heads)
    v = split_heads(layer.w_v(everything[:, 0]), layer.num_kv_heads)""",
            hint="The output is right, but the cache holds words instead of keys and values, and all keys and values "
            "are computed anew at each call. Project the new words, then append.",
        ),
        Misconception(
            "let new words that come after others see all words",
            replace=ATTEND,
            by="attention(q, repeat_heads(k, times), repeat_heads(v, times))",
            hint="One new word may see everything, so it needs no mask. But of several new words, the first must not "
            "see the later ones: each has a row of its own in the mask.",
        ),
        Misconception(
            "let new words see old words and themselves only",
            replace=MASK,
            by="torch.cat([torch.ones(new, total - new, dtype=torch.bool), torch.eye(new, dtype=torch.bool)], dim=1)",
            hint="A new word also sees the new words before it.",
        ),
        Misconception(
            "let new words see the old ones only",
            replace=MASK,
            by="torch.cat([torch.ones(new, total - new, dtype=torch.bool), torch.zeros(new, new, dtype=torch.bool)], "
            "dim=1)",
            hint="A word sees itself, and the new words before it.",
        ),
        Misconception(
            "began the mask at the first key",
            replace=MASK,
            by="torch.ones(new, total, dtype=torch.bool, device=x.device).tril()",
            hint="Your first new word sees key 0 only. New words come behind the old ones, so the diagonal begins "
            "further right. (Of the causal mask of all words, theirs are the last rows.)",
        ),
        Misconception(
            "shifted the mask by one word too many",
            replace=MASK,
            by="torch.ones(new, total, dtype=torch.bool, device=x.device).tril(total - new + 1)",
            hint="Each new word sees one word of the future. The first new word is number total − new: it sees the "
            "keys up to that one.",
        ),
        Misconception(
            "shifted the mask by one word too few",
            replace=MASK,
            by="torch.ones(new, total, dtype=torch.bool, device=x.device).tril(total - new - 1)",
            hint="Your new words do not see themselves. The first new word is number total − new: it sees the keys up "
            "to that one.",
        ),
        Misconception(
            "made a square mask of the new words",
            replace=MASK,
            by="causal_mask(new, x.device)",
            hint="A mask has a row for each query and a column for each key, and there are more keys: those of the old "
            "words come first.",
            check="shapes",
        ),
        Misconception(
            "made a square mask of all words",
            replace=MASK,
            by="causal_mask(total, x.device)",
            hint="A mask has a row for each query, and only new words have one. Take their rows of it.",
            check="shapes",
        ),
        Misconception(
            "inverted the mask",
            replace=MASK,
            by=f"~{MASK}",
            hint='True means "may attend". Your new words see the future only.',
        ),
        Misconception(
            "did not use the cache",
            replace=APPEND,
            by="k, v = new_k, new_v",
            hint="The new words see each other and nothing before them. Keys and values go through the cache, which "
            "gives back those of all words.",
        ),
        Misconception(
            "appended and went on with the new ones",
            replace=APPEND,
            by="k, v = new_k, new_v\n    cache.append(new_k, new_v)",
            hint="The cache has them all, and the new words see each other only. append returns all keys and values: "
            "use those.",
        ),
        Misconception(
            "swapped keys and values",
            replace=APPEND,
            by="v, k = cache.append(new_k, new_v)",
            hint="append takes the keys first, and gives them back first.",
        ),
        Misconception(
            "appended twice",
            replace=APPEND,
            by="cache.append(new_k, new_v)\n    k, v = cache.append(new_k, new_v)",
            hint="append returns all keys and values, so one call does both: it keeps and gives back. Yours has each "
            "new word twice.",
        ),
        Misconception(
            "appended the keys for values, too",
            replace=APPEND,
            by="k, v = cache.append(new_k, new_k)",
            hint="The cache keeps two things of each word: its key and its value.",
        ),
        Misconception(
            "appended repeated keys and values",
            replace=f"{APPEND}\n",
            by="""groups = layer.num_heads // layer.num_kv_heads
    k, v = cache.append(repeat_heads(new_k, groups), repeat_heads(new_v, groups))
    k, v = k[:, ::groups], v[:, ::groups]
""",
            hint="The output is right, and the cache as large as if nothing were shared. Append the num_kv_heads "
            "heads, and repeat what comes back.",
        ),
        Misconception(
            "did not repeat keys and values",
            replace=ATTEND,
            by="attention(q, k, v, mask)",
            hint="There are more heads of queries than of keys. Each head of keys is for several of them.",
            check="shapes",
        ),
        Misconception(
            "repeated all heads one after the other",
            replace=ATTEND,
            by="attention(q, k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1), mask)",
            hint="Neighbouring heads look at different keys. A group lies side by side: use your repeat_heads.",
        ),
        Misconception(
            "called the layer itself with the new words",
            replace=ATTEND,
            by="(None, None)\n    return layer(x)",
            hint="The layer's forward knows nothing of the cache, nor of a mask: new words see each other only, the "
            "future among them. Take forward apart, and put the cache in.",
        ),
        Misconception(
            "called the layer itself with the new words and a causal mask",
            replace=ATTEND,
            by="(None, None)\n    return layer(x, causal_mask(x.shape[1], x.device))",
            hint="The layer's forward knows nothing of the cache: new words see each other only. Take forward apart, "
            "and put the cache in.",
        ),
        Misconception(
            "forgot w_o",
            replace="layer.w_o(merge_heads(heads))",
            by="merge_heads(heads)",
            hint="The heads are side by side and never meet. The last projection, w_o, combines them.",
        ),
        Misconception(
            "merged the heads with a reshape alone",
            replace="merge_heads(heads)",
            by="heads.reshape(x.shape)",
            hint="With one new word that is right. With several, words and heads are mixed up: use your merge_heads.",
        ),
        Misconception(
            "returned the weights as well",
            replace="return layer.w_o(merge_heads(heads))",
            by="return layer.w_o(merge_heads(heads)), _",
            hint="Return one tensor: the output for the new words.",
            check="shapes",
        ),
        Misconception(
            "returned the last word only",
            replace="return layer.w_o(merge_heads(heads))",
            by="return layer.w_o(merge_heads(heads))[:, -1:]",
            hint="The next layer needs all new words, to make their keys. The last word alone counts at the very end.",
            check="shapes",
        ),
        Misconception(
            "split keys and values into num_heads heads",
            replace=NEW,
            by=NEW.replace("layer.num_kv_heads", "layer.num_heads"),
            hint="w_k makes num_kv_heads heads, so that is how many to split them into.",
            check="shapes",
        ),
        Misconception(
            "gave the cache whole words instead of heads",
            replace=f"{NEW}\n    # -> (batch, num_kv_heads, total, d_head)\n    {APPEND}",
            by="""k, v = cache.append(layer.w_k(x), layer.w_v(x))
    k, v = split_heads(k, layer.num_kv_heads), split_heads(v, layer.num_kv_heads)""",
            hint="The cache joins along dimension 2, which is the words only after the heads have been split: "
            "(batch, num_kv_heads, new, d_head).",
            check="shapes",
        ),
        Misconception(
            "took the last columns of the mask, not its last rows",
            replace=MASK,
            by="causal_mask(total, x.device)[:, total - new :]",
            hint="Rows belong to the words that look, columns to those that are looked at. New words look at all.",
            check="shapes",
        ),
        Misconception(
            "took the number of heads for the number of words",
            replace="new, total = q.shape[2], k.shape[2]",
            by="new, total = q.shape[2], k.shape[1]",
            hint="After splitting, dimension 1 counts heads. Words are the dimension before the last one.",
            check="shapes",
        ),
        Misconception(
            "made a mask of numbers",
            replace=MASK,
            by="torch.ones(new, total).tril(total - new)",
            hint="A mask says True or False. torch.ones makes numbers unless you ask for dtype=torch.bool.",
            check="shapes",
        ),
        Misconception(
            "called append once for the keys and once for the values",
            replace=APPEND,
            by="k = cache.append(new_k, new_v)[0]\n    v = cache.append(new_k, new_v)[1]",
            hint="Each call appends, so the second one finds the new words there already, and gives back more values "
            "than there are keys. append returns both at once: take both from one call.",
            check="shapes",
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
            replace="times = layer.num_heads // layer.num_kv_heads",
            by="times = layer.num_kv_heads",
            hint="How many heads of queries share one head of keys? num_heads divided by num_kv_heads.",
            check="shapes",
        ),
        Misconception(
            "repeated num_heads times",
            replace="times = layer.num_heads // layer.num_kv_heads",
            by="times = layer.num_heads",
            hint="Each head of keys is for a group of heads, not for all: num_heads divided by num_kv_heads.",
            check="shapes",
        ),
        Misconception(
            "split the queries into num_kv_heads heads",
            replace="q = split_heads(layer.w_q(x), layer.num_heads)",
            by="q = split_heads(layer.w_q(x), layer.num_kv_heads)",
            hint="There are num_heads heads of queries. Only keys and values have fewer.",
            check="shapes",
        ),
        Misconception(
            "moved the diagonal by the number of new words, not of old ones",
            replace=MASK,
            by="torch.ones(new, total, dtype=torch.bool, device=x.device).tril(new)",
            hint="The first new word sees all old words and itself. How many words are old?",
        ),
    ),
    alternatives=(
        Alternative(
            "scaled_dot_product_attention, grouped",
            """
def attend_next(layer, x, cache):
    q = split_heads(layer.w_q(x), layer.num_heads)
    k, v = (split_heads(w(x), layer.num_kv_heads) for w in (layer.w_k, layer.w_v))
    k, v = cache.append(k, v)
    new, total = x.shape[1], k.shape[-2]
    mask = torch.ones(new, total, dtype=torch.bool, device=x.device).tril(total - new)
    return layer.w_o(merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)))
""",
        ),
        Alternative(
            "positions compared, no mask for one word",
            """
def attend_next(layer, x, cache):
    batch, new, d_model = x.shape
    d_head = d_model // layer.num_heads
    q = layer.w_q(x).view(batch, new, layer.num_heads, d_head).transpose(1, 2)
    k = layer.w_k(x).view(batch, new, layer.num_kv_heads, d_head).transpose(1, 2)
    v = layer.w_v(x).view(batch, new, layer.num_kv_heads, d_head).transpose(1, 2)
    k, v = cache.append(k, v)
    total = k.shape[2]
    mask = None
    if new > 1:
        mask = torch.arange(total) <= torch.arange(total - new, total)[:, None]
    groups = layer.num_heads // layer.num_kv_heads
    out, _ = attention(q, repeat_heads(k, groups), repeat_heads(v, groups), mask)
    return layer.w_o(out.transpose(1, 2).reshape(batch, new, d_model))
""",
        ),
        Alternative(
            "one new word after the other",
            """
def attend_next(layer, x, cache):
    outputs = []
    for t in range(x.shape[1]):
        word = x[:, t : t + 1]
        k, v = (split_heads(w(word), layer.num_kv_heads) for w in (layer.w_k, layer.w_v))
        k, v = cache.append(k, v)
        q = split_heads(layer.w_q(word), layer.num_heads)
        times = layer.num_heads // layer.num_kv_heads
        outputs.append(layer.w_o(merge_heads(attention(q, repeat_heads(k, times), repeat_heads(v, times))[0])))
    return torch.cat(outputs, dim=1)
""",
        ),
        Alternative(
            "einsum, and scores with minus infinity",
            """
def attend_next(layer, x, cache):
    g = layer.num_kv_heads
    q = F.linear(x, layer.w_q.weight, layer.w_q.bias).unflatten(-1, (g, layer.num_heads // g, -1))
    new_k = F.linear(x, layer.w_k.weight, layer.w_k.bias).unflatten(-1, (g, -1)).transpose(1, 2)
    new_v = F.linear(x, layer.w_v.weight, layer.w_v.bias).unflatten(-1, (g, -1)).transpose(1, 2)
    keys, values = cache.append(new_k, new_v)
    scores = torch.einsum("bqgtd,bgkd->bgtqk", q, keys) / math.sqrt(q.shape[-1])
    future = torch.full((x.shape[1], keys.shape[2]), float("-inf")).triu(keys.shape[2] - x.shape[1] + 1)
    weights = (scores + future).softmax(dim=-1)
    return layer.w_o(torch.einsum("bgtqk,bgkd->bqgtd", weights, values).flatten(2))
""",
        ),
    ),
    builds_on=("repeat_heads",),
    probe=written_in_pieces,
    forbids=FORBIDS,
)
