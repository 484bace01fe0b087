"""`padding_mask`: says which places of a padded batch hold words."""

import torch
from torch import Tensor

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS


def lengths_of(draw: Draw, batch: int, seq: int) -> Tensor:
    """Draw `batch` lengths, 1 … seq, among them seq itself and a shorter one."""
    lengths = [draw.integer(1, seq) for _ in range(batch)]
    lengths[draw.integer(1, batch - 1)] = seq
    lengths[0] = draw.integer(1, seq - 2)
    return torch.tensor(lengths)


def sentences_of_several_lengths(draw: Draw) -> Call:
    batch, seq = draw.sizes("batch seq", low=3, high=7)
    return Call({"lengths": lengths_of(draw, batch, seq), "seq": seq})


def room_to_spare(draw: Draw) -> Call:
    batch, seq = draw.sizes("batch seq", low=4, high=8)
    lengths = lengths_of(draw, batch - 1, seq - 1).int()
    return Call({"lengths": torch.cat((lengths, lengths.new_zeros(1))), "seq": seq})


def lengths_elsewhere(draw: Draw) -> Call:
    batch, seq = draw.sizes("batch seq", low=3, high=7)
    lengths = lengths_of(draw, batch, seq)
    return Call({"lengths": lengths, "seq": seq, "device": torch.device("meta")})


def mask_or_its_place(target, lengths, seq, device=None):
    """Return the mask. Where a device is given: whether the mask would lie there if lengths did."""
    import torch

    if device is None:
        return target(lengths, seq)
    try:
        there = target(lengths.to(device), seq).device.type == device.type
    except Exception:
        # A pretend device has no numbers, and a loop over the lengths reads them. So the other way round: the lengths
        # stay here, and whatever is made without saying where is made there.
        try:
            with torch.device(device):
                there = target(lengths, seq).device == lengths.device
        except Exception:
            there = False
    return "on the device of lengths" if there else "on another device"


REAL = "positions < lengths[:, None, None, None]"

EXERCISE = Exercise(
    name="padding_mask",
    returns=("mask",),
    cases=(
        Case("sentences of several lengths", sentences_of_several_lengths),
        Case("an empty sentence, a seq that no sentence fills, and lengths in int32", room_to_spare),
        Case("lengths on another device, here the pretend device meta", lengths_elsewhere),
    ),
    misconceptions=(
        Misconception(
            "marked the padding with True",
            replace=REAL,
            by="positions >= lengths[:, None, None, None]",
            hint='The mask is inverted: words may look at the padding only. In this course True means "may attend".',
        ),
        Misconception(
            "let one padding through",
            replace=REAL,
            by="positions <= lengths[:, None, None, None]",
            hint="Positions begin with 0: a sentence of 4 words has the positions 0, 1, 2 and 3, and not 4.",
        ),
        Misconception(
            "blocked the last word too",
            replace=REAL,
            by="positions < lengths[:, None, None, None] - 1",
            hint="One True is missing in each sentence: one of length 4 has 4 words that may be looked at.",
        ),
        Misconception(
            "ended a slice one word early",
            replace=REAL,
            by="(positions < torch.where(lengths > 0, lengths, seq)[:, None, None, None] - 1)",
            hint="A slice ends before its second number: [:4] has four places. (For a length of 0, [:-1] is all "
            "but the last.)",
        ),
        Misconception(
            "blocked the first words instead of the last ones",
            replace=REAL,
            by="positions >= seq - lengths[:, None, None, None]",
            hint="That is right for padding in front. Here the words come first and the padding after them.",
        ),
        Misconception(
            "used the longest sentence's length for all",
            replace=REAL,
            by="(positions < lengths.max()).expand(len(lengths), 1, 1, seq)",
            hint="Each sentence has its own length, so each has its own row of the mask.",
        ),
        Misconception(
            "left out the dimensions for heads and queries",
            replace="lengths[:, None, None, None]",
            by="lengths[:, None]",
            hint="Scores are (batch, num_heads, seq_q, seq_k), and shapes are lined up from the right: (batch, seq) "
            "would be taken for queries and keys. Two dimensions of 1 belong in between.",
            check="shapes",
        ),
        Misconception(
            "left out the dimension for the heads",
            replace="lengths[:, None, None, None]",
            by="lengths[:, None, None]",
            hint="Scores are (batch, num_heads, seq_q, seq_k), and shapes are lined up from the right: your batch "
            "would meet the heads. One more dimension of 1 belongs in between.",
            check="shapes",
        ),
        Misconception(
            "blocked queries instead of keys",
            replace="return " + REAL,
            by="return (" + REAL + ").transpose(-2, -1)",
            hint="Scores are (batch, num_heads, seq_q, seq_k). The padding must not be looked at: the mask must "
            "differ along the last dimension, the keys.",
            check="shapes",
        ),
        Misconception(
            "wrote the mask out for every query",
            replace="return " + REAL,
            by="return (" + REAL + ").expand(-1, 1, seq, seq)",
            hint="That is right but larger than it need be, and it assumes that there are as many queries as keys. A "
            "dimension of 1 is repeated where it is used.",
            check="shapes",
        ),
        Misconception(
            "blocked the padding as queries too",
            replace="return " + REAL,
            by="words = " + REAL + "\n    return words & words.transpose(-2, -1)",
            hint="What padding looks at does no harm: its output is not used. And queries need not be the same "
            "sentence as keys. Mask the keys only.",
            check="shapes",
        ),
        Misconception(
            "made the mask as long as the longest sentence",
            replace="torch.arange(seq, device=lengths.device)",
            by="torch.arange(int(lengths.max()), device=lengths.device)",
            hint="A batch may be longer than its longest sentence. Its length is seq.",
            check="shapes",
        ),
        Misconception(
            "left the mask as ones and zeros",
            replace="return " + REAL,
            by="return (" + REAL + ").float()",
            hint="The numbers are right, but they are floats. A mask holds True and False, so that it can be combined "
            "with & and can pick entries.",
            check="shapes",
        ),
        Misconception(
            "built the mask of 0 and −∞ that is added to scores",
            replace="return " + REAL,
            by="return torch.zeros(len(lengths), 1, 1, seq, device=lengths.device)."
            "masked_fill(~(" + REAL + "), -math.inf)",
            hint="Some libraries add such a mask to the scores. Here a mask holds True and False.",
            check="shapes",
        ),
        Misconception(
            "ignored the device",
            replace=", device=lengths.device",
            by="",
            hint="On a GPU the lengths are there and your positions on the CPU: torch refuses to compare them. A "
            "tensor knows its device; pass it to the function that makes the positions.",
        ),
        Misconception(
            "put the sentences where the queries belong",
            replace="return positions < lengths[:, None, None, None]",
            by="return (positions < lengths[:, None])[None, None]",
            hint="Scores are (batch, num_heads, seq_q, seq_k). The sentences are the first dimension; the two "
            "dimensions of 1 come after it.",
            check="shapes",
        ),
        Misconception(
            "took a row of a triangle, and for an empty sentence the last one",
            replace=REAL,
            by="positions <= (lengths[:, None, None, None] - 1) % seq",
            hint="A sentence of length 1 has row 0, so an empty one would have row −1, and torch takes that for the "
            "last: all True. A sentence without words has no True at all.",
        ),
        Misconception(
            "made the mask that nn.MultiheadAttention calls key_padding_mask",
            replace="return " + REAL,
            by="return positions >= lengths[:, None]",
            hint="torch's layer wants (batch, seq), with True at the padding. This course wants it the other way "
            'round, True means "may attend", and with two dimensions of 1 for heads and queries.',
            check="shapes",
        ),
        Misconception(
            "used the first sentence's length for all",
            replace=REAL,
            by="(positions < lengths[0]).expand(len(lengths), 1, 1, seq)",
            hint="Each sentence has its own length, so each has its own row of the mask.",
        ),
        Misconception(
            "took the number of words for the number of paddings",
            replace=REAL,
            by="positions < seq - lengths[:, None, None, None]",
            hint="lengths counts the words, and they come first. What is left of seq is the padding.",
        ),
        Misconception(
            "put the sentences where the heads belong",
            replace="return positions < lengths[:, None, None, None]",
            by="return (positions < lengths[:, None])[None, :, None]",
            hint="Scores are (batch, num_heads, seq_q, seq_k). The sentences are the first dimension; the two "
            "dimensions of 1 come after it.",
            check="shapes",
        ),
        Misconception(
            "left the mask as whole numbers",
            replace="return " + REAL,
            by="return (" + REAL + ").long()",
            hint="The numbers are right, but 1 and 0 are not True and False: with whole numbers as an index torch "
            "picks places, and ~ turns 1 into −2. A mask holds True and False.",
            check="shapes",
        ),
        Misconception(
            "left a word of an empty sentence open",
            replace=REAL,
            by="positions < lengths.clamp(min=1)[:, None, None, None]",
            hint="A sentence of length 0 has no word that may be looked at: all of its row is False. attention_weights "
            "takes care of such rows.",
        ),
        Misconception(
            "blocked all words of a sentence that has no padding",
            replace=REAL,
            by="positions < (lengths * (lengths < seq))[:, None, None, None]",
            hint="Nothing is to be blocked where a sentence fills all of seq. (A slice [-3:] is the last three places, "
            "but [-0:] is all of them.)",
        ),
    ),
    alternatives=(
        Alternative(
            "unsqueezed at the end",
            """
def padding_mask(lengths, seq):
    mask = torch.arange(seq).to(lengths.device).unsqueeze(0) < lengths.unsqueeze(1)
    return mask.unsqueeze(1).unsqueeze(2)
""",
        ),
        Alternative(
            "a loop over the sentences",
            """
def padding_mask(lengths, seq):
    mask = torch.zeros(len(lengths), 1, 1, seq, dtype=torch.bool, device=lengths.device)
    for sentence, length in enumerate(lengths):
        mask[sentence, ..., :length] = True
    return mask
""",
        ),
        Alternative(
            "counted words compared with the lengths",
            """
def padding_mask(lengths, seq):
    places = torch.ones(len(lengths), seq, dtype=lengths.dtype, device=lengths.device).cumsum(dim=1)
    return (places <= lengths[:, None]).view(-1, 1, 1, seq)
""",
        ),
        Alternative(
            "the complement of the padding",
            """
def padding_mask(lengths, seq):
    padding = torch.arange(seq, device=lengths.device)[None, :] >= lengths[:, None]
    return torch.logical_not(padding)[:, None, None, :]
""",
        ),
    ),
    probe=mask_or_its_place,
    forbids=FORBIDS,
)
