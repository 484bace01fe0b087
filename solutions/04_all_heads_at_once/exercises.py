"""What is known of the exercises of chapter 4: their cases, the mistakes learners make, other right solutions.

Read by `autograder`, in lesson order, through `EXERCISES`. The reference solutions stand in `lesson.py`.
"""

import torch
from torch import Tensor

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

# Calls that would make an exercise pointless. `from_torch` has to name torch's layer, so it forbids the other two.
FUNCTIONS = ("scaled_dot_product_attention", "multi_head_attention_forward")
FORBIDS = (*FUNCTIONS, "MultiheadAttention")


def draw_heads(draw: Draw, others: str) -> tuple[int, ...]:
    """Draw sizes, all different and as small as that allows: the fixtures stay small.

    Returns:
        num_heads, d_head, d_model = num_heads * d_head, batch, and a size of 5 or more for each name in `others`.
    """
    (batch,) = draw.sizes("batch", low=2, high=3)
    num_heads, d_head = draw.sizes("num_heads d_head", low=2, high=4)
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    return num_heads, d_head, d_model, batch, *draw.sizes(others, low=5, high=4 + max(1, len(others.split())))


# split_heads


def sentences_to_split(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    return Call({"x": draw.normal(batch, seq, d_model), "num_heads": num_heads})


def sentence_for_one_head(draw: Draw) -> Call:
    batch, seq, d_model = draw.sizes("batch seq d_model", low=2, high=6)
    return Call({"x": draw.normal(batch, seq, d_model), "num_heads": 1})


def heads_of_one_feature(draw: Draw) -> Call:
    batch, seq, d_model = draw.sizes("batch seq d_model", low=2, high=6)
    return Call({"x": draw.normal(batch, seq, d_model), "num_heads": d_model})


SPLIT = "x.view(batch, seq, num_heads, d_head).transpose(1, 2)"

SPLIT_HEADS = Exercise(
    name="split_heads",
    returns=("heads",),
    cases=(
        Case("a batch of sentences", sentences_to_split),
        Case("a single head", sentence_for_one_head),
        Case("heads of a single feature", heads_of_one_feature),
    ),
    misconceptions=(
        Misconception(
            "viewed x in the wanted shape and did not transpose",
            replace=SPLIT,
            by="x.reshape(batch, num_heads, seq, d_head)",
            hint="The shape is right and the numbers are in the wrong places: a view reads them in the old order, so "
            "head 0 gets the first words and not the first features. Cut each word first, then swap two dimensions.",
        ),
        Misconception(
            "interleaved the heads",
            replace=SPLIT,
            by="x.reshape(batch, seq, d_head, num_heads).permute(0, 3, 1, 2)",
            hint="Head 0 gets every num_heads-th feature. It should get the first d_head features, which lie side by "
            "side: in what order must the last dimension be cut?",
        ),
        Misconception(
            "transposed x and viewed it afterwards",
            replace=SPLIT,
            by="x.transpose(1, 2).reshape(batch, num_heads, seq, d_head)",
            hint="After the transposition a feature of all words lies in a row, and the new shape cuts these rows as "
            "if they were words. Cut the features first, while they are the last dimension, and swap afterwards.",
        ),
        Misconception(
            "left the heads behind the words",
            replace=".transpose(1, 2)",
            by="",
            hint="Each word is cut in the right places. But attention works on the last two dimensions, and those "
            "must be seq and d_head: the heads belong in front of the words. (You do swap them? Then keep the "
            "result: it is a new tensor.)",
            check="shapes",
        ),
        Misconception(
            "swapped the last two dimensions instead of the middle two",
            replace=".transpose(1, 2)",
            by=".transpose(2, 3)",
            hint="The dimensions are (batch, seq, num_heads, d_head) when you swap. Count from 0: which two have to "
            "change places?",
            check="shapes",
        ),
        Misconception(
            "swapped the batch with the words",
            replace=".transpose(1, 2)",
            by=".transpose(0, 1)",
            hint="The dimensions are (batch, seq, num_heads, d_head) when you swap, counted from 0. The batch stays "
            "in front.",
            check="shapes",
        ),
        Misconception(
            "moved the heads in front of the batch",
            replace=".transpose(1, 2)",
            by=".permute(2, 0, 1, 3)",
            hint="The batch stays in front, the heads come second.",
            check="shapes",
        ),
        Misconception(
            "took num_heads for the width of a head",
            replace="x.view(batch, seq, num_heads, d_head)",
            by="x.view(batch, seq, d_head, num_heads)",
            hint="Your heads and their features have changed places: there should be num_heads heads with d_head "
            "features each.",
            check="shapes",
        ),
        Misconception(
            "turned each head's words and features round",
            replace=".transpose(1, 2)",
            by=".permute(0, 2, 3, 1)",
            hint="One row per word: seq comes before d_head. Keys are turned round later, inside the attention.",
            check="shapes",
        ),
        Misconception(
            "folded the heads into the batch",
            replace=".transpose(1, 2)",
            by=".transpose(1, 2).flatten(0, 1)",
            hint="Some libraries do that. Here the heads keep a dimension of their own, so that masks of a sentence "
            "can be repeated for its heads.",
            check="shapes",
        ),
        Misconception(
            "returned a list of heads",
            replace=f"return {SPLIT}",
            by="return list(x.chunk(num_heads, dim=-1))",
            hint="The slices are the right ones. But a list of heads asks for a loop; one tensor with a dimension for "
            "the heads does not.",
            check="shapes",
        ),
        Misconception(
            "gave each head all features",
            replace=SPLIT,
            by="x.unsqueeze(1).expand(batch, num_heads, seq, d_model)",
            hint="The heads would all be the same. Each gets its own d_head of the d_model features.",
            check="shapes",
        ),
        Misconception(
            "stood the heads one below the other",
            replace=SPLIT,
            by="torch.cat(x.chunk(num_heads, dim=-1), dim=1)",
            hint="The heads' slices are the right ones, but now a sentence looks num_heads times as long. They need a "
            "dimension of their own.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "reshape and permute",
            """
def split_heads(x, num_heads):
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, num_heads, -1).permute(0, 2, 1, 3)
""",
        ),
        Alternative(
            "chunks, stacked",
            """
def split_heads(x, num_heads):
    return torch.stack(torch.chunk(x, num_heads, dim=2), dim=1)
""",
        ),
        Alternative(
            "unflatten and swapaxes",
            """
def split_heads(x, num_heads):
    return x.unflatten(-1, (num_heads, -1)).swapaxes(-3, -2)
""",
        ),
        Alternative(
            "einops",
            """
import einops

def split_heads(x, num_heads):
    return einops.rearrange(x, "batch seq (heads d) -> batch heads seq d", heads=num_heads)
""",
        ),
        Alternative(
            "transposed first, then cut in the dimension that the features are in",
            """
def split_heads(x, num_heads):
    batch, seq, d_model = x.shape
    # (batch, seq, d_model) -> (batch, d_model, seq) -> (batch, num_heads, d_head, seq)
    turned = x.transpose(1, 2).reshape(batch, num_heads, d_model // num_heads, seq)
    return turned.transpose(2, 3)
""",
        ),
        Alternative(
            "a slice a head",
            """
def split_heads(x, num_heads):
    batch, seq, d_model = x.size()
    d_head = int(d_model / num_heads)
    heads = torch.empty(batch, num_heads, seq, d_head, dtype=x.dtype, device=x.device)
    for head in range(num_heads):
        heads[:, head] = x[:, :, head * d_head : (head + 1) * d_head]
    return heads
""",
        ),
    ),
    forbids=FORBIDS,
)


# merge_heads


def heads_to_merge(draw: Draw) -> Call:
    num_heads, d_head, _, batch, seq = draw_heads(draw, "seq")
    return Call({"x": draw.normal(batch, num_heads, seq, d_head)})


def one_head_to_merge(draw: Draw) -> Call:
    batch, seq, d_head = draw.sizes("batch seq d_head", low=2, high=6)
    return Call({"x": draw.normal(batch, 1, seq, d_head)})


def one_word_to_merge(draw: Draw) -> Call:
    num_heads, d_head, _, batch = draw_heads(draw, "")
    return Call({"x": draw.normal(batch, num_heads, 1, d_head)})


MERGE = "x.transpose(1, 2).reshape(batch, seq, num_heads * d_head)"

MERGE_HEADS = Exercise(
    name="merge_heads",
    returns=("merged",),
    cases=(
        Case("what several heads give", heads_to_merge),
        Case("a single head", one_head_to_merge),
        Case("sentences of a single word", one_word_to_merge),
    ),
    misconceptions=(
        Misconception(
            "merged without transposing back",
            replace=MERGE,
            by="x.reshape(batch, seq, num_heads * d_head)",
            hint="The shape is right and the numbers are in the wrong places: your first row holds several words of "
            "head 0. Bring the words in front of the heads before you join the last two dimensions. (You do swap "
            "them? Then keep the result: it is a new tensor.)",
        ),
        Misconception(
            "used view on a transposed tensor",
            replace=".reshape(batch, seq, num_heads * d_head)",
            by=".view(batch, seq, num_heads * d_head)",
            hint="After transpose the numbers of a row do not lie side by side in memory, and view copies nothing. The "
            "lesson names three ways out.",
            check="shapes",
        ),
        Misconception(
            "interleaved the heads",
            replace=MERGE,
            by="x.permute(0, 2, 3, 1).reshape(batch, seq, num_heads * d_head)",
            hint="Feature 0 of all heads comes first, then feature 1 of all heads. All of head 0 should come first, "
            "then all of head 1.",
        ),
        Misconception(
            "swapped the words with the features",
            replace="x.transpose(1, 2)",
            by="x.transpose(2, 3)",
            hint="Counted from 0 the dimensions are (batch, num_heads, seq, d_head). Which two have to change places, "
            "so that each word has its heads beside it?",
        ),
        Misconception(
            "swapped the batch with the heads",
            replace="x.transpose(1, 2)",
            by="x.transpose(0, 1)",
            hint="The sentences of the batch are mixed now. Counted from 0 the dimensions are (batch, num_heads, seq, "
            "d_head), and the batch stays in front.",
        ),
        Misconception(
            "joined the heads in reverse order",
            replace="x.transpose(1, 2)",
            by="x.flip(1).transpose(1, 2)",
            hint="Head 0 comes first, as it did when the heads were split.",
        ),
        Misconception(
            "left the heads apart",
            replace=".reshape(batch, seq, num_heads * d_head)",
            by="",
            hint="The words are back in front of the heads. Now the last two dimensions have to become one.",
            check="shapes",
        ),
        Misconception(
            "stood the heads one below the other",
            replace=MERGE,
            by="x.flatten(1, 2)",
            hint="Now a sentence looks num_heads times as long. A word's heads belong side by side in one row.",
            check="shapes",
        ),
        Misconception(
            "joined the words with the heads instead of the heads with their features",
            replace=".reshape(batch, seq, num_heads * d_head)",
            by=".flatten(1, 2)",
            hint="After the swap the dimensions are (batch, seq, num_heads, d_head). Join the last two.",
            check="shapes",
        ),
        Misconception(
            "averaged the heads",
            replace=MERGE,
            by="x.mean(dim=1)",
            hint="An average mixes what the heads found, and one could not tell any more who found what. They are "
            "put side by side.",
            check="shapes",
        ),
        Misconception(
            "joined heads and features first and swapped with the words afterwards",
            replace="x.transpose(1, 2).reshape(batch, seq, num_heads * d_head)",
            by="x.reshape(batch, num_heads * d_head, seq).transpose(1, 2)",
            hint="The words stand between the heads and the features, so joining these two reads the words as "
            "features. Move the words away first.",
        ),
        Misconception(
            "joined the words with the features too",
            replace=".reshape(batch, seq, num_heads * d_head)",
            by=".flatten(1)",
            hint="A whole sentence has become one long vector. Each word keeps a row of its own: only the last two "
            "dimensions become one.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "contiguous and view",
            """
def merge_heads(x):
    batch, num_heads, seq, d_head = x.shape
    return x.transpose(1, 2).contiguous().view(batch, seq, num_heads * d_head)
""",
        ),
        Alternative(
            "flatten",
            """
def merge_heads(x):
    return x.transpose(-3, -2).flatten(-2)
""",
        ),
        Alternative(
            "heads taken apart and joined",
            """
def merge_heads(x):
    return torch.cat([x[:, head] for head in range(x.shape[1])], dim=-1)
""",
        ),
        Alternative(
            "einops",
            """
from einops import rearrange

def merge_heads(x):
    return rearrange(x, "b h s d -> b s (h d)")
""",
        ),
    ),
    forbids=FORBIDS,
)


# padding_mask


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

PADDING_MASK = Exercise(
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
            "blocked the first words instead of the last ones",
            replace=REAL,
            by="positions >= seq - lengths[:, None, None, None]",
            hint="That is right for padding that stands in front. Here the words stand first and the padding after "
            "them.",
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
            hint="Scores are (batch, num_heads, seq_q, seq_k). The padding must not be looked at: it is the last "
            "dimension, the keys, that the mask tells apart.",
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
            hint="What padding looks at does no harm: nobody reads its output. And queries need not be the same "
            "sentence as keys. Tell apart the keys only.",
            check="shapes",
        ),
        Misconception(
            "made the mask as long as the longest sentence",
            replace="torch.arange(seq, device=lengths.device)",
            by="torch.arange(int(lengths.max()), device=lengths.device)",
            hint="A batch may be longer than its longest sentence. How long it is says seq.",
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
            hint="On a GPU the lengths lie there and your positions on the CPU: torch refuses to compare them. A "
            "tensor knows its device; hand it on to the function that makes the positions.",
        ),
        Misconception(
            "put the sentences where the queries belong",
            replace="return positions < lengths[:, None, None, None]",
            by="return (positions < lengths[:, None])[None, None]",
            hint="Scores are (batch, num_heads, seq_q, seq_k). The sentences are the first dimension; the two "
            "dimensions of 1 come after it.",
            check="shapes",
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


# MultiHeadAttention


def layer_call(draw: Draw, d_model: int, num_heads: int, dropout: float | None = None, **inputs: Tensor | None) -> Call:
    """Return the call of a layer with drawn weights; with `dropout`, in training mode."""
    state = {}
    for name in ("w_q", "w_k", "w_v", "w_o"):
        state |= draw.linear(name, d_model, d_model)
    init: dict[str, object] = {"d_model": d_model, "num_heads": num_heads}
    if dropout is not None:
        init["dropout"] = dropout
    return Call(inputs, init=init, state=state, training=dropout is not None)


def self_attention(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    return layer_call(draw, d_model, num_heads, query=draw.normal(batch, seq, d_model))


def cross_attention(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq_q, seq_k = draw_heads(draw, "seq_q seq_k")
    query, key = draw.normal(batch, seq_q, d_model), draw.normal(batch, seq_k, d_model)
    return layer_call(draw, d_model, num_heads, query=query, key=key)


def key_and_value_of_their_own(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq_q, seq_k = draw_heads(draw, "seq_q seq_k")
    query, key, value = (draw.normal(batch, seq, d_model) for seq in (seq_q, seq_k, seq_k))
    mask = draw.mask(seq_q, seq_k)
    return layer_call(draw, d_model, num_heads, query=query, key=key, value=value, mask=mask)


def padding_and_an_empty_sentence(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    mask = draw.mask(batch, 1, 1, seq)
    mask[draw.integer(0, batch - 1)] = False
    query = draw.normal(batch, seq, d_model)
    return layer_call(draw, d_model, num_heads, query=query, key=None, value=None, mask=mask)


def masks_of_the_heads(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq_q, seq_k = draw_heads(draw, "seq_q seq_k")
    query, key = draw.normal(batch, seq_q, d_model), draw.normal(batch, seq_k, d_model)
    mask = draw.mask(batch, num_heads, seq_q, seq_k)
    mask[draw.integer(0, batch - 1), draw.integer(0, num_heads - 1), draw.integer(0, seq_q - 1)] = False
    return layer_call(draw, d_model, num_heads, query=query, key=key, value=None, mask=mask)


def one_head_on_one_word(draw: Draw) -> Call:
    batch, d_model = draw.sizes("batch d_model", low=2, high=6)
    return layer_call(draw, d_model, 1, query=draw.normal(batch, 1, d_model))


def dropout_in_training(draw: Draw) -> Call:
    num_heads, _, d_model, batch, seq = draw_heads(draw, "seq")
    dropout = draw.integer(2, 4) / 10
    return layer_call(draw, d_model, num_heads, dropout, query=draw.normal(batch, seq, d_model))


def heads_that_do_not_fit(draw: Draw) -> Call:
    num_heads = draw.integer(3, 7)
    return Call({"d_model": num_heads * draw.integer(2, 5) + draw.integer(1, num_heads - 1), "num_heads": num_heads})


def layer_or_what_it_does(layer, *inputs):
    """Return what the layer returns. In training mode: facts about its dropout that no random number changes.

    Given the class itself: what it says to such sizes.
    """
    import torch

    if isinstance(layer, type):
        try:
            layer(*inputs)
        except Exception as error:
            return f"raises {type(error).__name__}"
        return "raises nothing"
    if not layer.training:
        return layer(*inputs)

    # (batch, seq, d_model) -> (100 * batch, seq, d_model): enough weights for their shares to be sure
    x = inputs[0].repeat(100, 1, 1)
    layer.eval()
    with torch.no_grad():
        _, undropped = layer(x)
        agree_in_eval = torch.equal(undropped, layer(x)[1])
        layer.train()
        output, weights = layer(x)
        agree_in_training = torch.equal(output, layer(x)[0])
        kept = weights != 0
        factors = weights[kept] / undropped[kept]
        alike = (factors - factors.mean()).abs().max() < 0.01
        # What the returned weights make of the values, head by head: (…, seq, seq) @ (…, seq, d_head)
        values = layer.w_v(x).chunk(weights.shape[1], dim=-1)
        merged = torch.cat([weights[:, head] @ value for head, value in enumerate(values)], dim=-1)
        follows = torch.allclose(layer.w_o(merged), output, atol=1e-4)
        # The way back through w_o: what was merged, if anything of that was dropped
        before = torch.linalg.solve(layer.w_o.weight.double(), (output - layer.w_o.bias).double().flatten(0, 1).T)
        shares = [(~kept).float().mean(), (before.abs() < 1e-6).float().mean(), (output == 0).float().mean()]
        weights_0, merged_0, output_0 = (f"about {round(share.item(), 1):.0%}" for share in shares)
    return {
        "weights set to 0 in training": weights_0,
        "the other weights": f"{factors.mean().item():.2f} times as large" if alike else "not all scaled alike",
        "the output is made of these weights": follows,
        "merged heads set to 0": merged_0,
        "output set to 0": output_0,
        "two calls are the same in training": agree_in_training,
        "two calls are the same in eval": agree_in_eval,
    }


SIZES_FIT = """if d_model % num_heads != 0:
            raise ValueError(f"d_model must be a multiple of num_heads, and {d_model} is not one of {num_heads}")"""

WIDE_LAYERS = """self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)"""

SPLITS = """q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)"""

SCORES = "attention_scores(q, k)"
WEIGHTS = f"attention_weights({SCORES}, mask)"
DROPPED = f"weights = self.dropout({WEIGHTS})"
OUTPUT = "output = self.w_o(merge_heads(weights @ v))"
FROM_WEIGHTS_ON = f"""{DROPPED}
        # (batch, num_heads, seq_q, seq_k) @ (batch, num_heads, seq_k, d_head) -> (batch, num_heads, seq_q, d_head)
        # -> (batch, seq_q, d_model)
        {OUTPUT}"""


def split_by(how: str) -> str:
    """The three splits, done by `how`: an expression of the projected `y` and `num_heads`."""
    return "\n        ".join(
        f"{name} = (lambda y, num_heads: {how})(self.w_{name}({x}), self.num_heads)"
        for name, x in (("q", "query"), ("k", "key"), ("v", "value"))
    )


VIEW_ALONE = "y.reshape(len(y), num_heads, y.shape[1], y.shape[2] // num_heads)"
EVERY_NTH = "y.unflatten(-1, (-1, num_heads)).permute(0, 3, 1, 2)"
BLOCKED = "(torch.zeros((), dtype=torch.bool) if mask is None else ~mask)"

MULTI_HEAD_ATTENTION = Exercise(
    name="MultiHeadAttention",
    returns=("output", "weights"),
    cases=(
        Case("self-attention without a mask", self_attention),
        Case("cross-attention, no value given", cross_attention),
        Case("key and value of their own, and a mask (seq_q, seq_k)", key_and_value_of_their_own),
        Case(
            "self-attention with a mask (batch, 1, 1, seq), and a sentence in which all is blocked",
            padding_and_an_empty_sentence,
        ),
        Case("a mask of its own for each head, and a word that attends to nothing in one head", masks_of_the_heads),
        Case("a single head, and sentences of a single word", one_head_on_one_word),
        Case("a d_model that num_heads does not divide", heads_that_do_not_fit),
        Case("dropout in training mode", dropout_in_training),
    ),
    misconceptions=(
        # the layers
        Misconception(
            "left out the biases",
            replace=WIDE_LAYERS,
            by=WIDE_LAYERS.replace("d_model)", "d_model, bias=False)"),
            hint="Some models do without them, but here each of the four projections has a bias, as nn.Linear makes "
            "it.",
            check="shapes",
        ),
        Misconception(
            "made the projections as wide as one head",
            replace=WIDE_LAYERS,
            by=WIDE_LAYERS.replace("(d_model, d_model)", "(d_model, d_model // num_heads)", 3),
            hint="That is room for the queries of one head. Each of the three projections serves all heads at once.",
            check="shapes",
        ),
        Misconception(
            "made one layer for queries, keys and values together",
            replace=WIDE_LAYERS,
            by="self.w_qkv = nn.Linear(d_model, 3 * d_model)\n        self.w_o = nn.Linear(d_model, d_model)",
            hint="torch's own layer does that, and it computes the same. But here three layers are asked for, so that "
            "queries and keys may come from different sentences: w_q, w_k and w_v.",
            check="shapes",
        ),
        Misconception(
            "gave the layers other names",
            replace=WIDE_LAYERS,
            by=WIDE_LAYERS.replace("w_q", "query_layer").replace("w_k", "key_layer").replace("w_v", "value_layer"),
            hint="Trained weights are loaded by name, so names are part of the task: w_q, w_k, w_v and w_o.",
            check="shapes",
        ),
        Misconception(
            "made no output projection",
            replace=WIDE_LAYERS,
            by="\n        ".join(WIDE_LAYERS.split("\n        ")[:3]),
            hint="Merged heads only stand side by side. A fourth layer, w_o, lets what they found be combined.",
            check="shapes",
        ),
        Misconception(
            "let keys share the queries' layer",
            replace="self.w_k = nn.Linear(d_model, d_model)",
            by="self.w_k = self.w_q",
            hint="Two names for one layer: queries and keys can never become different. Each role has a layer of its "
            "own.",
            check="shapes",
        ),
        Misconception(
            "raised no error for a d_model that num_heads does not divide",
            replace=SIZES_FIT,
            by="pass",
            hint="Such a layer is made without a word and fails later, with a message about shapes. Say it where it "
            "goes wrong: in __init__, with a ValueError.",
        ),
        Misconception(
            "used assert for a d_model that num_heads does not divide",
            replace=SIZES_FIT,
            by="assert d_model % num_heads == 0",
            hint="An assert raises AssertionError, and is left out when Python runs with -O. Who calls you expects a "
            "ValueError: raise one.",
            shown_by=("assert",),
        ),
        # from the inputs to the heads
        Misconception(
            "split with a view and no transpose",
            replace=SPLITS,
            by=split_by(VIEW_ALONE),
            hint="The shapes are right and each head gets some of the words instead of some of the features. Use your "
            "split_heads.",
        ),
        Misconception(
            "split with a view alone and merged with a view alone",
            replace=SPLITS,
            by=split_by(VIEW_ALONE) + "\n        merge_heads = lambda heads: heads.reshape(query.shape)",
            hint="The two undo each other, but with attention between them each head sees some of the words only. "
            "Use your split_heads and merge_heads.",
        ),
        Misconception(
            "interleaved the heads",
            replace=SPLITS,
            by=split_by(EVERY_NTH),
            hint="Head 0 gets every num_heads-th feature. It should get the first d_head features, which lie side by "
            "side. Use your split_heads.",
        ),
        Misconception(
            "interleaved the heads from start to end",
            replace=SPLITS,
            by=split_by(EVERY_NTH) + "\n        merge_heads = lambda heads: heads.permute(0, 2, 3, 1).flatten(2)",
            hint="Such a layer could learn as well as ours. But head 0 would own every num_heads-th feature instead "
            "of the first d_head ones, and weights trained elsewhere would not fit. Use split_heads and merge_heads.",
        ),
        Misconception(
            "did not split the heads",
            replace=SPLITS,
            by="q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)\n        merge_heads = lambda heads: heads",
            hint="That is one head as wide as the whole layer. Split queries, keys and values before you compare them.",
            check="shapes",
        ),
        Misconception(
            "split into d_head heads",
            replace=SPLITS,
            by=SPLITS.replace("self.num_heads", "self.w_q.in_features // self.num_heads"),
            hint="Number and width of the heads have changed places. split_heads wants to know how many there are.",
            check="shapes",
        ),
        Misconception(
            "gave a projection heads where it wants whole words",
            replace="self.w_o(merge_heads(weights @ v))",
            by="merge_heads(self.w_o(weights @ v))",
            hint="All four layers want whole words, d_model wide. So inputs are projected before they are split, and "
            "heads are merged before w_o.",
            check="shapes",
        ),
        Misconception(
            "made the keys from the query, whatever key was given",
            replace="self.w_k(key)",
            by="self.w_k(query)",
            hint="That is the same in self-attention only. In cross-attention the keys come from key.",
            check="shapes",
        ),
        Misconception(
            "made keys and values from the query, whatever was given",
            replace=SPLITS,
            by=SPLITS.replace("(key)", "(query)").replace("(value)", "(query)"),
            hint="That is self-attention only. If key and value are given, keys and values come from there.",
            check="shapes",
        ),
        Misconception(
            "made the values from key, whatever value was given",
            replace="self.w_v(value)",
            by="self.w_v(key)",
            hint="Mostly key and value are the same sentence, but they need not be. If value is given, values come "
            "from there.",
        ),
        Misconception(
            "swapped key and value",
            replace=SPLITS,
            by=SPLITS.replace("(key)", "(both)").replace("(value)", "(key)").replace("(both)", "(value)"),
            hint="Keys are made from key and values from value. It shows only where the two differ.",
        ),
        Misconception(
            "took the query where no value is given",
            replace="value = key",
            by="value = query",
            hint="Values belong to the words that are looked at: there must be one for each key. Without a value, "
            "the values come from key.",
            check="shapes",
        ),
        Misconception(
            "did not provide for a key that is left out",
            shown_by=("no key is None",),
            replace="if key is None:\n            key = query",
            by="pass",
            hint="layer(x) is self-attention: key is None then, and the keys come from the query. It has to be settled "
            "before anything is computed.",
            check="shapes",
        ),
        Misconception(
            "swapped queries and keys",
            replace=SCORES,
            by="attention_scores(k, q)",
            hint="Now the keys ask and the queries answer: the scores are transposed. A row belongs to a query.",
            check="shapes",
        ),
        Misconception(
            "used the keys as values",
            replace="split_heads(self.w_v(value), self.num_heads)",
            by="k",
            hint="The layer for the values is there but never used, so it can never learn. What a word hands over need "
            "not be what it offers.",
        ),
        Misconception(
            "made the keys with the queries' layer",
            replace="self.w_k(key)",
            by="self.w_q(key)",
            hint="The layer for the keys is there but never used, so it can never learn.",
        ),
        Misconception(
            "did not project the inputs",
            replace=SPLITS,
            by=SPLITS.replace("self.w_q(query)", "query")
            .replace("self.w_k(key)", "key")
            .replace("self.w_v(value)", "value"),
            hint="The layers are there but never used. Queries, keys and values are made by w_q, w_k and w_v.",
        ),
        # scores and weights
        Misconception(
            "forgot to scale",
            replace=SCORES,
            by="q @ k.transpose(-2, -1)",
            hint="Your weights are too sharp. You have a function that computes scores and divides them by √d_head.",
        ),
        Misconception(
            "scaled by √d_model",
            replace=SCORES,
            by="q @ k.transpose(-2, -1) / math.sqrt(query.shape[-1])",
            hint="Your weights are too even. A score is a sum over the d_head entries of one head, so that is the "
            "number that counts.",
        ),
        Misconception(
            "scaled a second time",
            replace=SCORES,
            by=f"{SCORES} / math.sqrt(q.shape[-1])",
            hint="Your weights are too even. The scores come divided by √d_head already.",
        ),
        Misconception(
            "ran softmax over the queries",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -math.inf).softmax(dim=-2).nan_to_num(0.0)",
            hint="Your columns sum to 1, your rows do not. Each query shares out a weight of 1 over the keys, the last "
            "dimension.",
        ),
        Misconception(
            "ran softmax over the heads",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -math.inf).softmax(dim=1).nan_to_num(0.0)",
            hint="The heads now compete with each other. Each head shares out a weight of 1 over the keys, the last "
            "dimension, by itself.",
        ),
        Misconception(
            "forgot to pass the mask on",
            replace=WEIGHTS,
            by=f"attention_weights({SCORES})",
            hint="Blocked words are looked at all the same. One of your functions wants to know the mask.",
        ),
        Misconception(
            "inverted the mask on its way",
            replace=WEIGHTS,
            by=f"attention_weights({SCORES}, None if mask is None else ~mask)",
            hint="Your words look exactly where they may not. nn.MultiheadAttention wants masks that way; here True "
            'means "may attend" from start to end.',
        ),
        Misconception(
            "always blocked the future",
            replace=WEIGHTS,
            by=f"attention_weights({SCORES}, causal_mask(q.shape[2]) if mask is None and q.shape == k.shape else mask)",
            hint="Whether a layer is causal is up to the one who calls it. Without a mask nothing is blocked.",
        ),
        Misconception(
            "applied the mask after softmax",
            replace=WEIGHTS,
            by=f"{SCORES}.softmax(dim=-1).masked_fill({BLOCKED}, 0.0)",
            hint="Blocked words get 0, but they took part in softmax and their share is lost: your rows sum to less "
            "than 1. Your attention_weights knows how.",
        ),
        Misconception(
            "masked with 0 instead of −∞",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, 0.0).softmax(dim=-1)",
            hint="e to the power of 0 is 1, so blocked words keep a share. Your attention_weights knows how.",
        ),
        Misconception(
            "masked with a large negative number instead of −∞",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -1e9).softmax(dim=-1)",
            hint="Where all is blocked, all scores are equal, and softmax gives each blocked word the same share. Your "
            "attention_weights makes zeros of such rows.",
        ),
        Misconception(
            "left NaN in rows where all is blocked",
            replace=WEIGHTS,
            by=f"{SCORES}.masked_fill({BLOCKED}, -math.inf).softmax(dim=-1)",
            hint="Where all is blocked there is nothing to share out: that is 0 divided by 0, and NaN. Your "
            "attention_weights makes zeros of such rows.",
        ),
        Misconception(
            "put a dimension for the heads into every mask",
            replace=WEIGHTS,
            by=f"attention_weights({SCORES}, None if mask is None else mask.unsqueeze(1))",
            hint="That suits a mask (batch, seq_q, seq_k) and spoils all others. The masks of this course fit the "
            "scores (batch, num_heads, seq_q, seq_k) as they are: torch repeats what is missing.",
            check="shapes",
        ),
        # dropout
        Misconception(
            "used no dropout",
            replace=DROPPED,
            by=f"weights = {WEIGHTS}",
            hint="In training mode a share of the weights must be set to 0 at random. (A dropout layer that is made "
            "in __init__ does nothing until forward calls it.)",
        ),
        Misconception(
            "kept dropout on in eval mode",
            shown_by=("no forward: Dropout",),
            replace=DROPPED,
            by=f"weights = nn.functional.dropout({WEIGHTS}, self.dropout.p)",
            hint="A trained layer must give the same answer every time. (nn.functional.dropout drops always unless it "
            "is told otherwise; a module nn.Dropout knows by itself which mode it is in.)",
        ),
        Misconception(
            "dropped numbers before softmax instead of weights",
            replace=DROPPED,
            by=f"weights = attention_weights(self.dropout({SCORES}), mask)",
            hint="A score of 0 is an ordinary score, and softmax gives it a share: no weight becomes 0. Dropout "
            "comes after softmax.",
        ),
        Misconception(
            "dropped numbers of the output instead of weights",
            replace=FROM_WEIGHTS_ON,
            by=f"weights = {WEIGHTS}\n        output = self.dropout(self.w_o(merge_heads(weights @ v)))",
            hint="Many models do that as well, after the layer. Here it is the weights that are dropped, so that a "
            "head cannot rely on a single word.",
        ),
        Misconception(
            "dropped numbers of the merged heads instead of weights",
            replace=FROM_WEIGHTS_ON,
            by=f"weights = {WEIGHTS}\n        output = self.w_o(self.dropout(merge_heads(weights @ v)))",
            hint="Here it is the weights that are dropped, between softmax and the average, so that a head cannot "
            "rely on a single word.",
        ),
        Misconception(
            "returned weights that are not those that made the output",
            replace="return output, weights",
            by=f"return output, {WEIGHTS}",
            hint="In training mode, too, the output is made of the weights and the values. Drop weights once, after "
            "softmax; then average with them and return them.",
        ),
        Misconception(
            "dropped the returned weights and not those that made the output",
            replace=FROM_WEIGHTS_ON,
            by=f"weights = {WEIGHTS}\n        {OUTPUT}\n        weights = self.dropout(weights)",
            hint="Dropout has to come before the average: what is dropped must be missing from the output too.",
        ),
        Misconception(
            "kept the share that should be dropped",
            replace="nn.Dropout(dropout)",
            by="nn.Dropout(1 - dropout)",
            hint="dropout is the share that is set to 0. nn.Dropout wants to know just that.",
        ),
        Misconception(
            "did not scale up the weights that are kept",
            replace=DROPPED,
            by=f"weights = {WEIGHTS}\n        if self.training:\n"
            "            weights = weights * (torch.rand_like(weights) >= self.dropout.p)",
            hint="Setting weights to 0 makes them smaller on average. Those that are kept are divided by 1 − dropout "
            "to make up for it; nn.Dropout does that by itself.",
        ),
        # from the heads to the output
        Misconception(
            "merged without transposing back",
            replace="merge_heads(weights @ v)",
            by="(weights @ v).reshape(query.shape)",
            hint="The shape is right and the words are mixed up. Use your merge_heads.",
        ),
        Misconception(
            "merged with view what was transposed",
            replace="merge_heads(weights @ v)",
            by="(weights @ v).transpose(1, 2).view(query.shape)",
            hint="After transpose the numbers of a row do not lie side by side in memory, and view copies nothing. Use "
            "your merge_heads.",
            check="shapes",
        ),
        Misconception(
            "transposed the weights",
            replace="merge_heads(weights @ v)",
            by="merge_heads(weights.transpose(-2, -1) @ v)",
            hint="A row of weights belongs to a query and is as long as there are values. It meets the values as it "
            "stands.",
            check="shapes",
        ),
        Misconception(
            "made an output projection and did not use it",
            replace="self.w_o(merge_heads(weights @ v))",
            by="merge_heads(weights @ v)",
            hint="The heads only stand side by side: nothing has combined what they found. w_o is there but never "
            "used.",
        ),
        Misconception(
            "averaged the heads instead of merging them",
            replace="merge_heads(weights @ v)",
            by="(weights @ v).mean(dim=1)",
            hint="An average mixes what the heads found and is only d_head wide. They are put side by side.",
            check="shapes",
        ),
        Misconception(
            "added the query to the output",
            replace=OUTPUT,
            by=OUTPUT + " + query",
            hint="A transformer does add its input back, but around the layer, not in it.",
        ),
        Misconception(
            "averaged the weights over the heads",
            replace="return output, weights",
            by="return output, weights.mean(dim=1)",
            hint="torch's own layer does that unless it is told not to. Here each head's weights are asked for, so "
            "that one can see what each looks at.",
            check="shapes",
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
            "returned the scores instead of the weights",
            replace="return output, weights",
            by=f"return output, {SCORES}",
            hint="The output is right. But the second thing to return is the weights, whose rows sum to 1.",
        ),
        Misconception(
            "cut the gradient off",
            replace="return output, weights",
            by="return output.detach(), weights.detach()",
            hint="The numbers are right, and training could not change them: torch has kept no record of how they "
            "came about. Something cuts that record off: detach, .data, numpy or no_grad, perhaps.",
        ),
        Misconception(
            "looked for the value before the key was settled",
            replace="if key is None:\n            key = query\n        if value is None:\n            value = key",
            by="if value is None:\n            value = key\n        if key is None:\n            key = query",
            hint="In self-attention both are left out. Then the key is None when the value is taken from it. First "
            "the key, then the value.",
            check="shapes",
            shown_by=("key is None",),
        ),
        Misconception(
            "asked whether the key is true, not whether there is one",
            replace="if key is None:",
            by="if not key:",
            hint="A tensor of many entries is neither true nor false. Ask whether it is None.",
            check="shapes",
            shown_by=("if not|if name|or",),
        ),
        Misconception(
            "asked whether d_model divides num_heads",
            replace="if d_model % num_heads != 0:",
            by="if num_heads % d_model != 0:",
            hint="Nearly all numbers are refused now. The features are shared out among the heads, so it is num_heads "
            "that must divide d_model.",
            check="shapes",
        ),
        Misconception(
            "gave head_width the two numbers the wrong way round",
            replace="if d_model % num_heads != 0:\n"
            "            raise ValueError("
            'f"d_model must be a multiple of num_heads, and {d_model} is not one of {num_heads}")',
            by="head_width(num_heads, d_model)",
            hint="head_width wants the length of a word's vector first, then the number of heads.",
            check="shapes",
            shown_by=("head_width",),
        ),
        Misconception(
            "split the keys by the number of queries",
            replace="k = split_heads(self.w_k(key), self.num_heads)",
            by="k = self.w_k(key).view("
            "len(query), query.shape[1], self.num_heads, query.shape[2] // self.num_heads).transpose(1, 2)",
            hint="In cross-attention there may be more or fewer keys than queries. The keys' own shape says how many "
            "there are.",
            check="shapes",
        ),
        Misconception(
            "made a new dropout layer at each call",
            replace="weights = self.dropout(attention_weights(attention_scores(q, k), mask))",
            by="weights = nn.Dropout(self.dropout.p)(attention_weights(attention_scores(q, k), mask))",
            hint="A new module always starts in training mode, so this one drops weights in eval mode too. The one "
            "that __init__ makes is told by eval() and train().",
            shown_by=("forward: Dropout",),
        ),
    ),
    alternatives=(
        Alternative(
            "attention, and dropout as a function that is told the mode",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("no")
        self.num_heads, self.p = num_heads, dropout
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)
        q, k, v = (split_heads(y, self.num_heads) for y in (q, k, v))
        _, weights = attention(q, k, v, mask)
        weights = nn.functional.dropout(weights, p=self.p, training=self.training)
        return self.w_o(merge_heads(weights @ v)), weights
""",
        ),
        Alternative(
            "einsum throughout",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_head = head_width(d_model, num_heads)
        self.num_heads = num_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(p=dropout)

    def forward(self, query, key=None, value=None, mask=None):
        if key is None: key = query
        if value is None: value = key
        q = self.w_q(query).reshape(*query.shape[:2], self.num_heads, self.d_head)
        k = self.w_k(key).reshape(*key.shape[:2], self.num_heads, self.d_head)
        v = self.w_v(value).reshape(*value.shape[:2], self.num_heads, self.d_head)
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(self.d_head)
        if mask is not None:
            scores = scores.masked_fill(mask.logical_not(), float("-inf"))
        weights = self.drop(torch.softmax(scores, dim=-1).nan_to_num(0.0))
        heads = torch.einsum("bhqk,bkhd->bqhd", weights, v)
        return self.w_o(heads.flatten(2)), weights
""",
        ),
        Alternative(
            "one product for queries, keys and values where they come from the same words",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        super().__init__()
        self.num_heads = num_heads
        self.w_q, self.w_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_v, self.w_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        layers = (self.w_q, self.w_k, self.w_v)
        if key is None and value is None:
            weight, bias = torch.cat([l.weight for l in layers]), torch.cat([l.bias for l in layers])
            q, k, v = nn.functional.linear(query, weight, bias).chunk(3, dim=-1)
        else:
            key = query if key is None else key
            q, k, v = self.w_q(query), self.w_k(key), self.w_v(key if value is None else value)
        q, k, v = split_heads(q, self.num_heads), split_heads(k, self.num_heads), split_heads(v, self.num_heads)
        weights = self.dropout(attention_weights(attention_scores(q, k), mask))
        return self.w_o(merge_heads(torch.matmul(weights, v))), weights
""",
        ),
        Alternative(
            "a loop over chunks",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        self.heads = num_heads
        for name in ("w_q", "w_k", "w_v", "w_o"):
            setattr(self, name, nn.Linear(d_model, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        parts = [layer(x).chunk(self.heads, dim=-1) for layer, x in
                 ((self.w_q, query), (self.w_k, key), (self.w_v, value))]
        if mask is not None:
            mask = mask.expand(query.shape[0], self.heads, query.shape[1], key.shape[1])
        outputs, all_weights = [], []
        for head, (q, k, v) in enumerate(zip(*parts)):
            weights = attention_weights(attention_scores(q, k), None if mask is None else mask[:, head])
            weights = self.dropout(weights)
            outputs.append(weights @ v)
            all_weights.append(weights)
        return self.w_o(torch.cat(outputs, dim=-1)), torch.stack(all_weights, dim=1)
""",
        ),
        Alternative(
            "einops",
            """
from einops import rearrange

class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        self.num_heads = num_heads
        self.scale = (d_model // num_heads) ** -0.5
        self.w_q, self.w_k, self.w_v, self.w_o = [nn.Linear(d_model, d_model) for _ in range(4)]
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (rearrange(y, "b s (h d) -> b h s d", h=self.num_heads)
                   for y in (self.w_q(query), self.w_k(key), self.w_v(value)))
        scores = q @ rearrange(k, "b h s d -> b h d s") * self.scale
        weights = self.dropout(attention_weights(scores, mask))
        return self.w_o(rearrange(weights @ v, "b h s d -> b s (h d)")), weights
""",
        ),
        Alternative(
            "heads folded into the batch, bmm",
            """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model must be divisible by num_heads")
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.w_o = nn.Linear(d_model, d_model)
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def fold(self, y):
        # (batch, seq, d_model) -> (batch * num_heads, seq, d_head)
        batch, seq, _ = y.shape
        y = y.view(batch, seq, self.num_heads, self.d_head).permute(0, 2, 1, 3)
        return y.reshape(batch * self.num_heads, seq, self.d_head)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        batch, seq_q, d_model = query.shape
        q, k, v = self.fold(self.w_q(query)), self.fold(self.w_k(key)), self.fold(self.w_v(value))
        scores = torch.bmm(q, k.transpose(1, 2)) / self.d_head**0.5
        scores = scores.view(batch, self.num_heads, seq_q, -1)
        if mask is not None:
            scores = torch.where(mask, scores, -math.inf)
        weights = scores.softmax(dim=-1)
        if mask is not None:
            weights = torch.where(mask, weights, 0.0)
        weights = self.dropout(weights)
        heads = torch.bmm(weights.flatten(0, 1), v)
        heads = heads.view(batch, self.num_heads, seq_q, self.d_head).transpose(1, 2).contiguous()
        return self.w_o(heads.view(batch, seq_q, d_model)), weights
""",
        ),
    ),
    builds_on=("split_heads", "merge_heads"),
    probe=layer_or_what_it_does,
    forbids=FORBIDS,
    exact_zeros=True,
)


# fuse_heads


def parallel_heads(draw: Draw) -> Call:
    num_heads, d_head, d_model, batch, seq = draw_heads(draw, "seq")
    # All that three layers a head and one for the output hold, in one row: a weight and a bias each.
    numbers = draw.normal(4 * d_model * (d_model + 1), scale=d_head**-0.5)
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    x = draw.normal(batch, seq, d_model)
    return Call({"d_model": d_model, "num_heads": num_heads, "numbers": numbers, "x": x, "mask": mask})


def fused_and_run(target, d_model, num_heads, numbers, x, mask):
    """Fill a ParallelHeads with numbers, have it fused, and return the fused layer's output, weights and facts."""
    import torch
    from torch import nn

    from manyheads.earlier import ParallelHeads

    def known(self):  # what is not copied stays at these, not at random numbers
        nn.init.constant_(self.weight, 0.1)
        if self.bias is not None:
            nn.init.constant_(self.bias, 0.7)

    parallel = ParallelHeads(d_model, num_heads)
    with torch.no_grad():
        rest = numbers
        for _, parameter in sorted(parallel.named_parameters()):
            here, rest = rest.split((parameter.numel(), rest.numel() - parameter.numel()))
            parameter.copy_(here.view_as(parameter))
    before = [parameter.clone() for parameter in parallel.parameters()]
    random = nn.Linear.reset_parameters
    nn.Linear.reset_parameters = known
    try:
        fused = target(parallel)
    finally:
        nn.Linear.reset_parameters = random
    if not isinstance(fused, nn.Module):
        return fused
    output, weights = fused(x, mask=mask)
    learns = all(parameter.requires_grad for parameter in fused.parameters())
    with torch.no_grad():
        moved = [parameter + 1 for parameter in fused.parameters()]
        for parameter in fused.parameters():
            parameter.add_(1)
    facts = {
        "parameters": ", ".join(sorted(name for name, _ in fused.named_parameters())),
        "all parameters can learn": learns,
        "the heads stay as they are when the fused layer learns": all(map(torch.equal, before, parallel.parameters())),
        "each parameter learns by itself": all(map(torch.equal, moved, fused.parameters())),
    }
    return output, weights, facts


CAT_WEIGHTS = "torch.cat([layer.weight for layer in narrow])"
CAT_BIASES = "torch.cat([layer.bias for layer in narrow])"
COPIED_OUTPUT = """fused.w_o.weight.copy_(parallel.w_o.weight)
        fused.w_o.bias.copy_(parallel.w_o.bias)"""

FUSE_HEADS = Exercise(
    name="fuse_heads",
    returns=("output", "weights", "fused layer"),
    cases=(Case("several heads under a causal mask", parallel_heads),),
    misconceptions=(
        Misconception(
            "put the heads' weights side by side instead of one below the other",
            replace=CAT_WEIGHTS,
            by="torch.cat([layer.weight for layer in narrow], dim=1)",
            hint="nn.Linear keeps a weight as (out, in). All heads read the same d_model features and each adds d_head "
            "results, so it is the rows that become more.",
            check="shapes",
        ),
        Misconception(
            "interleaved the heads' rows",
            replace=CAT_WEIGHTS,
            by="torch.stack([layer.weight for layer in narrow], dim=1).flatten(0, 1)",
            hint="Row 0 of each head comes first, then row 1 of each head. All rows of head 0 should come first.",
        ),
        Misconception(
            "put the heads in reverse order",
            replace="for head in parallel.heads]",
            by="for head in reversed(parallel.heads)]",
            hint="Head 0's rows come first: split_heads gives the first d_head features to head 0.",
        ),
        Misconception(
            "gave every head the weights of the first",
            replace="getattr(head, name) for head in parallel.heads",
            by="getattr(parallel.heads[0], name) for head in parallel.heads",
            hint="Your heads all look at the same. Each has weights of its own to bring.",
        ),
        Misconception(
            "forgot the heads' biases",
            replace=f"wide.bias.copy_({CAT_BIASES})",
            by="pass",
            hint="A layer of nn.Linear is a weight and a bias. The biases of the new layer are still those it was made "
            "with.",
        ),
        Misconception(
            "forgot the output projection",
            replace=COPIED_OUTPUT,
            by="pass",
            hint="The weights are right and the output is not: the new layer's w_o still holds the numbers it was made "
            "with.",
        ),
        Misconception(
            "forgot the output projection's bias",
            replace="fused.w_o.bias.copy_(parallel.w_o.bias)",
            by="pass",
            hint="All outputs are off by the same vector: the bias of w_o is still the one it was made with.",
        ),
        Misconception(
            "shared parameters instead of copying their numbers",
            replace=COPIED_OUTPUT,
            by="fused.w_o = parallel.w_o",
            hint="The numbers are right, but there are parameters with two owners: training one layer changes the "
            "other. Is w_o among them?",
        ),
        Misconception(
            "transposed the output projection",
            replace="fused.w_o.weight.copy_(parallel.w_o.weight)",
            by="fused.w_o.weight.copy_(parallel.w_o.weight.T)",
            hint="Both are layers of nn.Linear and keep their weight the same way round.",
        ),
        Misconception(
            "put the keys' weights into the values' layer",
            replace="getattr(head, name)",
            by='getattr(head, name.replace("v", "k"))',
            hint="The weights are right and the output is not: the values are made by the keys' layer.",
        ),
        Misconception(
            "swapped queries and keys",
            replace="getattr(head, name)",
            by='getattr(head, {"w_q": "w_k", "w_k": "w_q"}.get(name, name))',
            hint="The words that ask and the words that answer have changed places.",
        ),
        Misconception(
            "made a layer with a single head",
            replace="MultiHeadAttention(d_model, len(parallel.heads))",
            by="MultiHeadAttention(d_model, 1)",
            hint="It needs as many heads as there were.",
            check="shapes",
        ),
        Misconception(
            "changed parameters in place while torch was keeping track",
            replace="with torch.no_grad():",
            by="if True:",
            hint="Copying numbers is no step that training should follow back. Say so with torch.no_grad().",
            check="shapes",
        ),
        Misconception(
            "handed back the parallel heads themselves",
            replace="return fused",
            by="return parallel",
            hint="It gives the same numbers, since it is the same layer. A MultiHeadAttention is asked for, with w_q, "
            "w_k, w_v and w_o.",
        ),
        Misconception(
            "returned nothing",
            replace="return fused",
            by="pass",
            hint="The new layer is made and filled, and then nobody gets it.",
            check="shapes",
        ),
        Misconception(
            "made as many heads as each is wide",
            replace="MultiHeadAttention(d_model, len(parallel.heads))",
            by="MultiHeadAttention(d_model, parallel.heads[0].w_q.out_features)",
            hint="out_features of a head's layer is its width, d_head. How many heads there are, the list of heads "
            "knows.",
            check="shapes",
        ),
        Misconception(
            "gave every head the biases of the first",
            replace="layer.bias for layer in narrow",
            by="narrow[0].bias for layer in narrow",
            hint="The weights are right. Each head has biases of its own to bring, too.",
        ),
        Misconception(
            "filled the queries' layer only",
            replace='("w_q", "w_k", "w_v")',
            by='("w_q",)',
            hint="The layers for keys and values still hold the numbers that they were made with. All three are "
            "filled alike.",
        ),
        Misconception(
            "stacked the heads' weights instead of joining them",
            replace="torch.cat([layer.weight for layer in narrow])",
            by="torch.stack([layer.weight for layer in narrow])",
            hint="stack makes a new dimension for the heads. A weight has two, and it is the rows that become more.",
            check="shapes",
        ),
        Misconception(
            "put a tensor in the place of a parameter",
            replace="wide.weight.copy_(torch.cat([layer.weight for layer in narrow]))",
            by="wide.weight = torch.cat([layer.weight for layer in narrow])",
            hint="A layer takes only parameters there. Leave the parameter where it is, and copy the numbers into it.",
            check="shapes",
        ),
        Misconception(
            "asked the parallel heads for something that they need not keep",
            replace="d_model = parallel.w_o.in_features",
            by="d_model = parallel.d_model",
            hint="ParallelHeads promises heads and w_o. What else it keeps is up to the one who wrote it, but its "
            "layers know their sizes, and its list of heads knows its length.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "load_state_dict",
            """
def fuse_heads(parallel):
    d_model = parallel.w_o.weight.shape[0]
    fused = MultiHeadAttention(d_model, len(parallel.heads))
    state = {f"w_o.{name}": tensor for name, tensor in parallel.w_o.state_dict().items()}
    for role in ("w_q", "w_k", "w_v"):
        for part in ("weight", "bias"):
            state[f"{role}.{part}"] = torch.cat([getattr(getattr(head, role), part) for head in parallel.heads])
    fused.load_state_dict(state)
    return fused
""",
        ),
        Alternative(
            "slices, through .data",
            """
def fuse_heads(parallel):
    d_head = parallel.heads[0].w_q.out_features
    fused = MultiHeadAttention(d_head * len(parallel.heads), len(parallel.heads))
    for index, head in enumerate(parallel.heads):
        rows = slice(index * d_head, (index + 1) * d_head)
        for wide, narrow in ((fused.w_q, head.w_q), (fused.w_k, head.w_k), (fused.w_v, head.w_v)):
            wide.weight.data[rows] = narrow.weight.data
            wide.bias.data[rows] = narrow.bias.data
    fused.w_o.load_state_dict(parallel.w_o.state_dict())
    return fused
""",
        ),
        Alternative(
            "new parameters, and a deep copy",
            """
import copy

def fuse_heads(parallel):
    heads = parallel.heads
    fused = MultiHeadAttention(parallel.w_o.out_features, len(heads))
    fused.w_q.weight = nn.Parameter(torch.vstack([head.w_q.weight.detach() for head in heads]))
    fused.w_k.weight = nn.Parameter(torch.vstack([head.w_k.weight.detach() for head in heads]))
    fused.w_v.weight = nn.Parameter(torch.vstack([head.w_v.weight.detach() for head in heads]))
    fused.w_q.bias = nn.Parameter(torch.hstack([head.w_q.bias.detach() for head in heads]))
    fused.w_k.bias = nn.Parameter(torch.hstack([head.w_k.bias.detach() for head in heads]))
    fused.w_v.bias = nn.Parameter(torch.hstack([head.w_v.bias.detach() for head in heads]))
    fused.w_o = copy.deepcopy(parallel.w_o)
    return fused
""",
        ),
    ),
    builds_on=("MultiHeadAttention", "split_heads", "merge_heads"),
    probe=fused_and_run,
    forbids=FORBIDS,
)


# from_torch


def torch_call(draw: Draw, bias: bool) -> Call:
    num_heads, d_head, d_model, batch, seq = draw_heads(draw, "seq")
    numbers = draw.normal(4 * d_model * (d_model + bias), scale=d_head**-0.5)
    sizes: dict[str, object] = {"d_model": d_model, "num_heads": num_heads}
    options = {"dropout": draw.integer(2, 4) / 10, "bias": bias}
    return Call({**sizes, **options, "numbers": numbers, "x": draw.normal(batch, seq, d_model)})


def turned_and_run(target, d_model, num_heads, dropout, bias, numbers, x):
    """Fill torch's layer with numbers, have it turned into ours, and return our output, weights and facts."""
    import torch
    from torch import nn

    def known(self):  # what is not copied stays at these, not at random numbers
        nn.init.constant_(self.weight, 0.1)
        if self.bias is not None:
            nn.init.constant_(self.bias, 0.7)

    theirs = nn.MultiheadAttention(d_model, num_heads, dropout=dropout, bias=bias, batch_first=True)
    with torch.no_grad():
        rest = numbers
        for _, parameter in sorted(theirs.named_parameters()):
            here, rest = rest.split((parameter.numel(), rest.numel() - parameter.numel()))
            parameter.copy_(here.view_as(parameter))
    before = [parameter.clone() for parameter in theirs.parameters()]
    random = nn.Linear.reset_parameters
    nn.Linear.reset_parameters = known
    try:
        ours = target(theirs)
    finally:
        nn.Linear.reset_parameters = random
    if not isinstance(ours, nn.Module):
        return ours
    ours.eval()
    output, weights = ours(x)
    learns = all(parameter.requires_grad for parameter in ours.parameters())
    ours.train()
    with torch.no_grad():
        share = (ours(x.repeat(100, 1, 1))[1] == 0).float().mean().item()
        moved = [parameter + 1 for parameter in ours.parameters()]
        for parameter in ours.parameters():
            parameter.add_(1)
    facts = {
        "parameters": ", ".join(sorted(name for name, _ in ours.named_parameters())),
        "all parameters can learn": learns,
        "weights set to 0 in training": f"about {round(share, 1):.0%}",
        "torch's layer stays as it is when ours learns": all(map(torch.equal, before, theirs.parameters())),
        "each parameter learns by itself": all(map(torch.equal, moved, ours.parameters())),
    }
    return output, weights, facts


PARTS = "layer.in_proj_weight.chunk(3)"
BIAS_PARTS = "layer.in_proj_bias.chunk(3)"
NO_BIASES = """if layer.in_proj_bias is None:  # it was made with bias=False
            for linear in (*ours, mine.w_o):
                linear.bias.zero_()"""

FROM_TORCH = Exercise(
    name="from_torch",
    returns=("output", "weights", "layer"),
    cases=(
        Case("a layer with biases", lambda draw: torch_call(draw, bias=True)),
        Case("a layer that was made with bias=False", lambda draw: torch_call(draw, bias=False)),
    ),
    misconceptions=(
        Misconception(
            "took the rows for keys, queries and values, in this order",
            replace="ours = (mine.w_q, mine.w_k, mine.w_v)",
            by="ours = (mine.w_k, mine.w_q, mine.w_v)",
            hint="The words that ask and the words that answer have changed places. torch's order is queries, keys, "
            "values.",
        ),
        Misconception(
            "took every third row for the queries",
            replace=PARTS,
            by="layer.in_proj_weight.unflatten(0, (-1, 3)).unbind(1)",
            hint="Some models keep their weights that way. In torch's layer the first d_model rows are the queries', "
            "then come the keys', then the values'.",
        ),
        Misconception(
            "cut the weights into columns",
            replace=PARTS,
            by="layer.in_proj_weight.chunk(3, dim=1)",
            hint="in_proj_weight is (3 * d_model, d_model), (out, in) as everywhere in nn.Linear: it is the rows that "
            "must be cut.",
            check="shapes",
        ),
        Misconception(
            "transposed the weights",
            replace="linear.weight.copy_(weight)",
            by="linear.weight.copy_(weight.T)",
            hint="Both layers keep their weights as (out, in). Nothing needs to be turned round.",
        ),
        Misconception(
            "transposed the output projection",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="mine.w_o.weight.copy_(layer.out_proj.weight.T)",
            hint="Both layers keep their weights as (out, in). Nothing needs to be turned round.",
        ),
        Misconception(
            "forgot the output projection",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="pass",
            hint="The weights are right and the output is not: the weight of w_o is still the one it was made with.",
        ),
        Misconception(
            "forgot the output projection's bias",
            replace="mine.w_o.bias.copy_(layer.out_proj.bias)",
            by="pass",
            hint="All outputs are off by the same vector: the bias of w_o is still the one it was made with.",
        ),
        Misconception(
            "forgot the biases of queries, keys and values",
            replace="linear.bias.copy_(bias)",
            by="pass",
            hint="The biases of w_q, w_k and w_v are still those they were made with. torch's layer keeps all three "
            "one after the other, like the weights.",
        ),
        Misconception(
            "gave queries, keys and values the same part of the biases",
            replace=BIAS_PARTS,
            by="[layer.in_proj_bias.chunk(3)[0]] * 3",
            hint="in_proj_bias is cut into three parts like in_proj_weight, in the same order.",
        ),
        Misconception(
            "did not provide for a layer without biases",
            replace="if layer.in_proj_bias is None:",
            by="if False:",
            hint="A layer that was made with bias=False has None in place of its biases, and None cannot be copied.",
            check="shapes",
        ),
        Misconception(
            "left our biases as they were made, for a layer without any",
            replace=NO_BIASES,
            by="if layer.in_proj_bias is None:  # it was made with bias=False\n            pass",
            hint="nn.Linear starts with random biases. Where torch's layer adds nothing, ours must add 0.",
        ),
        Misconception(
            "let the four biases share one tensor of zeros",
            replace=NO_BIASES,
            by="if layer.in_proj_bias is None:  # it was made with bias=False\n"
            "            zeros = torch.zeros(layer.embed_dim)\n"
            "            for linear in (*ours, mine.w_o):\n"
            "                linear.bias.data = zeros",
            hint="The numbers are right, but the four biases are one and the same: a step of training that moves one "
            "moves all. Each has zeros of its own.",
        ),
        Misconception(
            "set the biases of queries, keys and values to 0 and left the output projection's",
            replace="for linear in (*ours, mine.w_o):",
            by="for linear in ours:",
            hint="bias=False takes the bias of the output projection away too. Where torch's layer adds nothing, ours "
            "must add 0.",
        ),
        Misconception(
            "left dropout behind",
            replace="layer.num_heads, layer.dropout)",
            by="layer.num_heads)",
            hint="In eval mode the two agree. In training mode torch's layer drops weights, and yours should drop as "
            "many.",
        ),
        Misconception(
            "took the width of a head for the number of heads",
            replace="layer.num_heads, layer.dropout)",
            by="layer.head_dim, layer.dropout)",
            hint="head_dim is d_head. The layer knows the number of its heads as well.",
            check="shapes",
        ),
        Misconception(
            "shared parameters instead of copying their numbers",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="mine.w_o.weight = layer.out_proj.weight",
            hint="The numbers are right, but there are parameters with two owners: training one layer changes the "
            "other. A part that chunk or a slice gives is not a copy either.",
        ),
        Misconception(
            "changed parameters in place while torch was keeping track",
            replace="with torch.no_grad():",
            by="if True:",
            hint="Copying numbers is no step that training should follow back. Say so with torch.no_grad().",
            check="shapes",
        ),
        Misconception(
            "handed torch's own layer back",
            replace="return mine",
            by="return layer",
            hint="A MultiHeadAttention is asked for, with w_q, w_k, w_v and w_o: your own layer, filled with torch's "
            "numbers.",
            check="shapes",
        ),
        Misconception(
            "returned nothing",
            replace="return mine",
            by="pass",
            hint="The new layer is made and filled, and then nobody gets it.",
            check="shapes",
        ),
        Misconception(
            "cut the weights head by head",
            replace="layer.in_proj_weight.chunk(3)",
            by="[w.flatten(0, 1) for w in layer.in_proj_weight.unflatten(0, (layer.num_heads, 3, -1)).unbind(1)]",
            hint="Some models keep their weights that way. In torch's layer all queries come first, those of every "
            "head, then all keys, then all values.",
        ),
        Misconception(
            "copied no bias at all",
            replace="if layer.in_proj_bias is None:  # it was made with bias=False\n"
            "            for linear in (*ours, mine.w_o):\n"
            "                linear.bias.zero_()\n        else:\n"
            "            for linear, bias in zip(ours, layer.in_proj_bias.chunk(3), strict=True):\n"
            "                linear.bias.copy_(bias)\n            mine.w_o.bias.copy_(layer.out_proj.bias)",
            by="pass",
            hint="Each of the four layers is a weight and a bias, and the biases are still those that yours was made "
            "with. Where torch's layer has none, they must be 0.",
        ),
        Misconception(
            "asked whether the biases are true, not whether there are any",
            replace="if layer.in_proj_bias is None:",
            by="if not layer.in_proj_bias:",
            hint="A tensor of many entries is neither true nor false. Ask whether it is None.",
            check="shapes",
        ),
        Misconception(
            "took over torch's output projection itself",
            replace="mine.w_o.weight.copy_(layer.out_proj.weight)",
            by="mine.w_o = layer.out_proj\n        if layer.in_proj_bias is None:\n            for linear in ours:\n"
            "                linear.bias.zero_()\n            return mine",
            hint="It belongs to both layers now: training one changes the other. Copy the numbers into the layer that "
            "is there, and 0 for a bias that torch's layer does not have.",
        ),
    ),
    alternatives=(
        Alternative(
            "slices and load_state_dict",
            """
def from_torch(layer):
    d = layer.embed_dim
    mine = MultiHeadAttention(d, layer.num_heads, dropout=layer.dropout)
    bias = layer.in_proj_bias if layer.in_proj_bias is not None else torch.zeros(3 * d)
    out_bias = layer.out_proj.bias if layer.out_proj.bias is not None else torch.zeros(d)
    mine.load_state_dict({
        "w_q.weight": layer.in_proj_weight[:d], "w_q.bias": bias[:d],
        "w_k.weight": layer.in_proj_weight[d : 2 * d], "w_k.bias": bias[d : 2 * d],
        "w_v.weight": layer.in_proj_weight[2 * d :], "w_v.bias": bias[2 * d :],
        "w_o.weight": layer.out_proj.weight, "w_o.bias": out_bias,
    })
    return mine
""",
        ),
        Alternative(
            "new parameters",
            """
def from_torch(layer):
    mine = MultiHeadAttention(layer.embed_dim, layer.num_heads, layer.dropout)
    state = layer.state_dict()
    zeros = torch.zeros(4, layer.embed_dim)
    weights = [*state["in_proj_weight"].view(3, layer.embed_dim, -1), state["out_proj.weight"]]
    biases = zeros
    if "in_proj_bias" in state:
        biases = [*state["in_proj_bias"].view(3, -1), state["out_proj.bias"]]
    for linear, weight, bias in zip((mine.w_q, mine.w_k, mine.w_v, mine.w_o), weights, biases):
        linear.weight = nn.Parameter(weight.clone())
        linear.bias = nn.Parameter(bias.clone())
    return mine
""",
        ),
        Alternative(
            "through .data, with a try for the biases",
            """
def from_torch(layer):
    mine = MultiHeadAttention(layer.in_proj_weight.shape[1], layer.num_heads, layer.dropout)
    mine.w_q.weight.data, mine.w_k.weight.data, mine.w_v.weight.data = (
        part.clone() for part in layer.in_proj_weight.data.split(layer.embed_dim)
    )
    mine.w_o.weight.data = layer.out_proj.weight.data.clone()
    for linear in (mine.w_q, mine.w_k, mine.w_v, mine.w_o):
        linear.bias.data.fill_(0)
    try:
        for linear, bias in zip((mine.w_q, mine.w_k, mine.w_v), layer.in_proj_bias.data.split(layer.embed_dim)):
            linear.bias.data += bias
        mine.w_o.bias.data += layer.out_proj.bias.data
    except AttributeError:
        pass
    return mine
""",
        ),
    ),
    builds_on=("MultiHeadAttention", "split_heads", "merge_heads"),
    probe=turned_and_run,
    forbids=FUNCTIONS,
)


EXERCISES = [SPLIT_HEADS, MERGE_HEADS, PADDING_MASK, MULTI_HEAD_ATTENTION, FUSE_HEADS, FROM_TORCH]
