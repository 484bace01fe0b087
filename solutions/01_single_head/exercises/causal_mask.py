"""`causal_mask`: says which words each word may look at, itself and those before it."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, LARGEST


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


EXERCISE = Exercise(
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
            hint="Nothing is blocked: each word sees the whole future. A triangle must be cut out. (You did cut it? "
            "Then use the result: it is a new tensor.)",
        ),
        Misconception(
            "allowed each word only itself",
            replace=".tril()",
            by=".tril().triu()",
            hint="Only the diagonal is True: no word can look at any other. The words before it are allowed too.",
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
            hint="On a GPU the scores are there, and your mask would be on the CPU: torch refuses to combine them. "
            "Pass device to the function that makes the tensor.",
            check="shapes",
        ),
        Misconception(
            "left the first row empty",
            replace=".tril()",
            by=".tril() & (torch.arange(seq, device=device) > 0)[:, None]",
            hint="The first word may look at nothing, not even at itself. (Rows are counted from 0.)",
        ),
        Misconception(
            "left the last row empty",
            replace=".tril()",
            by=".tril() & (torch.arange(seq, device=device) < seq - 1)[:, None]",
            hint="The last word may look at nothing, not even at itself. (range(n) ends with n − 1 by itself.)",
        ),
        Misconception(
            "marked what is blocked with 1, and left the mask as ones and zeros",
            replace="return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()",
            by="return torch.ones(seq, seq, device=device).triu(1)",
            hint='A mask holds True and False, and in this course True means "may attend": the other triangle, the '
            "diagonal included.",
            check="shapes",
        ),
        Misconception(
            "made the mask of whole numbers, 1 and 0",
            replace="dtype=torch.bool, ",
            by="dtype=torch.long, ",
            hint="The numbers are right, but they are integers. A mask holds True and False, so that it can pick "
            "entries.",
            check="shapes",
        ),
        Misconception(
            "added two dimensions in front, as for batch and heads",
            replace=".tril()",
            by=".tril()[None, None]",
            hint="The mask is (seq, seq). It fits any batch as it is, since it is repeated along the dimensions in "
            "front.",
            check="shapes",
        ),
        Misconception(
            "returned a nested list",
            replace="return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()",
            by="return [[column <= row for column in range(seq)] for row in range(seq)]",
            hint="True and False may be where they belong, but a mask is a tensor: what uses it computes with all "
            "entries at once.",
            check="shapes",
        ),
        Misconception(
            "let each word see only itself and the one before it",
            replace=".tril()",
            by=".tril().triu(-1)",
            hint="Two diagonals are True. A word may look at all words before it, back to the first.",
        ),
        Misconception(
            "blocked everything",
            replace="return torch.ones(seq, seq",
            by="return torch.zeros(seq, seq",
            hint="Every entry is False: no word may look at any, not even at itself. (A triangle that is cut out of "
            "zeros holds zeros.)",
        ),
        Misconception(
            "cut the triangle out of a vector",
            replace="torch.ones(seq, seq, dtype=torch.bool, device=device).tril()",
            by="torch.ones(seq, device=device).tril().bool()",
            hint="A vector has no triangle. The mask has a row for each word that looks and a column for each that is "
            "looked at: begin with a square.",
            check="shapes",
            shown_by=("tril|triu",),
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
