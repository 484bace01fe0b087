"""`attention`: averages the values with the weights that queries and keys make."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, draw_with_head


def attention_without_mask(draw: Draw) -> Call:
    batch, seq_q, seq_k, d_head = draw_with_head(draw, "batch seq_q seq_k")
    q, k, v = (draw.normal(batch, seq, d_head) for seq in (seq_q, seq_k, seq_k))
    return Call(inputs={"q": q, "k": k, "v": v, "mask": None})


def attention_with_blocked_query(draw: Draw) -> Call:
    batch, seq_q, seq_k, d_head = draw_with_head(draw, "batch seq_q seq_k")
    q, k, v = (draw.normal(batch, seq, d_head) for seq in (seq_q, seq_k, seq_k))
    mask = draw.mask(batch, seq_q, seq_k)
    mask[draw.integer(0, batch - 1), draw.integer(0, seq_q - 1)] = False
    return Call(inputs={"q": q, "k": k, "v": v, "mask": mask})


def attention_under_causal_mask(draw: Draw) -> Call:
    batch, seq, d_head = draw_with_head(draw, "batch seq")
    q, k, v = (draw.normal(batch, seq, d_head) for _ in range(3))
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    return Call(inputs={"q": q, "k": k, "v": v, "mask": mask})


def attention_of_groups(draw: Draw) -> Call:
    batch, group, seq_q, seq_k, d_head = draw_with_head(draw, "batch group seq_q seq_k")
    q, k, v = (draw.normal(batch, group, seq, d_head) for seq in (seq_q, seq_k, seq_k))
    return Call(inputs={"q": q, "k": k, "v": v, "mask": draw.mask(seq_q, seq_k)})


def attention_of_one_query(draw: Draw) -> Call:
    batch, seq_k, d_head = draw_with_head(draw, "batch seq_k")
    q, k, v = (draw.normal(batch, seq, d_head) for seq in (1, seq_k, seq_k))
    return Call(inputs={"q": q, "k": k, "v": v, "mask": draw.mask(batch, 1, seq_k)})


def attention_of_large_scores(draw: Draw) -> Call:
    """Whole multiples of 100, so that the products of queries and keys are whole multiples of 10000.

    No two of a query's products are equal: which of two equal scores is larger, and by how much, would be a matter of
    rounding, and right solutions round in different places.
    """
    seq_q, seq_k, d_head = draw_with_head(draw, "seq_q seq_k")
    v = draw.normal(seq_k, d_head)
    for _ in range(100):  # of the sizes that are drawn, every third try has no two
        q, k = (100 * draw.normal(seq, d_head, scale=5.0).round() for seq in (seq_q, seq_k))
        if (q @ k.mT).sort().values.diff().all():
            break
    return Call(inputs={"q": q, "k": k, "v": v, "mask": draw.mask(seq_q, seq_k)})


EXERCISE = Exercise(
    name="attention",
    returns=("output", "weights"),
    milestones={
        "scores": "the scores",
    },
    cases=(
        Case("more or fewer keys than queries, without a mask", attention_without_mask),
        Case("a query that may attend to nothing", attention_with_blocked_query),
        Case("words that attend to each other under a causal mask", attention_under_causal_mask),
        Case("an extra dimension in front, and one mask for all", attention_of_groups),
        Case("a single sentence with scores of 10000 and more", attention_of_large_scores),
        Case("a single query", attention_of_one_query),
    ),
    misconceptions=(
        Misconception(
            "averaged the keys instead of the values",
            replace="weights @ v",
            by="weights @ k",
            hint="Keys are there to be compared. What a word hands over is its value.",
        ),
        Misconception(
            "averaged the queries instead of the values",
            replace="weights @ v",
            by="weights @ q",
            hint="Queries are there to be compared, and there need not be as many as there are weights in a row. "
            "What a word hands over is its value.",
            check="shapes",
        ),
        families.mask_forgotten("attention_weights(scores, mask)", "One of your two functions wants to know the mask."),
        families.mask_inverted("attention_weights(scores, mask)"),
        *families.output_and_weights("return output, weights", "return output", "return weights, output"),
        Misconception(
            "swapped queries and keys",
            replace="attention_scores(q, k)",
            by="attention_scores(k, q)",
            hint="Now the keys ask and the queries answer: the scores are transposed. A row belongs to a query.",
            check="shapes",
        ),
        Misconception(
            "compared the queries with the values",
            replace="attention_scores(q, k)",
            by="attention_scores(q, v)",
            hint="Where to look is decided by the keys. The values are only what is taken from there.",
        ),
        Misconception(
            "scaled a second time",
            replace="attention_scores(q, k)",
            by="attention_scores(q, k) / math.sqrt(q.shape[-1])",
            hint="Your weights are too even. The scores are divided by √d_head already.",
            shown_by=("attention_scores",),
        ),
        Misconception(
            "computed the scores again and forgot to scale",
            replace="attention_scores(q, k)",
            by="q @ k.transpose(-2, -1)",
            hint="Your weights are too sharp. You have a function that computes the scores and divides them by "
            "√d_head.",
        ),
        Misconception(
            "applied the mask after softmax",
            replace="attention_weights(scores, mask)",
            by="scores.softmax(dim=-1) * (True if mask is None else mask)",
            hint="Blocked words get 0, but they took part in softmax and their share is lost: your rows sum to less "
            "than 1. You have a function that blocks the scores first.",
        ),
        Misconception(
            "returned the scores instead of the weights",
            replace="return output, weights",
            by="return output, scores",
            hint="The output is right. But the second thing to return is the weights, whose rows sum to 1.",
        ),
        Misconception(
            "averaged with the scores instead of the weights",
            replace="output = weights @ v",
            by="output = scores @ v",
            hint="The weights are right but not used. Scores can be negative and do not sum to 1, so that is not "
            "an average.",
        ),
        Misconception(
            "applied softmax a second time",
            replace="attention_weights(scores, mask)",
            by="attention_weights(scores, mask).softmax(dim=-1)",
            hint="Your weights are nearly all the same, and blocked words are back. attention_weights has "
            "applied softmax already.",
        ),
        Misconception(
            "transposed the weights",
            replace="weights @ v",
            by="weights.transpose(-2, -1) @ v",
            hint="A row of weights belongs to a query and is as long as there are values. It meets the values as it "
            "is.",
            check="shapes",
        ),
        Misconception(
            "scaled the output as well",
            replace="output = weights @ v",
            by="output = weights @ v / math.sqrt(v.shape[-1])",
            hint="Your output is √d_head times too small. Only the scores are scaled: an average of values is as "
            "large as the values.",
        ),
        families.added_back(
            "the queries",
            "output = weights @ v",
            "output = q + weights @ v",
            around="the head",
            then="The output is the average of the values and nothing else.",
        ),
        Misconception(
            "put the values on the left of the weights",
            replace="weights @ v",
            by="v @ weights",
            hint="Each row of the weights says how much to take of each value: weights left, values right of @.",
            check="shapes",
        ),
        Misconception(
            "multiplied weights and values entry by entry",
            shown_by=("*|mul|multiply",),
            replace="weights @ v",
            by="weights * v",
            hint="A product entry by entry needs two tensors of the same size. An average is a matrix product: each "
            "row of weights meets all values.",
            check="shapes",
        ),
        Misconception(
            "blocked the future where no mask is given",
            replace="attention_weights(scores, mask)",
            by="attention_weights("
            "scores, torch.ones(scores.shape[-2:], dtype=torch.bool).tril() if mask is None else mask)",
            hint="Without a mask nothing is blocked: every word may look at every word. Whether the future is blocked "
            "is up to the caller.",
        ),
        Misconception(
            "applied softmax to the scores before they became weights",
            replace="attention_weights(scores, mask)",
            by="attention_weights(scores.softmax(dim=-1), mask)",
            hint="Your weights are nearly all the same: softmax has run twice. attention_weights expects the scores "
            "as they are.",
        ),
        Misconception(
            "divided by d_head instead of its square root",
            replace="attention_scores(q, k)",
            by="q @ k.transpose(-2, -1) / q.shape[-1]",
            hint="Your weights are too even. The spread of the products grows like the square root of d_head.",
            shown_by=("no attention_scores",),
        ),
        Misconception(
            "left NaN in rows where all is blocked",
            replace="attention_weights(scores, mask)",
            by="(scores if mask is None else scores.masked_fill(~mask, -math.inf)).softmax(dim=-1)",
            hint="Where all is blocked there is nothing to share out, and softmax gives NaN. Such a query takes "
            "nothing: its weights and its output are 0. You have a function that takes care of it.",
        ),
        Misconception(
            "used a large negative number such as −1e9 for minus infinity",
            replace="attention_weights(scores, mask)",
            by="(scores if mask is None else scores.masked_fill(~mask, -1e9)).softmax(dim=-1)",
            hint="In a row where all is blocked, all scores are equal, so softmax gives each blocked word the same "
            "share. You have a function that gives such a row zeros.",
        ),
        Misconception(
            "ran softmax over the queries",
            replace="attention_weights(scores, mask)",
            by="(scores if mask is None else scores.masked_fill(~mask, -math.inf)).softmax(dim=-2).nan_to_num(0.0)",
            hint="Your columns sum to 1, your rows do not. Each query shares out a weight of 1 over the keys, and the "
            "keys are the last dimension.",
        ),
        Misconception(
            "took the value of the best word only",
            replace="output = weights @ v",
            by="best = weights.argmax(dim=-1, keepdim=True)\n"
            "    output = v.gather(-2, best.expand(*best.shape[:-1], v.shape[-1]))",
            hint="A word takes some of every value, as much as its weights say. The word with the largest weight "
            "counts most, but not alone.",
        ),
        Misconception(
            "divided the average by the number of keys",
            replace="output = weights @ v",
            by="output = weights @ v / v.shape[-2]",
            hint="The weights of a row sum to 1, so they have shared out the average already: the weighted values are "
            "added up. (mean divides once more.)",
        ),
        Misconception(
            "cut the weights off from the gradient",
            replace="weights = attention_weights(scores, mask)",
            by="weights = attention_weights(scores, mask).detach()",
            hint="The numbers are right, and nothing gets back through the weights: queries and keys could never "
            "learn. Something cuts them off: detach, .data, numpy or no_grad, perhaps.",
        ),
    ),
    alternatives=(
        Alternative(
            "einsum",
            """
def attention(q, k, v, mask=None):
    weights = attention_weights(attention_scores(q, k), mask)
    return torch.einsum("...qk,...kd->...qd", weights, v), weights
""",
        ),
        Alternative(
            "written out, with torch.where",
            """
def attention(q, k, v, mask=None):
    scores = torch.matmul(q, k.mT) / math.sqrt(k.size(-1))
    if mask is not None:
        scores = torch.where(mask, scores, -math.inf)
    weights = torch.nan_to_num(torch.softmax(scores, dim=-1), nan=0.0)
    return torch.matmul(weights, v), weights
""",
        ),
        Alternative(
            "a list of two",
            """
def attention(q, k, v, mask=None):
    weights = attention_weights(attention_scores(q, k), mask=mask)
    return [weights.matmul(v), weights]
""",
        ),
        Alternative(
            "values added up one key at a time",
            """
def attention(q, k, v, mask=None):
    weights = attention_weights(attention_scores(q, k), mask)
    output = torch.zeros(*weights.shape[:-1], v.shape[-1], dtype=v.dtype, device=v.device)
    for key in range(v.shape[-2]):
        # (..., seq_q, 1) * (..., 1, d_head) -> (..., seq_q, d_head)
        output = output + weights[..., key : key + 1] * v[..., key : key + 1, :]
    return output, weights
""",
        ),
    ),
    builds_on=("attention_scores", "attention_weights"),
    forbids=FORBIDS,
    exact_zeros=True,
)
