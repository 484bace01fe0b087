"""`attention_scores`: compares every query with every key, and divides by √d_head."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, draw_with_head


def sentences_to_score(draw: Draw) -> Call:
    batch, seq_q, seq_k, d_head = draw_with_head(draw, "batch seq_q seq_k")
    return Call(inputs={"q": draw.normal(batch, seq_q, d_head), "k": draw.normal(batch, seq_k, d_head)})


def one_sentence_to_score(draw: Draw) -> Call:
    seq_q, seq_k, d_head = draw_with_head(draw, "seq_q seq_k")
    return Call(inputs={"q": draw.normal(seq_q, d_head), "k": draw.normal(seq_k, d_head)})


def groups_to_score(draw: Draw) -> Call:
    batch, group, seq_q, seq_k, d_head = draw_with_head(draw, "batch group seq_q seq_k")
    q, k = draw.normal(batch, group, seq_q, d_head), draw.normal(batch, group, seq_k, d_head)
    return Call(inputs={"q": q, "k": k})


def one_query_to_score(draw: Draw) -> Call:
    batch, seq_k, d_head = draw_with_head(draw, "batch seq_k")
    return Call(inputs={"q": draw.normal(batch, 1, d_head), "k": draw.normal(batch, seq_k, d_head)})


EXERCISE = Exercise(
    name="attention_scores",
    returns=("scores",),
    milestones={
        "matmul": "the products of queries and keys, not yet divided",
    },
    optional_milestones=("matmul",),
    cases=(
        Case("a batch, with more or fewer keys than queries", sentences_to_score),
        Case("a single sentence, without a batch dimension", one_sentence_to_score),
        Case("an extra dimension in front", groups_to_score),
        Case("a single query", one_query_to_score),
    ),
    misconceptions=(
        Misconception(
            "forgot to scale",
            replace=" / math.sqrt(d_head)",
            by="",
            hint="Your scores are √d_head times too large. The wider the head, the more softmax gives all to one word. "
            "(You did divide? Then use the result: it is a new tensor.)",
        ),
        Misconception(
            "divided by d_head instead of its square root",
            replace="math.sqrt(d_head)",
            by="d_head",
            hint="Your scores are √d_head times too small, so that the weights of a wide head are all nearly "
            "equal. The spread grows like the square root. (Dividing by √d_head twice gives this too.)",
        ),
        Misconception(
            "multiplied by √d_head instead of dividing",
            replace="/ math.sqrt(d_head)",
            by="* math.sqrt(d_head)",
            hint="The spread of the scores has grown even more. Bring it down to 1.",
        ),
        Misconception(
            "divided by the root of the number of keys",
            replace="math.sqrt(d_head)",
            by="math.sqrt(k.shape[-2])",
            hint="A score is a sum over the d_head entries of two vectors. How many words there are does not "
            "change its size. Read d_head from the last dimension.",
        ),
        Misconception(
            "divided by the root of the number of queries",
            replace="math.sqrt(d_head)",
            by="math.sqrt(q.shape[-2])",
            hint="A score is a sum over the d_head entries of two vectors. How many words there are does not "
            "change its size. Read d_head from the last dimension.",
        ),
        Misconception(
            "divided by the root of the first dimension",
            replace="math.sqrt(d_head)",
            by="math.sqrt(q.shape[0])",
            hint="The first dimension is the batch, and sentences of a batch have nothing to do with each other. "
            "Read d_head from the last dimension.",
        ),
        Misconception(
            "scored keys against queries",
            replace="q @ k.transpose(-2, -1)",
            by="k @ q.transpose(-2, -1)",
            hint="Your scores are transposed: they have a row for each key. A row belongs to a query, a column to "
            "a key.",
            check="shapes",
        ),
        Misconception(
            "did not transpose the keys",
            replace="k.transpose(-2, -1)",
            by="k",
            hint="In a matrix product the last dimension of the left side meets the last but one of the right side. "
            "Here d_head meets the number of keys, and must meet d_head: transpose the keys.",
            check="shapes",
        ),
        Misconception(
            "reshaped the keys instead of transposing them",
            replace="k.transpose(-2, -1)",
            by="k.reshape(*k.shape[:-2], d_head, k.shape[-2])",
            hint="The shape is right but the numbers are in the wrong places: reshaping reads them in the old "
            "order and mixes several keys in one column. The two dimensions must be swapped.",
        ),
        Misconception(
            "swapped the first two dimensions of the keys instead of the last two",
            replace="k.transpose(-2, -1)",
            by="k.transpose(0, 1)",
            hint="That mixes the batch with the words. Count dimensions from the end: d_head is the last, "
            "seq_k the one before.",
            check="shapes",
        ),
        Misconception(
            "swapped dimensions 1 and 2 of the keys, counted from the front",
            replace="k.transpose(-2, -1)",
            by="k.transpose(1, 2)",
            hint="That is right for three dimensions only. There may be none or several in front, so count from "
            "the end.",
            check="shapes",
        ),
        Misconception(
            "applied softmax here already",
            replace="return q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            by="return (q @ k.transpose(-2, -1) / math.sqrt(d_head)).softmax(dim=-1)",
            hint="These are weights already. A mask must come between the scores and softmax, so softmax has an "
            "exercise of its own.",
        ),
        Misconception(
            "divided by the lengths of the vectors",
            replace="math.sqrt(d_head)",
            by="(q.norm(dim=-1)[..., :, None] * k.norm(dim=-1)[..., None, :])",
            hint="That is the cosine: it can never be larger than 1, so a head could never be sure. Scale by the "
            "same number, √d_head, everywhere.",
        ),
        Misconception(
            "measured the distance between query and key",
            replace="q @ k.transpose(-2, -1)",
            by="torch.cdist(q, k)",
            hint="A distance is large where the two do not fit. The dot product is large where they do.",
        ),
        Misconception(
            "scaled the queries in place",
            replace="return q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            by="return q.div_(math.sqrt(d_head)) @ k.transpose(-2, -1)",
            hint="The scores are right, but the caller's queries are now smaller than before. x /= … and "
            "methods that end in an underscore change the tensor itself; x / … makes a new one.",
        ),
        Misconception(
            "reversed all dimensions of the keys with .T",
            replace="k.transpose(-2, -1)",
            by="k.T",
            hint="That reverses the batch too. Swap the last two dimensions only.",
            check="shapes",
        ),
        Misconception(
            "took the scale from dimension 1 of the queries, counted from the front",
            replace="math.sqrt(d_head)",
            by="math.sqrt(q.shape[1])",
            hint="That is d_head for a single sentence only. In front there may be none, one or several dimensions, "
            "so count from the end: d_head is the last.",
        ),
        Misconception(
            "took the scale from dimension 1 of the keys, counted from the front",
            replace="math.sqrt(d_head)",
            by="math.sqrt(k.shape[1])",
            hint="That is d_head for a single sentence only. In front there may be none, one or several dimensions, "
            "so count from the end: d_head is the last.",
        ),
        Misconception(
            "took the scale from dimension 2 of the queries, counted from the front",
            replace="math.sqrt(d_head)",
            by="math.sqrt(q.shape[2])",
            hint="That is d_head only where there is exactly one dimension in front. There may be none or several, so "
            "count from the end.",
            check="shapes",
        ),
        Misconception(
            "took the scale from dimension 2 of the keys, counted from the front",
            replace="math.sqrt(d_head)",
            by="math.sqrt(k.shape[2])",
            hint="That is d_head only where there is exactly one dimension in front. There may be none or several, so "
            "count from the end.",
            check="shapes",
        ),
        Misconception(
            "assumed that there is exactly one dimension in front",
            replace="d_head = q.shape[-1]",
            by="batch, seq_q, d_head = q.shape",
            hint="A single sentence has no dimension in front, and there may also be several. d_head is the last "
            "dimension, however many come before it.",
            check="shapes",
        ),
        Misconception(
            "divided by 4, the root of the lesson's d_model, whatever came in",
            replace="math.sqrt(d_head)",
            by="4",
            hint="The right number depends on the queries that are given: it is the root of their own last dimension. "
            "A d_model that the notebook defined further up is another number.",
        ),
        Misconception(
            "took the root of the notebook's width, which a loop further up has left at 1024",
            replace="d_head = q.shape[-1]",
            by="d_head = width = 1024",
            hint="The right number depends on the queries that are given: it is the root of their own last dimension. "
            "The cells that you ran before used width for something else.",
            shown_by=("width",),
        ),
        Misconception(
            "took torch.sqrt of a plain number",
            replace="math.sqrt(d_head)",
            by="torch.sqrt(q.shape[-1])",
            hint="A size is a plain Python number, and torch.sqrt takes a tensor. Python has a module of its own for "
            "plain numbers.",
            check="shapes",
        ),
        Misconception(
            "divided by the spread of these scores",
            replace="return q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            by="scores = q @ k.transpose(-2, -1)\n    return scores / scores.std()",
            hint="Then every score depends on all the others in the batch, and a head can never become surer. √d_head "
            "is known before there are any scores.",
        ),
        Misconception(
            "divided by d_head and then by 2",
            replace="math.sqrt(d_head)",
            by="d_head / 2",
            hint="A power comes before a division: 9 ** 1 / 2 is 4.5, half of 9. The root needs brackets around its "
            "exponent, or a function.",
        ),
        Misconception(
            "divided by half of d_head",
            replace="math.sqrt(d_head)",
            by="(d_head / 2)",
            hint="A power comes before a division: 9 ** 1 / 2 is 4.5, half of 9. The root needs brackets around its "
            "exponent, or a function.",
        ),
        Misconception(
            "applied softmax here already, to scores that are not scaled",
            replace="return q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            by="return (q @ k.transpose(-2, -1)).softmax(dim=-1)",
            hint="These are weights already, and too sharp ones. Divide the products by √d_head, and leave softmax to "
            "an exercise of its own: a mask must come before it.",
        ),
        Misconception(
            "blocked the future here already",
            replace="return q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            by="scores = q @ k.transpose(-2, -1) / math.sqrt(d_head)\n"
            "    return scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -math.inf)",
            hint="Every query has a score for every key here. What may be looked at is up to the mask, which comes "
            "later.",
        ),
        Misconception(
            "multiplied queries and keys entry by entry",
            replace="q @ k.transpose(-2, -1)",
            by="q * k",
            hint="A product entry by entry pairs query 0 with key 0 and so on. Every query meets every key: that is a "
            "matrix product.",
            check="shapes",
            shown_by=("*|mul|multiply", "no @|matmul|bmm|einsum|sum"),
        ),
        Misconception(
            "took the cosine, and divided it by √d_head as well",
            replace="math.sqrt(d_head)",
            by="(q.norm(dim=-1)[..., :, None] * k.norm(dim=-1)[..., None, :] * math.sqrt(d_head))",
            hint="Each score is divided by the lengths of its query and its key, so how long they are counts for "
            "nothing any more. Only √d_head divides the product.",
        ),
    ),
    alternatives=(
        Alternative(
            "einsum",
            """
def attention_scores(q, k):
    return torch.einsum("...qd,...kd->...qk", q, k) * q.shape[-1] ** -0.5
""",
        ),
        Alternative(
            "queries scaled first, mT",
            """
def attention_scores(q, k):
    return torch.matmul(q / q.size(-1) ** 0.5, k.mT)
""",
        ),
        Alternative(
            "baddbmm on one flattened batch",
            """
def attention_scores(q, k):
    *front, seq_q, d_head = q.shape
    seq_k = k.shape[-2]
    # (..., seq, d_head) -> (batches, seq, d_head)
    q, k = q.reshape(-1, seq_q, d_head), k.reshape(-1, seq_k, d_head)
    start = torch.zeros(1, 1, 1, dtype=q.dtype, device=q.device)
    scores = torch.baddbmm(start, q, k.transpose(1, 2), beta=0, alpha=1 / math.sqrt(d_head))
    return scores.reshape(*front, seq_q, seq_k)
""",
        ),
        Alternative(
            "products summed by hand",
            """
def attention_scores(q, k):
    # (..., seq_q, 1, d_head) * (..., 1, seq_k, d_head) -> (..., seq_q, seq_k, d_head)
    return (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(dim=-1) / math.sqrt(q.shape[-1])
""",
        ),
        Alternative(
            "einops",
            """
import einops

def attention_scores(q, k):
    return q @ einops.rearrange(k, "... seq d -> ... d seq") / math.sqrt(k.shape[-1])
""",
        ),
    ),
    forbids=FORBIDS,
)
