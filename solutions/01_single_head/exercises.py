"""What is known of the exercises of chapter 1: their cases, the mistakes learners make, other right solutions.

Read by `autograder`, in lesson order, through `EXERCISES`. The reference solutions stand in `lesson.py`.
"""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small
# Calls that would make this chapter's exercises pointless.
FORBIDS = ("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward")


def draw_with_head(draw: Draw, others: str) -> list[int]:
    """Draw `others` and then d_head, which is never 4: that is √16, the root of the lesson's d_model."""
    (d_head,) = draw.sizes("d_head", low=5, high=LARGEST)
    return [*draw.sizes(others, high=LARGEST), d_head]


# project


def project_call(draw: Draw, x: torch.Tensor, d_model: int, d_head: int) -> Call:
    weights = {name: draw.normal(d_model, d_head, scale=d_model**-0.5) for name in ("w_q", "w_k", "w_v")}
    return Call(inputs={"x": x, **weights})


def sentences_to_project(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    return project_call(draw, draw.normal(batch, seq, d_model), d_model, d_head)


def one_word_to_project(draw: Draw) -> Call:
    d_model, d_head = draw.sizes("d_model d_head", high=LARGEST)
    return project_call(draw, draw.normal(1, 1, d_model), d_model, d_head)


PROJECT = Exercise(
    name="project",
    returns=("q", "k", "v"),
    cases=(
        Case("a batch of sentences", sentences_to_project),
        Case("one sentence of a single word", one_word_to_project),
    ),
    misconceptions=(
        Misconception(
            "made the keys with the queries' weights",
            replace="k = x @ w_k",
            by="k = x @ w_q",
            hint="Queries and keys are the same vectors now, so each word fits itself best. Keys have a weight "
            "matrix of their own.",
        ),
        Misconception(
            "made the values with the keys' weights",
            replace="v = x @ w_v",
            by="v = x @ w_k",
            hint="What a word hands over need not be what it offers. Values have a weight matrix of their own.",
        ),
        Misconception(
            "used the words themselves as values",
            replace="v = x @ w_v",
            by="v = x",
            hint="The values are projected too: they are as long as queries and keys, d_head, not d_model.",
            check="shapes",
        ),
        Misconception(
            "swapped queries and keys",
            replace="return q, k, v",
            by="return k, q, v",
            hint="The order of the outputs is queries, keys, values. Whoever calls this function relies on it.",
        ),
        Misconception(
            "swapped keys and values",
            replace="return q, k, v",
            by="return q, v, k",
            hint="The order of the outputs is queries, keys, values. Whoever calls this function relies on it.",
        ),
        Misconception(
            "returned only the queries",
            replace="return q, k, v",
            by="return q",
            hint="Three tensors are asked for: queries, keys and values, separated by commas.",
            check="shapes",
        ),
        Misconception(
            "joined queries, keys and values into one tensor",
            replace="return q, k, v",
            by="return torch.cat((q, k, v), dim=-1)",
            hint="The three are used apart from each other in all that follows. Return three tensors.",
            check="shapes",
        ),
        Misconception(
            "stacked queries, keys and values into one tensor",
            replace="return q, k, v",
            by="return torch.stack((q, k, v))",
            hint="The three are used apart from each other in all that follows. Return three tensors.",
            check="shapes",
        ),
        Misconception(
            "transposed the weights, as nn.Linear does with its own",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="q = x @ w_q.T\n    k = x @ w_k.T\n    v = x @ w_v.T",
            hint="Here the weights are (d_model, d_head): d_model meets d_model without turning anything round.",
            check="shapes",
        ),
        Misconception(
            "divided the queries by √d_head already here",
            replace="q = x @ w_q",
            by="q = x @ w_q / math.sqrt(w_q.shape[-1])",
            hint="The scores are divided by √d_head in the next exercise. Done here as well, it happens twice.",
        ),
        Misconception(
            "put the weights on the left of x",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="q = w_q @ x\n    k = w_k @ x\n    v = w_v @ x",
            hint="x is (…, d_model) and a weight matrix (d_model, d_head): d_model meets d_model with x on the left.",
            check="shapes",
        ),
        Misconception(
            "multiplied entry by entry",
            shown_by=("*|mul|multiply",),
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="q = x * w_q\n    k = x * w_k\n    v = x * w_v",
            hint="A product entry by entry wants two tensors of the same size. A projection is a matrix product: each "
            "word's vector meets every column of the weights.",
            check="shapes",
        ),
        Misconception(
            "made the keys from the queries and the values from the keys",
            replace="k = x @ w_k\n    v = x @ w_v",
            by="k = q @ w_k\n    v = k @ w_v",
            hint="All three start from the words: x meets each of the three weight matrices.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "a tuple comprehension",
            """
def project(x, w_q, w_k, w_v):
    return tuple(x @ w for w in (w_q, w_k, w_v))
""",
        ),
        Alternative(
            "einsum",
            """
def project(x, w_q, w_k, w_v):
    q = torch.einsum("bsm,mh->bsh", x, w_q)
    k = torch.einsum("bsm,mh->bsh", x, w_k)
    v = torch.einsum("bsm,mh->bsh", x, w_v)
    return q, k, v
""",
        ),
        Alternative(
            "one product with all weights side by side",
            """
def project(x, w_q, w_k, w_v):
    return (x @ torch.cat((w_q, w_k, w_v), dim=-1)).chunk(3, dim=-1)
""",
        ),
        Alternative(
            "one product with stacked weights, as a list",
            """
def project(x, w_q, w_k, w_v):
    # (batch, 1, seq, d_model) @ (3, d_model, d_head) -> (batch, 3, seq, d_head)
    together = torch.matmul(x.unsqueeze(1), torch.stack([w_q, w_k, w_v]))
    return [together[:, role] for role in range(3)]
""",
        ),
        Alternative(
            "functional.linear",
            """
def project(x, w_q, w_k, w_v):
    linear = nn.functional.linear
    return linear(x, w_q.T), linear(x, w_k.T), linear(x, w_v.T)
""",
        ),
    ),
    forbids=FORBIDS,
)


# attention_scores


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


ATTENTION_SCORES = Exercise(
    name="attention_scores",
    returns=("scores",),
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
            "(You do divide? Then keep the result: it is a new tensor.)",
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
            "left the keys as they stand",
            replace="k.transpose(-2, -1)",
            by="k",
            hint="A matrix product wants the last dimension of the left side to meet the last but one of the right "
            "side. Here d_head meets the number of keys, and must meet d_head: turn the keys round.",
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
            "applied softmax already here",
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
            hint="The scores are right, but whoever called you now holds smaller queries than before. x /= … and "
            "methods that end in an underscore change the tensor itself; x / … makes a new one.",
        ),
        Misconception(
            "reversed all dimensions of the keys with .T",
            replace="k.transpose(-2, -1)",
            by="k.T",
            hint="That turns the batch round too. Swap the last two dimensions only.",
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
            "took for granted that there is exactly one dimension in front",
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
            hint="A size is a plain number of Python, and torch.sqrt wants a tensor. Python has a module of its own "
            "for plain numbers.",
            check="shapes",
        ),
        Misconception(
            "divided by the spread of these scores",
            replace="return q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            by="scores = q @ k.transpose(-2, -1)\n    return scores / scores.std()",
            hint="Then every score depends on all the others in the batch, and a head can never become surer. √d_head "
            "is known before there are any scores.",
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


# causal_mask


def mask_for_a_sentence(draw: Draw) -> Call:
    (seq,) = draw.sizes("seq", high=LARGEST)
    return Call(inputs={"seq": seq})


def mask_for_one_word(draw: Draw) -> Call:
    return Call(inputs={"seq": 1})


def mask_on_a_device(draw: Draw) -> Call:
    (seq,) = draw.sizes("seq", high=LARGEST)
    # "meta" is a pretend device: tensors there have a shape and no numbers. It shows without a GPU whether a mask
    # would be made on one.
    return Call(inputs={"seq": seq, "device": torch.device("meta")})


CAUSAL_MASK = Exercise(
    name="causal_mask",
    returns=("mask",),
    cases=(
        Case("a sentence of several words", mask_for_a_sentence),
        Case("a sentence of a single word", mask_for_one_word),
        Case("a given device, here the pretend device meta", mask_on_a_device),
    ),
    misconceptions=(
        Misconception(
            "kept the future instead of the past",
            replace=".tril()",
            by=".triu()",
            hint="Row 0 is all True: the first word may look at all that follows, and the last word only at "
            "itself. Keep the other triangle.",
        ),
        Misconception(
            "blocked each word from itself",
            replace=".tril()",
            by=".tril(-1)",
            hint="The diagonal is False, so the first word may look at nothing at all. A word may attend to itself.",
        ),
        Misconception(
            "let each word see one word ahead",
            replace=".tril()",
            by=".tril(1)",
            hint="The triangle reaches one diagonal too far. One look ahead is enough to read the answer.",
        ),
        Misconception(
            "marked what is blocked with True",
            replace="return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()",
            by="return ~torch.ones(seq, seq, dtype=torch.bool, device=device).tril()",
            hint='The mask is inverted: each word may see only the future. In this course True means "may attend".',
        ),
        Misconception(
            "allowed everything",
            replace=".tril()",
            by="",
            hint="Nothing is blocked: each word sees the whole future. A triangle must be cut out. (You do cut it? "
            "Then keep the result: it is a new tensor.)",
        ),
        Misconception(
            "allowed each word only itself",
            replace=".tril()",
            by=".tril().triu()",
            hint="Only the diagonal is True: no word can look at any other. What stands before it is allowed too.",
        ),
        Misconception(
            "left the mask as ones and zeros",
            replace="dtype=torch.bool, ",
            by="",
            hint="The numbers are right, but they are floats. A mask holds True and False, so that it can pick "
            "entries.",
            check="shapes",
        ),
        Misconception(
            "built the mask of 0 and −∞ that is added to scores",
            replace="return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()",
            by="return torch.full((seq, seq), -math.inf, device=device).triu(1)",
            hint="Some libraries add such a mask to the scores. Here a mask holds True and False.",
            check="shapes",
        ),
        Misconception(
            "added a batch dimension",
            replace=".tril()",
            by=".tril()[None]",
            hint="The mask is (seq, seq). It fits any batch as it is, since it is repeated along the dimensions "
            "in front.",
            check="shapes",
        ),
        Misconception(
            "ignored the device",
            replace=", device=device",
            by="",
            hint="On a GPU the scores lie there, and your mask would lie on the CPU: torch refuses to combine them. "
            "Hand device on to the function that makes the tensor.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "positions compared",
            """
def causal_mask(seq, device=None):
    position = torch.arange(seq, device=device)
    # (seq, 1) >= (seq) -> (seq, seq)
    return position[:, None] >= position
""",
        ),
        Alternative(
            "not the future",
            """
def causal_mask(seq, device=None):
    return ~torch.triu(torch.ones(seq, seq, dtype=torch.bool, device=device), diagonal=1)
""",
        ),
        Alternative(
            "tril of floats, then bool",
            """
def causal_mask(seq, device=None):
    return torch.tril(torch.ones(seq, seq, device=device)).bool()
""",
        ),
        Alternative(
            "a loop over rows",
            """
def causal_mask(seq, device=None):
    mask = torch.zeros(seq, seq, dtype=torch.bool, device=device)
    for row in range(seq):
        mask[row, : row + 1] = True
    return mask
""",
        ),
    ),
    forbids=FORBIDS,
)


# attention_weights


def weights_without_mask(draw: Draw) -> Call:
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    return Call(inputs={"scores": draw.normal(batch, seq_q, seq_k, scale=2.0), "mask": None})


def weights_with_mask(draw: Draw) -> Call:
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    scores = draw.normal(batch, seq_q, seq_k, scale=2.0)
    return Call(inputs={"scores": scores, "mask": draw.mask(batch, seq_q, seq_k)})


def weights_with_blocked_rows(draw: Draw) -> Call:
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    mask = draw.mask(batch, seq_q, seq_k)
    mask[0, draw.integer(0, seq_q - 1)] = False
    mask[batch - 1, draw.integer(0, seq_q - 1)] = False
    return Call(inputs={"scores": draw.normal(batch, seq_q, seq_k), "mask": mask})


def weights_of_large_scores(draw: Draw) -> Call:
    """Allowed scores lie about +1e4 in even rows and about -1e4 in odd ones, blocked ones far above."""
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    mask = draw.mask(seq_q, seq_k)
    level = torch.tensor([1e4, -1e4])[torch.arange(seq_q) % 2]
    # (batch, seq_q, seq_k) + (seq_q, 1) + (seq_q, seq_k)
    scores = draw.normal(batch, seq_q, seq_k) + level[:, None] + 3e4 * ~mask
    return Call(inputs={"scores": scores, "mask": mask})


def weights_of_groups(draw: Draw) -> Call:
    batch, group, seq_q, seq_k = draw.sizes("batch group seq_q seq_k", high=LARGEST)
    scores = draw.normal(batch, group, seq_q, seq_k)
    return Call(inputs={"scores": scores, "mask": draw.mask(batch, 1, 1, seq_k)})


def weights_of_one_query(draw: Draw) -> Call:
    batch, seq_k = draw.sizes("batch seq_k", high=LARGEST)
    return Call(inputs={"scores": draw.normal(batch, 1, seq_k), "mask": draw.mask(batch, 1, seq_k)})


MASKED_SOFTMAX = """if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        # softmax makes a row NaN if all of it is blocked
        weights = weights.masked_fill(~mask, 0.0)
    return weights"""
PICKED_OUT = (
    "An index picks entries out and lays them in a row: nobody knows any more whose scores they were. All scores stay "
    "where they are, and those that are blocked become −∞."
)


def masked_by(line: str) -> str:
    """The body of `attention_weights` as those write it who know of no second step: `line`, then softmax."""
    return f"if mask is not None:\n        {line}\n    return scores.softmax(dim=-1)"


ATTENTION_WEIGHTS = Exercise(
    name="attention_weights",
    returns=("weights",),
    cases=(
        Case("scores without a mask", weights_without_mask),
        Case("a mask of its own for each sentence", weights_with_mask),
        Case("a query that may attend to nothing", weights_with_blocked_rows),
        Case("scores of 10000 and more, and one mask for the whole batch", weights_of_large_scores),
        Case("an extra dimension in front, and a mask that is repeated along it", weights_of_groups),
        Case("a single query", weights_of_one_query),
    ),
    rtol=1e-3,  # at 10000 the logarithm of a sum, which some subtract, is no more exact than this
    misconceptions=(
        Misconception(
            "ran softmax over the queries",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=-2)",
            hint="Your columns sum to 1, your rows do not. Each query shares out a weight of 1 over the keys, and "
            "the keys are the last dimension.",
        ),
        Misconception(
            "ran softmax over the first dimension",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=0)",
            hint="The sentences of the batch now compete with each other. Each query shares out a weight of 1 "
            "over the keys, and the keys are the last dimension.",
        ),
        Misconception(
            "ran softmax over the whole matrix",
            replace="scores.softmax(dim=-1)",
            by="scores.flatten(-2).softmax(dim=-1).view_as(scores)",
            hint="All weights of a sentence together sum to 1. Each row has to, by itself.",
        ),
        Misconception(
            "inverted the mask",
            replace=MASKED_SOFTMAX,
            by=MASKED_SOFTMAX.replace("~mask", "mask"),
            hint='Your words look exactly where they may not. True means "may attend", so the places to fill are '
            "those where the mask is False.",
        ),
        Misconception(
            "ignored the mask",
            replace=MASKED_SOFTMAX,
            by="return scores.softmax(dim=-1)",
            hint="Blocked words still get weight. What softmax makes of a score depends on the score only, so the "
            "mask must change the scores first. (You do fill them? Then keep the result: it is a new tensor.)",
        ),
        Misconception(
            "applied the mask after softmax",
            replace="scores = scores.masked_fill(~mask, -math.inf)",
            by="pass",
            hint="Blocked words get 0, but they took part in softmax and their share is lost: your rows sum to "
            "less than 1. Block the scores before softmax.",
        ),
        Misconception(
            "applied the mask after softmax and rescaled the rows",
            replace=MASKED_SOFTMAX,
            by="""weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = (weights / weights.sum(dim=-1, keepdim=True)).nan_to_num(0.0)
    return weights""",
            shown_by=("softmax",),
            hint="That is right on paper. But if a blocked score is far larger than the others, those round to 0 "
            "in softmax and cannot be scaled up again. Block the scores before softmax.",
        ),
        Misconception(
            "masked with 0 instead of −∞",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, 0.0)"),
            hint="e to the power of 0 is 1, so blocked words keep a share. Only a score of −∞ gives a weight of 0.",
        ),
        Misconception(
            "masked with 0 instead of −∞ and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask, 0.0)",
            hint="e to the power of 0 is 1, so blocked words took a share before you blanked it: your rows sum to "
            "less than 1. Only a score of −∞ takes nothing.",
        ),
        Misconception(
            "added the boolean mask to the scores",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores + mask"),
            hint="True counts as 1 here, so allowed scores rose by 1 and nothing is blocked. A mask that is added "
            "must hold 0 and −∞; a boolean one picks the places to fill.",
        ),
        Misconception(
            "took −10000 for minus infinity",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, -1e4)"),
            hint="Ordinary scores can be that small, and then blocked words get a share. In a row where all is "
            "blocked, all words get the same share. Use the real −∞ and take care of such rows.",
        ),
        Misconception(
            "used a large negative number such as −1e9 for minus infinity",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, -1e9)"),
            hint="In a row where all is blocked, all scores are equal, so softmax gives each blocked word the same "
            "share. Blocked entries must be 0 there too.",
        ),
        Misconception(
            "left NaN in rows where all is blocked",
            replace="weights = weights.masked_fill(~mask, 0.0)",
            by="pass",
            hint="Where all is blocked there is nothing to share out, and 0 divided by 0 is NaN, as is −∞ minus −∞. "
            "One NaN spoils all that is computed from it. A query that may look at nothing takes nothing: its row is "
            "zeros.",
        ),
        Misconception(
            "took e to the power of the scores by hand",
            replace="scores.softmax(dim=-1)",
            by="scores.exp() / scores.exp().sum(dim=-1, keepdim=True)",
            hint="That is right for small scores only. e to the power of 10000 is infinite, and infinite divided "
            "by infinite is NaN. Softmax subtracts the row's largest score first.",
        ),
        Misconception(
            "divided the scores by their sum",
            replace="scores.softmax(dim=-1)",
            by="scores / scores.sum(dim=-1, keepdim=True)",
            hint="Scores may be negative, and then weights are negative or larger than 1. Softmax makes all of them "
            "positive first.",
        ),
        Misconception(
            "used a sigmoid",
            replace="scores.softmax(dim=-1)",
            by="scores.sigmoid()",
            hint="Each weight lies between 0 and 1, but a row does not sum to 1: this is no average. The words of "
            "a row must share out one weight of 1.",
        ),
        Misconception(
            "returned logarithms",
            replace="scores.softmax(dim=-1)",
            by="scores.log_softmax(dim=-1)",
            hint="Your weights are negative: they are logarithms, as a loss function wants them. An average needs "
            "the weights themselves.",
        ),
        Misconception(
            "returned scores without softmax",
            replace="weights = scores.softmax(dim=-1)",
            by="weights = scores",
            hint="These rows do not sum to 1. Softmax is what turns scores into weights.",
        ),
        Misconception(
            "transposed the mask",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask.transpose(-2, -1), -math.inf)",
            hint="The mask has a row for each query and a column for each key, just as the scores have.",
            check="shapes",
        ),
        Misconception(
            "changed the caller's scores in place",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill_(~mask, -math.inf)",
            hint="The weights are right, but whoever called you now holds scores full of −∞. x[…] = … and methods that "
            "end in an underscore change the tensor itself; masked_fill makes a new one.",
        ),
        Misconception(
            "blocked the forbidden words in one place and the allowed ones in the other",
            replace="weights.masked_fill(~mask, 0.0)",
            by="weights.masked_fill(mask, 0.0)",
            hint="Nothing is left: every weight is 0. The same places, where the mask is False, are filled before "
            "softmax and after it.",
        ),
        Misconception(
            "asked whether the mask is true, not whether there is one",
            replace="if mask is not None:\n        scores",
            by="if mask:\n        scores",
            hint="A mask of many entries is neither true nor false. Ask whether it is None.",
            check="shapes",
            shown_by=("if name|if not",),
        ),
        Misconception(
            "forgot that there may be no mask",
            replace="if mask is not None:\n        scores",
            by="if True:\n        scores",
            hint="If mask is None, nothing is blocked and nothing needs filling.",
            check="shapes",
        ),
        Misconception(
            "filled the blocked scores with +∞",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, math.inf)"),
            hint="e to the power of +∞ is infinite, and infinite divided by infinite is NaN. What is blocked needs "
            "the smallest score there is, not the largest.",
            shown_by=("no *|mul",),
        ),
        Misconception(
            "filled the blocked scores with +∞ and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask, math.inf)",
            hint="e to the power of +∞ is infinite, and infinite divided by infinite is NaN in the whole row. What is "
            "blocked needs the smallest score there is, not the largest.",
            shown_by=("no *|mul",),
        ),
        Misconception(
            "multiplied the mask by −∞",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores + ~mask * -math.inf"),
            hint="Where a word is allowed that is 0 times −∞, which is NaN and not 0. Put −∞ in the blocked places "
            "and leave the others alone.",
            shown_by=("*|mul",),
        ),
        Misconception(
            "multiplied the mask by −∞ and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores + ~mask * -math.inf",
            hint="Where a word is allowed that is 0 times −∞, which is NaN and not 0. Put −∞ in the blocked places "
            "and leave the others alone.",
            shown_by=("*|mul",),
        ),
        Misconception(
            "blocked the future where no mask is given",
            replace=MASKED_SOFTMAX,
            by="if mask is None:\n        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()\n    "
            + MASKED_SOFTMAX,
            hint="Without a mask nothing is blocked: every word may look at every word. Whether the future is blocked "
            "is up to the caller.",
        ),
        Misconception(
            "blocked the future where no mask is given, with a square mask",
            replace=MASKED_SOFTMAX,
            by="if mask is None:\n"
            "        mask = torch.ones(scores.shape[-1], scores.shape[-1], dtype=torch.bool).tril()\n    "
            + MASKED_SOFTMAX,
            hint="Without a mask nothing is blocked: every word may look at every word. (And there need not be as "
            "many queries as keys.)",
            check="shapes",
        ),
        Misconception(
            "took the mask as an index into the caller's own scores",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores[~mask] = -math.inf
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights[~mask] = 0.0
    return weights""",
            hint="An index has to be as large as what it picks from, and a mask may be smaller: one for the whole "
            "batch, or one for all queries. Besides, what is written there is written into the caller's scores. "
            "masked_fill repeats the mask where that is needed, and makes a new tensor.",
            check="shapes",
        ),
        Misconception(
            "picked the allowed scores out with the mask as an index",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores[mask]
    return scores.softmax(dim=-1)""",
            hint=PICKED_OUT,
            check="shapes",
        ),
        Misconception(
            "picked the allowed scores out with the mask as an index, even where there is no mask",
            replace=MASKED_SOFTMAX,
            by="return scores[mask].softmax(dim=-1)",
            hint=f"{PICKED_OUT} (An index of None picks nothing out and adds a dimension.)",
            check="shapes",
        ),
        Misconception(
            "took the mask as an index into the scores",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores.clone()
        scores[~mask] = -math.inf
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights[~mask] = 0.0
    return weights""",
            hint="An index has to be as large as what it picks from, and a mask may be smaller: one for the whole "
            "batch, or one for all queries. masked_fill and torch.where repeat the mask where that is needed.",
            check="shapes",
        ),
        Misconception(
            "asked for the opposite of the whole mask instead of each of its entries",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(not mask, -math.inf)",
            hint="not makes one True or False of a thing, and a mask of many entries is neither. Every entry of the "
            "mask has to be turned round by itself.",
            check="shapes",
            shown_by=("not",),
        ),
        Misconception(
            "took e to the power of the scores by hand and put 0 for NaN",
            replace=MASKED_SOFTMAX,
            by="""powers = scores.exp()
    if mask is not None:
        powers = powers.masked_fill(~mask, 0.0)
    return (powers / powers.sum(dim=-1, keepdim=True)).nan_to_num(0.0)""",
            hint="e to the power of 10000 is infinite, infinite divided by infinite is NaN, and then you write 0 over "
            "it: such rows lose their weight. Softmax subtracts the row's largest score first, so that nothing "
            "overflows.",
            shown_by=("exp",),
        ),
        Misconception(
            "ran softmax over dimension 1, counted from the front",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=1)",
            hint="With one dimension in front, dimension 1 is the queries: your columns sum to 1, your rows do not. "
            "Each query shares out a weight of 1 over the keys, and the keys are the last dimension, however many "
            "come before.",
        ),
        Misconception(
            "ran softmax over dimension 2, counted from the front",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=2)",
            hint="That is the keys where there is exactly one dimension in front, and something else where there are "
            "more. Count from the end: the keys are the last dimension.",
        ),
        Misconception(
            "added −∞ and mended the NaN afterwards",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores + torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)""",
            hint="The weights are right, and their gradient is NaN where all is blocked: what was mended after softmax "
            "comes back through softmax. Filling scores stops it there, as nothing flows back to an entry that was "
            "filled. Adding does not.",
        ),
        Misconception(
            "applied the mask after softmax and rescaled the rows, with a small number against dividing by 0",
            replace=MASKED_SOFTMAX,
            by="""weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-9)
    return weights""",
            hint="That is right on paper. But if a blocked score is far larger than the others, those round to 0 in "
            "softmax and cannot be scaled up again. Block the scores before softmax.",
            shown_by=("softmax",),
        ),
    ),
    alternatives=(
        Alternative(
            "the logarithm of the sum is subtracted",
            """
def attention_weights(scores, mask=None):
    keep = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand_as(scores)
    safe = torch.where(keep | ~keep.any(dim=-1, keepdim=True), scores, -torch.inf)
    return torch.exp(safe - safe.logsumexp(dim=-1, keepdim=True)) * keep
""",
        ),
        Alternative(
            "torch.where",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return torch.softmax(scores, dim=-1)
    weights = torch.where(mask, scores, float("-inf")).softmax(dim=-1)
    return torch.where(mask, weights, 0.0)
""",
        ),
        Alternative(
            "nan_to_num",
            """
def attention_weights(scores, mask=None):
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), float("-inf"))
    return nn.functional.softmax(scores, dim=-1).nan_to_num(0.0)
""",
        ),
        Alternative(
            "softmax by hand, with the largest score subtracted",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    scores = scores.masked_fill(~mask, -math.inf)
    largest = scores.amax(dim=-1, keepdim=True)
    largest = largest.masked_fill(largest == -math.inf, 0.0)
    exponentials = (scores - largest).exp()
    total = exponentials.sum(dim=-1, keepdim=True)
    return exponentials / total.masked_fill(total == 0, 1.0)
""",
        ),
        Alternative(
            "the exponential of log_softmax",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return scores.log_softmax(dim=-1).exp()
    weights = scores.masked_fill(mask == False, -math.inf).log_softmax(dim=-1).exp()
    return weights.masked_fill(mask == False, 0)
""",
        ),
        Alternative(
            "the smallest float, then blanked",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return scores.softmax(-1)
    blocked = ~mask
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(blocked, lowest).softmax(-1).masked_fill(blocked, 0)
""",
        ),
        Alternative(
            "a mask of 0 and −∞, added, but for rows in which all is blocked",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    bias = torch.zeros(mask.shape, dtype=scores.dtype, device=scores.device)
    bias[~mask & mask.any(dim=-1, keepdim=True)] = -math.inf
    return torch.where(mask, (scores + bias).softmax(dim=-1), 0.0)
""",
        ),
    ),
    forbids=FORBIDS,
    exact_zeros=True,
)


# attention


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
    """Whole multiples of 100, so that the products of queries and keys are whole multiples of 10000."""
    seq_q, seq_k, d_head = draw_with_head(draw, "seq_q seq_k")
    q, k = (100 * draw.normal(seq, d_head, scale=2.0).round() for seq in (seq_q, seq_k))
    v = draw.normal(seq_k, d_head)
    return Call(inputs={"q": q, "k": k, "v": v, "mask": draw.mask(seq_q, seq_k)})


ATTENTION = Exercise(
    name="attention",
    returns=("output", "weights"),
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
        Misconception(
            "forgot to pass the mask on",
            replace="attention_weights(scores, mask)",
            by="attention_weights(scores)",
            hint="Blocked words are looked at all the same. One of your two functions wants to know the mask.",
        ),
        Misconception(
            "inverted the mask on its way",
            replace="attention_weights(scores, mask)",
            by="attention_weights(scores, None if mask is None else ~mask)",
            hint='Your words look exactly where they may not. True means "may attend" from start to end.',
        ),
        Misconception(
            "returned only the output",
            replace="return output, weights",
            by="return output",
            hint="Two tensors are asked for: the output, and the weights that made it.",
            check="shapes",
        ),
        Misconception(
            "returned the weights first",
            replace="return output, weights",
            by="return weights, output",
            hint="The order of the outputs is: output, then weights.",
            check="shapes",
        ),
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
            hint="Your weights are too even. The scores come divided by √d_head already.",
        ),
        Misconception(
            "wrote the scores out anew and forgot to scale",
            replace="attention_scores(q, k)",
            by="q @ k.transpose(-2, -1)",
            hint="Your weights are too sharp. You have a function that computes the scores and divides them by "
            "√d_head.",
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
            hint="The weights are right but not used. Scores can be negative and do not sum to 1, so that is no "
            "average.",
        ),
        Misconception(
            "applied softmax a second time",
            replace="attention_weights(scores, mask)",
            by="attention_weights(scores, mask).softmax(dim=-1)",
            hint="Your weights are nearly all the same, and blocked words are back. Weights are finished when they "
            "come.",
        ),
        Misconception(
            "transposed the weights",
            replace="weights @ v",
            by="weights.transpose(-2, -1) @ v",
            hint="A row of weights belongs to a query and is as long as there are values. It meets the values as it "
            "stands.",
            check="shapes",
        ),
        Misconception(
            "scaled the output as well",
            replace="output = weights @ v",
            by="output = weights @ v / math.sqrt(v.shape[-1])",
            hint="Your output is √d_head times too small. Only the scores are scaled: an average of values is as "
            "large as the values.",
        ),
        Misconception(
            "added the queries to the output",
            replace="output = weights @ v",
            by="output = q + weights @ v",
            hint="A transformer does add its input back, but around the head, not in it. The output is the average "
            "of the values and nothing else.",
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
            hint="A product entry by entry wants two tensors of the same size. An average is a matrix product: each "
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
            hint="Your weights are nearly all the same: softmax has run twice. attention_weights wants the scores as "
            "they are.",
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


# SingleHeadAttention


def head_call(draw: Draw, x: torch.Tensor, mask: torch.Tensor | None, d_model: int, d_head: int) -> Call:
    state = {}
    for name in ("w_q", "w_k", "w_v"):
        state |= draw.linear(name, d_head, d_model)
    return Call(inputs={"x": x, "mask": mask}, init={"d_model": d_model, "d_head": d_head}, state=state)


def head_without_mask(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    return head_call(draw, draw.normal(batch, seq, d_model), None, d_model, d_head)


def head_under_causal_mask(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    return head_call(draw, draw.normal(batch, seq, d_model), mask, d_model, d_head)


def head_with_blocked_word(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    mask = draw.mask(batch, seq, seq)
    mask[draw.integer(0, batch - 1), draw.integer(0, seq - 1)] = False
    return head_call(draw, draw.normal(batch, seq, d_model), mask, d_model, d_head)


def head_on_one_word(draw: Draw) -> Call:
    batch, d_model, d_head = draw.sizes("batch d_model d_head", high=LARGEST)
    return head_call(draw, draw.normal(batch, 1, d_model), None, d_model, d_head)


LAYERS = """self.w_q = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_v = nn.Linear(d_model, d_head)"""

SINGLE_HEAD_ATTENTION = Exercise(
    name="SingleHeadAttention",
    returns=("output", "weights"),
    cases=(
        Case("a batch of sentences without a mask", head_without_mask),
        Case("a causal mask", head_under_causal_mask),
        Case("a mask for each sentence, and a word that may attend to nothing", head_with_blocked_word),
        Case("sentences of a single word", head_on_one_word),
    ),
    misconceptions=(
        Misconception(
            "left out the biases",
            replace=LAYERS,
            by=LAYERS.replace("d_head)", "d_head, bias=False)"),
            hint="Some models do without them, but here each of the three projections has a bias, as nn.Linear "
            "makes it.",
            check="shapes",
        ),
        Misconception(
            "swapped the sizes of the layers",
            replace=LAYERS,
            by=LAYERS.replace("d_model, d_head", "d_head, d_model"),
            hint="nn.Linear wants to know first how long the vectors are that go in, then how long those are that "
            "come out.",
            check="shapes",
        ),
        Misconception(
            "made all layers as wide as d_model",
            replace=LAYERS,
            by=LAYERS.replace("d_model, d_head", "d_model, d_model"),
            hint="A head works on shorter vectors: queries, keys and values have the length d_head.",
            check="shapes",
        ),
        Misconception(
            "let keys share the queries' layer",
            replace="self.w_k = nn.Linear(d_model, d_head)",
            by="self.w_k = self.w_q",
            hint="Two names for one layer: queries and keys can never become different. Each role has a layer of "
            "its own.",
            check="shapes",
        ),
        Misconception(
            "made one layer for queries, keys and values together",
            replace=LAYERS,
            by="self.w_qkv = nn.Linear(d_model, 3 * d_head)",
            hint="Real libraries do this, and it computes the same. But here three layers are asked for: "
            "w_q, w_k and w_v.",
            check="shapes",
        ),
        Misconception(
            "gave the layers other names",
            replace=LAYERS,
            by=LAYERS.replace("w_q", "query").replace("w_k", "key").replace("w_v", "value"),
            hint="Trained weights are loaded by name, so names are part of the task: w_q, w_k and w_v.",
            check="shapes",
        ),
        Misconception(
            "added an output projection",
            replace=LAYERS,
            by=LAYERS + "\n        self.w_o = nn.Linear(d_head, d_model)",
            hint="That layer comes when several heads are put together. A single head has three layers.",
            check="shapes",
        ),
        Misconception(
            "forgot to pass the mask on",
            replace="self.w_v(x), mask)",
            by="self.w_v(x))",
            hint="Blocked words are looked at all the same. Hand the mask on to the function that knows what to do.",
        ),
        Misconception(
            "inverted the mask on its way",
            replace="self.w_v(x), mask)",
            by="self.w_v(x), None if mask is None else ~mask)",
            hint='Your words look exactly where they may not. True means "may attend" from start to end.',
        ),
        Misconception(
            "always blocked the future",
            replace="self.w_v(x), mask)",
            by="self.w_v(x), causal_mask(x.shape[1], x.device) if mask is None else mask)",
            hint="Whether a head is causal is up to the one who calls it. Without a mask nothing is blocked.",
        ),
        Misconception(
            "used the keys as values",
            replace="self.w_v(x)",
            by="self.w_k(x)",
            hint="The layer for the values is there but never used, so it can never learn.",
        ),
        Misconception(
            "used the queries as keys",
            replace="self.w_k(x)",
            by="self.w_q(x)",
            hint="The layer for the keys is there but never used, so it can never learn.",
        ),
        Misconception(
            "swapped queries and keys",
            replace="attention(self.w_q(x), self.w_k(x)",
            by="attention(self.w_k(x), self.w_q(x)",
            hint="Now the keys ask and the queries answer. The order is queries, keys, values.",
        ),
        Misconception(
            "used the words themselves as values",
            replace="self.w_v(x)",
            by="x",
            hint="The output is as long as a value, d_head. Values are projected like queries and keys.",
            check="shapes",
        ),
        Misconception(
            "multiplied by the layers' weights and left out their biases",
            replace="attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)",
            by="attention(x @ self.w_q.weight.T, x @ self.w_k.weight.T, x @ self.w_v.weight.T, mask)",
            hint="A layer of nn.Linear is a weight and a bias. Call the layer, and it applies both.",
        ),
        Misconception(
            "scaled a second time",
            replace="attention(self.w_q(x)",
            by="attention(self.w_q(x) / math.sqrt(self.w_q.out_features)",
            hint="Your weights are too even. Your function for the scores divides by √d_head already.",
        ),
        Misconception(
            "returned only the output",
            replace="self.w_v(x), mask)",
            by="self.w_v(x), mask)[0]",
            hint="Two tensors are asked for: the output, and the weights that made it.",
            check="shapes",
        ),
        Misconception(
            "returned the weights first",
            replace="self.w_v(x), mask)",
            by="self.w_v(x), mask)[::-1]",
            hint="The order of the outputs is: output, then weights.",
            check="shapes",
        ),
        Misconception(
            "multiplied with a layer instead of calling it",
            replace="self.w_q(x)",
            by="x @ self.w_q",
            hint="A layer is called like a function, with the tensor in brackets. It knows its weight and its bias.",
            check="shapes",
        ),
        Misconception(
            "made the layers in __init__ and kept them nowhere",
            replace="self.w_q = nn.Linear(d_model, d_head)\n        self.w_k = nn.Linear(d_model, d_head)\n"
            "        self.w_v = nn.Linear(d_model, d_head)",
            by="w_q = nn.Linear(d_model, d_head)\n        w_k = nn.Linear(d_model, d_head)\n"
            "        w_v = nn.Linear(d_model, d_head)",
            hint="A name without self is gone when __init__ is over. What the module owns begins with self.",
            check="shapes",
            shown_by=("__init__: Linear",),
        ),
        Misconception(
            "cut the gradient off",
            replace="return attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)",
            by="with torch.no_grad():\n            return attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)",
            hint="The numbers are right, and training could not change them: torch has kept no record of how they "
            "came about. Something cuts that record off: detach, .data, numpy or no_grad, perhaps.",
        ),
        Misconception(
            "made the layers in forward, anew at each call",
            replace=LAYERS,
            by="""pass

    def forward(self, x, mask=None):
        w_q, w_k, w_v = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)""",
            hint="Each call starts with new random numbers, and what was learned is lost. A module makes its layers "
            "once, in __init__, and keeps them.",
            check="shapes",
            shown_by=("forward: Linear", "no __init__: Linear"),
        ),
        Misconception(
            "made only the values' layer as wide as d_model",
            replace="self.w_v = nn.Linear(d_model, d_head)",
            by="self.w_v = nn.Linear(d_model, d_model)",
            hint="The values of a head are as short as its queries and keys: d_head numbers.",
            check="shapes",
        ),
        Misconception(
            "made bare matrices instead of layers",
            replace=LAYERS,
            by="""self.w_q = nn.Parameter(torch.randn(d_model, d_head))
        self.w_k = nn.Parameter(torch.randn(d_model, d_head))
        self.w_v = nn.Parameter(torch.randn(d_model, d_head))""",
            hint="A matrix of your own can be learned too, but it has no bias. Here w_q, w_k and w_v are layers, each "
            "with a weight and a bias.",
            check="shapes",
        ),
        Misconception(
            "gave project the layers' weights the way nn.Linear keeps them",
            replace="attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)",
            by="attention(*project(x, self.w_q.weight, self.w_k.weight, self.w_v.weight), mask)",
            hint="nn.Linear keeps its weight as (out, in), and project wants (d_model, d_head). Besides, the biases "
            "would be missing: call the layers.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "one product with all weights side by side",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.w_q = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_v = nn.Linear(d_model, d_head)

    def forward(self, x, mask=None):
        layers = (self.w_q, self.w_k, self.w_v)
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        # (batch, seq, d_model) -> (batch, seq, 3 * d_head) -> three of (batch, seq, d_head)
        q, k, v = nn.functional.linear(x, weight, bias).chunk(3, dim=-1)
        return attention(q, k, v, mask)
""",
        ),
        Alternative(
            "layers made in a loop",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        for name in ("w_q", "w_k", "w_v"):
            self.add_module(name, nn.Linear(d_model, d_head, bias=True))

    def forward(self, x, mask=None):
        output, weights = attention(*(layer(x) for layer in (self.w_q, self.w_k, self.w_v)), mask=mask)
        return output, weights
""",
        ),
        Alternative(
            "project with the layers' weights, plus their biases",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super(SingleHeadAttention, self).__init__()
        self.w_v = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_q = nn.Linear(d_model, d_head)

    def forward(self, x, mask=None):
        q, k, v = project(x, self.w_q.weight.T, self.w_k.weight.T, self.w_v.weight.T)
        return attention(q + self.w_q.bias, k + self.w_k.bias, v + self.w_v.bias, mask)
""",
        ),
        Alternative(
            "all steps in forward",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.d_head = d_head
        self.w_q, self.w_k, self.w_v = (nn.Linear(d_model, d_head) for _ in range(3))

    def forward(self, x, mask=None):
        q, k, v = self.w_q(x), self.w_k(x), self.w_v(x)
        scores = torch.bmm(q, k.transpose(1, 2)) * self.d_head**-0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = scores.softmax(dim=2).nan_to_num(0.0)
        return torch.bmm(weights, v), weights
""",
        ),
    ),
    builds_on=("project", "attention_scores", "attention_weights", "attention"),
    forbids=FORBIDS,
    exact_zeros=True,
)


EXERCISES = [PROJECT, ATTENTION_SCORES, CAUSAL_MASK, ATTENTION_WEIGHTS, ATTENTION, SINGLE_HEAD_ATTENTION]
