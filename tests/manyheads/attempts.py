"""Wrong attempts in several styles that no known mistake names, with what their lines must be said to give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """One wrong solution.

    Args:
        chapter: the beginning of the chapter's name.
        said: parts of the explanation, in this order.
        helpers: cells of the learner's beside the exercise's.
    """

    chapter: str
    exercise: str
    style: str
    source: str
    said: tuple[str, ...]
    helpers: str = ""


ATTEMPTS = [
    Attempt(
        "01",
        "project",
        "einsum",
        """def project(x, w_q, w_k, w_v):
    q = torch.einsum("bsm,mh->bsh", x, w_q)
    k = torch.einsum("bsm,mh->bsh", x, w_k)
    v = torch.einsum("bsm,mh->bsh", x, w_v)
    return q, k * 1.5, v
""",
        ("Line 3, `k = ", "gives the right k, (batch, seq, d_head). Your code returns something else in that place."),
    ),
    Attempt(
        "01",
        "attention_scores",
        "a helper in another cell",
        """def attention_scores(q, k):
    products = compare(q, k)
    return products / products.std()
""",
        (
            "Line 2, `products = compare(q, k)`, gives the right products of queries and keys, not yet divided",
            "Next should come the scores, (batch, seq_q, seq_k); none of your lines gives these numbers.",
            "Line 3, `return products / products.std()`, gives numbers of that shape",
        ),
        helpers="def compare(one, other):\n    return one @ other.transpose(-2, -1)\n",
    ),
    Attempt(
        "01",
        "attention_weights",
        "in place",
        """def attention_weights(scores, mask=None):
    filled = scores.clone()
    if mask is not None:
        filled[~mask.expand_as(filled)] = -math.inf
    powers = filled.exp().nan_to_num(0.0)
    return powers / (powers.sum(dim=-1, keepdim=True) + 1)
""",
        (),
    ),
    Attempt(
        "01",
        "attention",
        "one expression",
        """def attention(q, k, v, mask=None):
    return attention_weights(attention_scores(q, k) * 3, mask) @ v, attention_weights(attention_scores(q, k) * 3, mask)
""",
        ("computes the right scores, (batch, seq_q, seq_k) on the way", "Next should come the"),
    ),
    Attempt(
        "01",
        "attention",
        "weights over the wrong dimension, with a named step",
        """def attention(q, k, v, mask=None):
    s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, -30.0)
    w = torch.softmax(s, dim=-2)
    return w @ v, w
""",
        (
            "Line 2, `s = ",
            "gives the right scores, (batch, seq_q, seq_k).",
            "Next should come the weights, (batch, seq_q, seq_k)",
            "Line 5, `w = torch.softmax(s, dim=-2)`, gives numbers of that shape",
        ),
    ),
    Attempt(
        "01",
        "SingleHeadAttention",
        "a class with a method of its own",
        """class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.w_q = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_v = nn.Linear(d_model, d_head)

    def compare(self, q, k):
        return q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])

    def forward(self, x, mask=None):
        q, k, v = self.w_q(x), self.w_k(x), self.w_v(x)
        scores = self.compare(q, k)
        weights = attention_weights(scores, mask)
        return (weights + 0.1) @ v, weights
""",
        ("gives the right values", "Line 14, `weights = attention_weights(scores, mask)`, gives the right weights",
         "Next should come the output, (batch, seq, d_head)"),
    ),
    Attempt(
        "02",
        "attention_entropy",
        "a loop over heads",
        """def attention_entropy(weights):
    rows = []
    for head in range(weights.shape[1]):
        w = weights[:, head]
        terms = w * w.clamp(min=1e-30).log()
        rows.append(-terms.mean(dim=-1) * 2)
    return torch.stack(rows, dim=1)
""",
        ("Line 5, `terms = ", "gives the right weights times their logarithms", "in all its rounds together",
         "The course's solution goes on to the sums of weights times logarithms"),
    ),
    Attempt(
        "02",
        "head_specialisation",
        "gather",
        """def head_specialisation(weights, query_index, target_index):
    batch, heads, _, seq_k = weights.shape
    relations = query_index.shape[1]
    rows = weights.gather(2, query_index[:, None, :, None].expand(batch, heads, relations, seq_k))
    picked = rows.gather(3, target_index[:, None, :, None].expand(batch, heads, relations, 1))[..., 0]
    return picked.mean(dim=0) + picked.std(dim=0)
""",
        ("Line 6, `return ", "computes the right specialisation", "Your code returns something else"),
    ),
    Attempt(
        "03",
        "run_heads",
        "a list that grows",
        """def run_heads(heads, x, mask=None):
    outputs, weights = [], []
    for head in heads:
        output, weight = head(x, mask)
        outputs.append(output)
        weights.append(weight)
    together = torch.stack(outputs, dim=1)
    return together - together.mean(), torch.stack(weights, dim=1)
""",
        ("Line 7, `together = torch.stack(outputs, dim=1)`, gives the right outputs", "returns something else"),
    ),
    Attempt(
        "03",
        "ParallelHeads",
        "no projection of one half",
        """class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.heads = make_heads(d_model, num_heads)
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        each = [head(x, mask) for head in self.heads]
        joined = torch.cat([output for output, _ in each], dim=-1)
        return self.w_o(joined) * 0.5 + joined, torch.stack([w for _, w in each], dim=1)
""",
        ("Line 10, `return ", "computes the right output", "Your code returns something else"),
    ),
    Attempt(
        "04",
        "split_heads",
        "numbers changed after the cut",
        """def split_heads(x, num_heads):
    batch, seq, d_model = x.shape
    cut = x.reshape(batch, seq, num_heads, d_model // num_heads)
    return (cut - cut.mean()).transpose(1, 2)
""",
        ("Line 3, `cut = ", "gives the right features cut into heads, (batch, seq, num_heads, d_head).",
         "Next should come the heads, (batch, num_heads, seq, d_head); none of your lines gives these numbers in this "
         "arrangement."),
    ),
    Attempt(
        "04",
        "MultiHeadAttention",
        "a loop over heads, in slices",
        """class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads, self.d_head = num_heads, d_model // num_heads
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q = self.w_q(query)
        k = self.w_k(key)
        v = self.w_v(value)
        q, k, v = (split_heads(part, self.num_heads) for part in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d_head)
        weights = self.dropout(attention_weights(scores / (1 + scores.std()), mask))
        return self.w_o(merge_heads(weights @ v)), weights
""",
        ("Line 18, `scores = ", "gives the right scores, (batch, num_heads, "),
    ),
    Attempt(
        "05",
        "FastMultiHeadAttention",
        "values scaled",
        """class FastMultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        key = query if key is None else key
        value = key if value is None else value
        q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)
        dropout = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal)
        joined = merge_heads(heads)
        return self.w_o(joined) + joined.mean()
""",
        ("Line 17, `return ", "computes the right output", "Your code returns something else"),
    ),
    Attempt(
        "06",
        "sink_score",
        "median",
        """def sink_score(weights, position=0):
    column = weights[:, :, :, position]
    return column.std(dim=-1)
""",
        ("Line 2, `column = weights[:, :, :, position]`, gives the right weights on that position",
         "none of your lines gives these numbers.", "Line 3, `return column.std(dim=-1)`, gives numbers of that shape"),
    ),
    Attempt(
        "06",
        "previous_token_score",
        "a loop over layers",
        """def previous_token_score(weights):
    scores = torch.zeros(weights.shape[:2])
    for layer in range(len(weights)):
        before = weights[layer].diagonal(offset=-1, dim1=-2, dim2=-1)
        scores[layer] = before.square().mean(dim=-1)
    return scores
""",
        ("Line 4, `before = ", "gives the right weights on the word before", "in all its rounds together"),
    ),
    Attempt(
        "06",
        "head_importance",
        "a distance in place of the cosine",
        """def head_importance(encode, num_layers, num_heads):
    intact = encode()
    importance = torch.zeros(num_layers, num_heads)
    for layer in range(num_layers):
        for head in range(num_heads):
            without = encode(silenced=(layer, head))
            importance[layer, head] = (intact - without).norm(dim=-1).mean()
    return importance
""",
        ("Line 6, `without = ", "gives the right embeddings with one head silenced", "in all its rounds together",
         "Next should come the similarities to the intact embeddings"),
    ),
]  # fmt: skip
