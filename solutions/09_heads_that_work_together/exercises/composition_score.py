"""`composition_score`: measures how much of what one head writes another head's keys read."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def two_heads(draw: Draw, related: float) -> Call:
    """The matrices of two heads, each a product of two narrow ones, as heads have them.

    Args:
        related: how much of the first's output space is in the second's keys.
    """
    d_head, (d_model,) = draw.sizes("d_head", low=2, high=4)[0], draw.sizes("d_model", low=6, high=11)
    reads, writes = draw.normal(d_head, d_model), draw.normal(d_model, d_head)
    keys = related * writes.T + draw.normal(d_head, d_model)
    return Call({"first": 0.3 * writes @ reads, "second": 0.7 * draw.normal(d_model, d_head) @ keys})


def a_number(composition_score, first, second):
    """Return the score as a tensor of one number: a float is as good."""
    import torch

    score = composition_score(first, second)
    return torch.tensor(score) if isinstance(score, float) else score


READ = "second @ first"
LENGTHS = "(first.norm() * second.norm())"
SCORE = f"read.norm() / {LENGTHS}"

EXERCISE = Exercise(
    name="composition_score",
    returns=("score",),
    cases=(
        Case("two heads that have nothing to do with each other", lambda draw: two_heads(draw, 0.0)),
        Case("a head that reads much of what the other writes", lambda draw: two_heads(draw, 2.0)),
    ),
    misconceptions=(
        Misconception(
            "multiplied the matrices in the other order",
            replace=READ,
            by="first @ second",
            hint="A vector passes through the matrix next to it first: in A @ B @ x, that is B. Which head comes "
            "first?",
        ),
        Misconception(
            "asked what the queries read",
            replace=READ,
            by="second.T @ first",
            hint="That is Q-composition. In second, rows belong to the query and columns to the key: what is "
            "multiplied from the right meets the keys.",
        ),
        Misconception(
            "transposed what the first head writes",
            replace=READ,
            by="second @ first.T",
            hint="Transposed, a matrix swaps what is read and what is written: you compare with what the first head "
            "reads. Rows of first belong to what it writes.",
        ),
        Misconception(
            "multiplied entry by entry",
            replace=READ,
            by="second * first",
            hint="One matrix after the other is a product of matrices. `*` multiplies entry by entry.",
        ),
        Misconception(
            "forgot to divide by the sizes of the matrices",
            replace=SCORE,
            by="read.norm()",
            hint="Two large matrices have a large product, whether or not one reads the other. Divide by both sizes.",
        ),
        Misconception(
            "divided by the size of the first matrix only",
            replace=LENGTHS,
            by="first.norm()",
            hint="Your score grows with the second matrix. Divide by both sizes.",
        ),
        Misconception(
            "divided by the size of the second matrix only",
            replace=LENGTHS,
            by="second.norm()",
            hint="Your score grows with the first matrix. Divide by both sizes.",
        ),
        Misconception(
            "divided by the sum of the sizes",
            replace=LENGTHS,
            by="(first.norm() + second.norm())",
            hint="The size of a product is at most the product of the sizes, and that is what to divide by. With the "
            "sum, the score changes if both matrices are doubled.",
        ),
        Misconception(
            "multiplied by the second size instead of dividing by it",
            replace=SCORE,
            by="read.norm() / first.norm() * second.norm()",
            hint="a / b * c divides by b and multiplies by c. Put the product below the line in brackets.",
        ),
        Misconception(
            "multiplied by both sizes",
            replace="read.norm() /",
            by="read.norm() *",
            hint="Two large matrices then get an even larger score. Divide by their sizes.",
        ),
        Misconception(
            "squared the score",
            replace=SCORE,
            by=f"({SCORE}) ** 2",
            hint="The size of a matrix is the ROOT of the sum of its squared entries.",
        ),
        Misconception(
            "left the roots out above the line only",
            replace="read.norm() /",
            by="read.square().sum() /",
            hint="Above the line you have the sum of the squares, below it roots of such sums. Take the root in all "
            "three places.",
        ),
        Misconception(
            "took the largest stretch instead of the Frobenius norm",
            replace=SCORE,
            by="torch.linalg.matrix_norm(read, 2) / (torch.linalg.matrix_norm(first, 2) * "
            "torch.linalg.matrix_norm(second, 2))",
            hint="With ord=2 a matrix norm is the largest singular value, one direction out of all. Here every entry "
            "counts: the root of the sum of their squares.",
        ),
        Misconception(
            "took the largest stretch above the line only",
            replace="read.norm() /",
            by="torch.linalg.matrix_norm(read, 2) /",
            hint="With ord=2 a matrix norm is the largest singular value, one direction out of all. Here every entry "
            "counts: the root of the sum of their squares.",
        ),
        Misconception(
            "added up the entries as they are",
            replace=SCORE,
            by="read.sum() / (first.sum() * second.sum())",
            hint="Entries below 0 cancel others. The size of a matrix is the root of the sum of its SQUARED entries.",
        ),
        Misconception(
            "divided by the numbers of entries",
            replace=LENGTHS,
            by="(first.numel() * second.numel())",
            hint="How many entries a matrix has is not its size here. Take the root of the sum of its squared entries, "
            "in all three places.",
        ),
        Misconception(
            "divided by the product in the other order",
            replace=LENGTHS,
            by="(first @ second).norm()",
            hint="Below the line are the sizes of the two matrices by themselves, multiplied.",
        ),
        Misconception(
            "added up absolute values",
            replace=SCORE,
            by="read.abs().sum() / (first.abs().sum() * second.abs().sum())",
            hint="The size of a matrix is the root of the sum of its SQUARED entries.",
        ),
        Misconception(
            "averaged absolute values",
            replace=SCORE,
            by="read.abs().mean() / (first.abs().mean() * second.abs().mean())",
            hint="The size of a matrix is the root of the sum of its squared entries, not the mean of their absolute "
            "values.",
        ),
        Misconception(
            "took the largest entries",
            replace=SCORE,
            by="read.abs().max() / (first.abs().max() * second.abs().max())",
            hint="One entry says little about a matrix. Its size is the root of the sum of its squared entries.",
        ),
        Misconception(
            "took the cosine of the two matrices",
            replace=SCORE,
            by=f"(first * second).sum() / {LENGTHS}",
            hint="The cosine asks whether the matrices are alike. They need not be: what the one writes is to be READ "
            "by the other, one after the other.",
        ),
        Misconception(
            "took the trace of the product",
            replace="read.norm() /",
            by="read.trace() /",
            hint="The trace adds up the diagonal only, and may be negative. The size of the product is wanted.",
        ),
        Misconception(
            "subtracted what two random matrices would give",
            replace=f"return {SCORE}",
            by=f"return {SCORE} - len(first) ** -0.5",
            hint="Return the score itself. The caller compares it with that of random matrices.",
        ),
        Misconception(
            "divided by what two random matrices would give",
            replace=f"return {SCORE}",
            by=f"return {SCORE} * len(first) ** 0.5",
            hint="Return the score itself. The caller compares it with that of random matrices.",
        ),
        Misconception(
            "took the mean of the squares, not their sum, in each size",
            replace=SCORE,
            by="read.square().mean().sqrt() / (first.square().mean().sqrt() * second.square().mean().sqrt())",
            hint="With means, the numbers of entries no longer cancel, and the score grows with d_model. Add the "
            "squares up.",
        ),
        Misconception(
            "returned the product of the matrices",
            replace=f"return {SCORE}",
            by="return read",
            hint="That is what the keys read, as a matrix. Return one number: how large it is, compared to the two.",
            check="shapes",
        ),
        Misconception(
            "returned the product, scaled",
            replace=SCORE,
            by=f"read / {LENGTHS}",
            hint="One number is wanted. Above the line, take the size of the product.",
            check="shapes",
        ),
        Misconception(
            "took the length of each column in all three places",
            replace=SCORE,
            by="read.norm(dim=0) / (first.norm(dim=0) * second.norm(dim=0))",
            hint="You have a number for each column. The size of a matrix takes all entries together.",
            check="shapes",
        ),
        Misconception(
            "took the length of each row",
            replace="read.norm()",
            by="read.norm(dim=-1)",
            hint="You have a number for each row. The size of a matrix takes all entries together.",
            check="shapes",
        ),
        Misconception(
            "left the roots out below the line only",
            replace=LENGTHS,
            by="(first.square().sum() * second.square().sum())",
            hint="Below the line you have the sums of the squares, above it the root of such a sum. Take the root "
            "in all three places.",
        ),
        Misconception(
            "divided by the root of the product of the sizes",
            replace=LENGTHS,
            by="(first.norm() * second.norm()).sqrt()",
            hint="One root too many: your score doubles if both matrices are doubled. Divide by both sizes as they "
            "are.",
        ),
        Misconception(
            "added up the singular values in each size",
            replace=SCORE,
            by="torch.linalg.matrix_norm(read, 'nuc') / (torch.linalg.matrix_norm(first, 'nuc') * "
            "torch.linalg.matrix_norm(second, 'nuc'))",
            hint="That is the nuclear norm. The size of a matrix is here the root of the sum of its squared entries.",
        ),
        Misconception(
            "took the largest sum of a column in each size",
            replace=SCORE,
            by="torch.linalg.matrix_norm(read, 1) / (torch.linalg.matrix_norm(first, 1) * "
            "torch.linalg.matrix_norm(second, 1))",
            hint="For a matrix, ord=1 is the largest sum of absolute values in a column. Here every entry counts: the "
            "root of the sum of their squares.",
        ),
        Misconception(
            "took the size of each row",
            replace=SCORE,
            by="read.norm(dim=-1) / (first.norm(dim=-1) * second.norm(dim=-1))",
            hint="With a dimension, norm gives a size for each row. The size of a matrix is one number, from all its "
            "entries.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "linalg, with a float",
            """
def composition_score(first, second):
    size = torch.linalg.matrix_norm
    return (size(second @ first) / size(first) / size(second)).item()
""",
        ),
        Alternative(
            "roots of sums of squares",
            """
def composition_score(first, second):
    def frobenius(matrix):
        return (matrix ** 2).sum().sqrt()

    return frobenius(torch.matmul(second, first)) / (frobenius(second) * frobenius(first))
""",
        ),
        Alternative(
            "singular values",
            """
def composition_score(first, second):
    def size(matrix):
        # the squares of the singular values add up to the squares of all entries
        return torch.linalg.svdvals(matrix).square().sum().sqrt()

    return size(torch.einsum("qk,km->qm", second, first)) / (size(first) * size(second))
""",
        ),
        Alternative(
            "both matrices scaled to size 1 first",
            """
def composition_score(first, second):
    return torch.linalg.norm((second / torch.linalg.norm(second)) @ (first / torch.linalg.norm(first)))
""",
        ),
    ),
    probe=a_number,
    gradients=False,
)
