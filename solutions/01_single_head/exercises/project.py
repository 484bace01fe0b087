"""`project`: makes queries, keys and values of a sentence, with three matrices."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, LARGEST


def project_call(draw: Draw, x: torch.Tensor, d_model: int, d_head: int) -> Call:
    weights = {name: draw.normal(d_model, d_head, scale=d_model**-0.5) for name in ("w_q", "w_k", "w_v")}
    return Call(inputs={"x": x, **weights})


def sentences_to_project(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    return project_call(draw, draw.normal(batch, seq, d_model), d_model, d_head)


def one_word_to_project(draw: Draw) -> Call:
    d_model, d_head = draw.sizes("d_model d_head", high=LARGEST)
    return project_call(draw, draw.normal(1, 1, d_model), d_model, d_head)


EXERCISE = Exercise(
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
            hint="The order of the outputs is queries, keys, values. Code that calls this function relies on it.",
        ),
        Misconception(
            "swapped keys and values",
            replace="return q, k, v",
            by="return q, v, k",
            hint="The order of the outputs is queries, keys, values. Code that calls this function relies on it.",
        ),
        Misconception(
            "returned only the queries",
            replace="return q, k, v",
            by="return q",
            hint="Return three tensors: queries, keys and values, separated by commas.",
            check="shapes",
        ),
        Misconception(
            "joined queries, keys and values into one tensor",
            replace="return q, k, v",
            by="return torch.cat((q, k, v), dim=-1)",
            hint="What follows uses the three separately. Return three tensors.",
            check="shapes",
        ),
        Misconception(
            "stacked queries, keys and values into one tensor",
            replace="return q, k, v",
            by="return torch.stack((q, k, v))",
            hint="What follows uses the three separately. Return three tensors.",
            check="shapes",
        ),
        Misconception(
            "transposed the weights, as nn.Linear does with its own",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="q = x @ w_q.T\n    k = x @ w_k.T\n    v = x @ w_v.T",
            hint="Here the weights are (d_model, d_head): d_model meets d_model without any transposing.",
            check="shapes",
        ),
        Misconception(
            "divided the queries by √d_head already here",
            replace="q = x @ w_q",
            by="q = x @ w_q / math.sqrt(w_q.shape[-1])",
            hint="The scores are divided by √d_head in the next exercise. If you divide here too, it happens twice.",
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
            hint="A product entry by entry needs two tensors of the same size. A projection is a matrix product: each "
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
        Misconception(
            "made the values with the queries' weights",
            replace="v = x @ w_v",
            by="v = x @ w_q",
            hint="What a word hands over need not be what it looks for. Values have a weight matrix of their own.",
        ),
        Misconception(
            "made the queries with the keys' weights",
            replace="q = x @ w_q",
            by="q = x @ w_k",
            hint="Queries and keys are the same vectors now, so each word fits itself best. Queries have a weight "
            "matrix of their own.",
        ),
        Misconception(
            "made all three with the queries' weights",
            replace="k = x @ w_k\n    v = x @ w_v",
            by="k = x @ w_q\n    v = x @ w_q",
            hint="Queries, keys and values are the same vectors now. Each of the three has a weight matrix of its own.",
        ),
        Misconception(
            "swapped queries and values",
            replace="return q, k, v",
            by="return v, k, q",
            hint="The order of the outputs is queries, keys, values. Code that calls this function relies on it.",
        ),
        Misconception(
            "scaled queries and keys to the length 1",
            replace="return q, k, v",
            by="return q / q.norm(dim=-1, keepdim=True), k / k.norm(dim=-1, keepdim=True), v",
            hint="How long a vector is counts too: a long query is surer of what it looks for. A projection is a "
            "matrix product and nothing else.",
        ),
        Misconception(
            "divided the keys by √d_head already here",
            replace="k = x @ w_k",
            by="k = x @ w_k / math.sqrt(w_k.shape[-1])",
            hint="The scores are divided by √d_head in the next exercise. If you divide here too, it happens twice.",
        ),
        Misconception(
            "divided queries and keys by √d_head already here",
            replace="q = x @ w_q\n    k = x @ w_k",
            by="q, k = x @ w_q / math.sqrt(w_q.shape[-1]), x @ w_k / math.sqrt(w_k.shape[-1])",
            hint="The scores are divided by √d_head in the next exercise, once. If you divide here too, it happens "
            "three times.",
        ),
        Misconception(
            "divided queries, keys and values by √d_head",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="q, k, v = (x @ w / math.sqrt(w.shape[-1]) for w in (w_q, w_k, w_v))",
            hint="Only the scores are divided by √d_head, and that is the next exercise. A projection is a matrix "
            "product and nothing else.",
        ),
        Misconception(
            "used the words themselves as keys",
            replace="k = x @ w_k",
            by="k = x",
            hint="The keys are projected too: they are as long as the queries, d_head, not d_model.",
            check="shapes",
        ),
        Misconception(
            "used the words themselves as queries",
            replace="q = x @ w_q",
            by="q = x",
            hint="The queries are projected too: they are as long as the keys, d_head, not d_model.",
            check="shapes",
        ),
        Misconception(
            "returned a dict",
            replace="return q, k, v",
            by='return {"q": q, "k": k, "v": v}',
            hint="A caller takes three tensors, by their order: queries, keys, values. Return them with commas between "
            "them.",
            check="shapes",
        ),
        Misconception(
            "applied a ReLU to queries, keys and values",
            replace="return q, k, v",
            by="return q.relu(), k.relu(), v.relu()",
            hint="All negative numbers are gone. A projection is a matrix product and nothing else: no activation "
            "follows.",
        ),
        Misconception(
            "transposed the keys already here",
            replace="return q, k, v",
            by="return q, k.transpose(-2, -1), v",
            hint="The keys are transposed where they meet the queries, and that is the next exercise. Here all three "
            "have the shape (batch, seq, d_head).",
            check="shapes",
        ),
        Misconception(
            "projected only the first sentence",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="q, k, v = x[0] @ w_q, x[0] @ w_k, x[0] @ w_v",
            hint="The first dimension of x is the batch, and it is to be there in the results too. A matrix product "
            "takes all sentences at once.",
            check="shapes",
        ),
        Misconception(
            "dealt the columns of one wide product out in turns",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="wide = x @ torch.cat((w_q, w_k, w_v), dim=1)\n    q, k, v = wide.unflatten(-1, (-1, 3)).unbind(-1)",
            hint="Of the matrices side by side, the first d_head columns make the queries, the next the keys, and the "
            "last the values. Yours takes every third column.",
        ),
        Misconception(
            "normalised each word before projecting it, as a transformer does",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="x = nn.functional.layer_norm(x, x.shape[-1:])\n    q, k, v = x @ w_q, x @ w_k, x @ w_v",
            hint="A transformer does so in a layer of its own, in front of this one. A projection takes x as it is.",
        ),
        Misconception(
            "normalised each word before projecting it",
            replace="q = x @ w_q\n    k = x @ w_k\n    v = x @ w_v",
            by="x = (x - x.mean(dim=-1, keepdim=True)) / x.std(dim=-1, keepdim=True)\n"
            "    q, k, v = x @ w_q, x @ w_k, x @ w_v",
            hint="A transformer does so in a layer of its own, in front of this one. A projection takes x as it is.",
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
