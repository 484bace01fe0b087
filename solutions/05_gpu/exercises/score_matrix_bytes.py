"""`score_matrix_bytes`: computes how much memory the scores take."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def scores_of(draw: Draw, dtype: torch.dtype) -> Call:
    batch, num_heads, seq = draw.sizes("batch num_heads seq", low=3, high=64)
    return Call({"batch": batch, "num_heads": num_heads, "seq": seq, "dtype": dtype})


def scores_of_a_long_text(draw: Draw) -> Call:
    """More bytes than any machine has: whoever makes the tensor to ask for its size gets an error."""
    (num_heads,) = draw.sizes("num_heads", low=20, high=40)
    return Call(
        {"batch": 16, "num_heads": num_heads, "seq": 1_000_000 + draw.integer(0, 1000), "dtype": torch.bfloat16}
    )


BYTES = "batch * num_heads * seq * seq * dtype.itemsize"

EXERCISE = Exercise(
    name="score_matrix_bytes",
    returns=("the number of bytes",),
    cases=(
        Case("float32", lambda draw: scores_of(draw, torch.float32)),
        Case("bfloat16", lambda draw: scores_of(draw, torch.bfloat16)),
        Case("float64", lambda draw: scores_of(draw, torch.float64)),
        Case("float16", lambda draw: scores_of(draw, torch.float16)),
        Case("a text of a million words, in bfloat16", scores_of_a_long_text),
    ),
    misconceptions=(
        Misconception(
            "took 4 bytes for every dtype",
            replace="dtype.itemsize",
            by="4",
            hint="Only float32 and int32 have 4 bytes. bfloat16 has 2 and float64 has 8: ask the dtype.",
        ),
        Misconception(
            "took 2 bytes for every dtype",
            replace="dtype.itemsize",
            by="2",
            hint="Only half precision has 2 bytes. float32 has 4 and float64 has 8: ask the dtype.",
        ),
        Misconception(
            "counted numbers instead of bytes",
            replace=" * dtype.itemsize",
            by="",
            hint="Each number takes several bytes. How many depends on the dtype, which knows it.",
        ),
        Misconception(
            "counted bits instead of bytes",
            replace="dtype.itemsize",
            by="torch.finfo(dtype).bits",
            hint="The 32 in float32 counts bits, and a byte has eight of them.",
        ),
        Misconception(
            "forgot num_heads",
            replace="num_heads * ",
            by="",
            hint="Each head has weights of its own, so each has a score matrix of its own.",
        ),
        Misconception(
            "forgot the batch",
            replace="return batch * ",
            by="return ",
            hint="Each sentence of the batch has scores of its own.",
        ),
        Misconception(
            "counted one score for each word",
            replace="seq * seq",
            by="seq",
            hint="Each word is compared with each word: a matrix, not a row.",
        ),
        Misconception(
            "counted only the scores that a causal mask leaves",
            replace="seq * seq",
            by="(seq * (seq + 1) // 2)",
            hint="A mask blocks scores, it does not save their place: the tensor is (batch, num_heads, seq, seq).",
        ),
        Misconception(
            "returned mebibytes",
            replace=BYTES,
            by=f"{BYTES} / 2**20",
            hint="Return bytes, as a whole number.",
            check="shapes",
        ),
        Misconception(
            "made the tensor and asked it for its size",
            replace="return batch * num_heads * seq * seq * dtype.itemsize",
            by="return torch.zeros(batch, num_heads, seq, seq, dtype=dtype).nbytes",
            hint="For a long text no memory is large enough, and that is what you want to know before. The number "
            "follows from the sizes.",
            check="shapes",
        ),
        Misconception(
            "divided with /, which makes a float",
            replace="dtype.itemsize",
            by="torch.finfo(dtype).bits / 8",
            hint="The number is right, but it is a float. Bytes are counted in whole numbers.",
            check="shapes",
            shown_by=("/",),
        ),
        *(
            Misconception(
                f"returned {unit}",
                replace=BYTES,
                by=f"{BYTES} / {number}",
                hint="Return bytes, as a whole number.",
                check="shapes",
            )
            for unit, number in (
                ("gibibytes", "2**30"),
                ("kibibytes", "2**10"),
                ("megabytes, a million bytes each", "1e6"),
                ("gigabytes, a billion bytes each", "1e9"),
            )
        ),
        *(
            Misconception(
                f"left {missing} out of a table of sizes",
                replace="dtype.itemsize",
                by=f"{{{table}}}[dtype]",
                hint="A table knows only what somebody wrote into it, and torch has dozens of dtypes. Each of them "
                "knows itself how many bytes its numbers take.",
                check="shapes",
            )
            for missing, table in (
                ("bfloat16", "torch.float64: 8, torch.float32: 4, torch.float16: 2"),
                ("float64", "torch.float32: 4, torch.float16: 2, torch.bfloat16: 2"),
                ("float16", "torch.float64: 8, torch.float32: 4, torch.bfloat16: 2"),
                ("float64 and bfloat16", "torch.float32: 4, torch.float16: 2"),
                ("float64 and float16", "torch.float32: 4, torch.bfloat16: 2"),
            )
        ),
        Misconception(
            "took 4 bytes for every dtype but float16",
            replace="dtype.itemsize",
            by="(2 if dtype == torch.float16 else 4)",
            hint="float16 is not the only one that is not float32: bfloat16 has 2 bytes, too, and float64 has 8. Ask "
            "the dtype.",
        ),
        Misconception(
            "took 4 bytes for every dtype but bfloat16",
            replace="dtype.itemsize",
            by="(2 if dtype == torch.bfloat16 else 4)",
            hint="bfloat16 is not the only one that is not float32: float16 has 2 bytes, too, and float64 has 8. Ask "
            "the dtype.",
        ),
        Misconception(
            "took 2 bytes for half precision and 4 for all others",
            replace="dtype.itemsize",
            by="(2 if dtype in (torch.float16, torch.bfloat16) else 4)",
            hint="float64 has 8 bytes. Ask the dtype, and you need not list them.",
        ),
        Misconception(
            "took 4 bytes for float32 and 2 for all others",
            replace="dtype.itemsize",
            by="(4 if dtype == torch.float32 else 2)",
            hint="float64 has 8 bytes. Ask the dtype, and you need not list them.",
        ),
        Misconception(
            "counted each pair of words once",
            replace="seq * seq",
            by="(seq * (seq - 1) // 2)",
            hint="The score of a word for another is not the one of the other for it, and each word has one for "
            "itself: seq rows of seq scores.",
        ),
        Misconception(
            "counted the weights as well",
            replace="return batch",
            by="return 2 * batch",
            hint="The weights are another tensor of this size. Here only the scores are asked for.",
        ),
        Misconception(
            "rounded down to whole mebibytes",
            replace=BYTES,
            by=f"{BYTES} // 2**20",
            hint="Return bytes. In whole mebibytes, up to a million of them are lost, and a small matrix has none.",
        ),
    ),
    alternatives=(
        Alternative(
            "a tensor on meta, which takes no memory",
            """
def score_matrix_bytes(batch, num_heads, seq, dtype):
    return torch.empty(batch, num_heads, seq, seq, dtype=dtype, device="meta").nbytes
""",
        ),
        Alternative(
            "bits divided by eight, and a power",
            """
def score_matrix_bytes(batch, num_heads, seq, dtype):
    return batch * num_heads * seq**2 * torch.finfo(dtype).bits // 8
""",
        ),
        Alternative(
            "the element size of an empty tensor",
            """
import math

def score_matrix_bytes(batch, num_heads, seq, dtype):
    return math.prod((batch, num_heads, seq, seq, torch.tensor([], dtype=dtype).element_size()))
""",
        ),
    ),
)
