"""`causal_mask_like`: makes a causal mask that fits a batch of sentences and lies where they do."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import LARGEST, META


def sentences(draw: Draw, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return draw.normal(*draw.sizes("batch seq d_model", high=LARGEST)).to(dtype)


def one_word_each(draw: Draw) -> Call:
    batch, d_model = draw.sizes("batch d_model", high=LARGEST)
    return Call({"x": draw.normal(batch, 1, d_model)})


def mask_here_and_on_a_gpu(target, x):
    """Ask for the mask where x lies and, if this machine has a GPU, there too; else the answer counts for both."""
    import torch

    here = target(x)
    if x.is_meta or not torch.cuda.is_available():
        return here, here
    try:
        there = x.cuda()
    except RuntimeError:  # a GPU that cannot be used is no fault of the learner's
        return here, here
    return here, target(there)


EXERCISE = Exercise(
    name="causal_mask_like",
    keeps_dtype=True,
    returns=("mask", "mask on a GPU"),
    cases=(
        Case("sentences on the CPU", lambda draw: Call({"x": sentences(draw)})),
        Case(
            "sentences on another device, here the pretend device meta",
            lambda draw: Call({"x": sentences(draw).to(META)}),
        ),
        Case("sentences in bfloat16", lambda draw: Call({"x": sentences(draw, torch.bfloat16)})),
        Case("sentences of a single word", one_word_each),
    ),
    misconceptions=(
        Misconception(
            "asked only whether x is on CUDA",
            replace="device=x.device",
            by='device="cuda" if x.is_cuda else "cpu"',
            hint="There are other devices than CPU and CUDA: Apple's GPU, for one, where the mask would not follow x. "
            "x knows its device, whatever that is.",
            check="shapes",
            shown_by=("is_cuda|type", "no is_available|best_device"),
        ),
        Misconception(
            "took the best device of the machine, not the one where x lies",
            replace="device=x.device",
            by="device=best_device()",
            hint="x need not be there: on a machine with a GPU, sentences may also lie on the CPU. Ask x for its "
            "device.",
            check="shapes",
            shown_by=("is_available|best_device",),
        ),
        Misconception(
            "built the mask on the CPU",
            replace=", device=x.device",
            by="",
            hint="If x is on another device, the mask is not, and torch refuses to combine them. Ask x for its device.",
            check="shapes",
        ),
        Misconception(
            "took d_model for the number of words",
            replace="x.shape[1]",
            by="x.shape[-1]",
            hint="The last dimension of x is the length of a word's vector. The mask has a row and a column for each "
            "word.",
            check="shapes",
        ),
        Misconception(
            "took the batch for the number of words",
            replace="x.shape[1]",
            by="x.shape[0]",
            hint="The first dimension of x counts the sentences, and so does len(x). The mask has a row and a column "
            "for each word.",
            check="shapes",
        ),
        Misconception(
            "gave the mask the dtype of x as well",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return causal_mask(x.shape[1], device=x.device).to(x)",
            hint="Use the device of x, not its dtype: a mask holds True and False. (.to(x), new_ones and ones_like "
            "take over both.)",
            check="shapes",
        ),
        Misconception(
            "made a mask for each sentence",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return causal_mask(x.shape[1], device=x.device).expand(x.shape[0], -1, -1)",
            hint="All sentences of a batch share the mask: (seq, seq) is repeated where it is used.",
            check="shapes",
        ),
        Misconception(
            "let each word see the future and not the past",
            replace="device=x.device)",
            by="device=x.device).T",
            hint="The mask is transposed: its first row is all True. Row i says what word i may look at.",
        ),
        Misconception(
            "marked what is blocked with True",
            replace="return causal_mask",
            by="return ~causal_mask",
            hint='The mask is inverted. In this course, and in scaled_dot_product_attention, True means "may attend".',
        ),
        Misconception(
            "blocked each word from itself",
            replace="device=x.device)",
            by="device=x.device).tril(-1)",
            hint="The diagonal is False, so the first word may look at nothing at all. A word may attend to itself.",
        ),
        Misconception(
            "allowed everything",
            replace="device=x.device)",
            by="device=x.device) | True",
            hint="Nothing is blocked: each word sees the whole future. A triangle must be cut out.",
        ),
        Misconception(
            "left the mask as floats",
            replace="device=x.device)",
            by="device=x.device).float()",
            hint="The numbers are right, but scaled_dot_product_attention adds a mask of floats to the scores, so that "
            "nothing is blocked. A mask holds True and False.",
            check="shapes",
        ),
        Misconception(
            "gave the mask dimensions for batch and heads",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return causal_mask(x.shape[1], device=x.device)[None, None]",
            hint="torch adds such dimensions by itself where the mask meets the scores. Return (seq, seq).",
            check="shapes",
        ),
        Misconception(
            "let each word see the next one as well",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril(1)",
            hint="The diagonal above the main one is True, too: word i sees word i + 1, the very one that it is to "
            "predict. Row i is True up to column i and no further.",
        ),
        Misconception(
            "made a mask of 0 and −∞",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return torch.full((x.shape[1], x.shape[1]), float('-inf'), device=x.device).triu(1)",
            hint="Such a mask is added to the scores, and some code does that. Here a mask holds True and False.",
            check="shapes",
        ),
        Misconception(
            "made the mask as large as x",
            replace="causal_mask(x.shape[1], device=x.device)",
            by="torch.ones_like(x, dtype=torch.bool).tril()",
            hint="x has a row for each word and a column for each feature. The mask has a row and a column for each "
            "word, and is the same for all sentences.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "from nothing but torch",
            """
def causal_mask_like(x):
    batch, seq, d_model = x.shape
    return torch.ones(seq, seq, dtype=torch.bool, device=x.device).tril()
""",
        ),
        Alternative(
            "new_ones, with a dtype of its own",
            """
def causal_mask_like(x):
    return x.new_ones(x.size(-2), x.size(-2), dtype=torch.bool).tril()
""",
        ),
        Alternative(
            "positions compared",
            """
def causal_mask_like(x):
    position = torch.arange(x.shape[1], device=x.device)
    return position[:, None] >= position[None, :]
""",
        ),
        Alternative(
            "built on the CPU and moved",
            """
def causal_mask_like(x):
    return causal_mask(x.shape[1]).to(x.device)
""",
        ),
    ),
    probe=mask_here_and_on_a_gpu,
)
