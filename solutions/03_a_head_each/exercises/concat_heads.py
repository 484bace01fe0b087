"""`concat_heads`: puts the outputs of the heads side by side, word by word."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, LARGEST


def outputs_of_heads(draw: Draw) -> Call:
    batch, num_heads, seq, d_head = draw.sizes("batch num_heads seq d_head", high=LARGEST)
    return Call({"outputs": draw.normal(batch, num_heads, seq, d_head)})


def outputs_of_one_head(draw: Draw) -> Call:
    batch, seq, d_head = draw.sizes("batch seq d_head", high=LARGEST)
    return Call({"outputs": draw.normal(batch, 1, seq, d_head)})


def outputs_of_one_sentence(draw: Draw) -> Call:
    num_heads, seq, d_head = draw.sizes("num_heads seq d_head", high=LARGEST)
    return Call({"outputs": draw.normal(1, num_heads, seq, d_head)})


JOINED = """parts = outputs.unbind(dim=1)
    # num_heads times (batch, seq, d_head) -> (batch, seq, num_heads * d_head)
    return torch.cat(parts, dim=-1)"""

EXERCISE = Exercise(
    name="concat_heads",
    returns=("the result",),
    cases=(
        Case("several heads", outputs_of_heads),
        Case("a single head", outputs_of_one_head),
        Case("a single sentence", outputs_of_one_sentence),
    ),
    misconceptions=(
        Misconception(
            "reshaped without moving the heads behind the words",
            replace=JOINED,
            by="batch, num_heads, seq, d_head = outputs.shape\n"
            "    return outputs.reshape(batch, seq, num_heads * d_head)",
            hint="The shape is right, but the row of a word holds numbers of other words. Reshaping cuts the "
            "numbers in their old order, in which all words of a head come before the next head. (You did move them? "
            "Then use the result: it is a new tensor.)",
        ),
        Misconception(
            "interleaved the heads",
            replace="torch.cat(parts, dim=-1)",
            by="torch.stack(parts, dim=-1).flatten(-2)",
            hint="Your features alternate: one of each head, then the next of each. All those of head 0 come first.",
        ),
        Misconception(
            "swapped words and features, then reshaped",
            replace=JOINED,
            by="return outputs.transpose(2, 3).reshape(outputs.shape[0], outputs.shape[2], -1)",
            hint="The shape is right, but the numbers are in the wrong places. To become one dimension, heads and "
            "features must be next to each other, heads first.",
        ),
        Misconception(
            "swapped heads and features, then reshaped",
            replace=JOINED,
            by="return outputs.transpose(1, 3).reshape(outputs.shape[0], outputs.shape[2], -1)",
            hint="The shape is right, but the numbers are in the wrong places. To become one dimension, heads and "
            "features must be next to each other, heads first.",
        ),
        Misconception(
            "gave cat the whole tensor",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(outputs, dim=-1)",
            hint="cat joins several tensors, given as a list or a tuple. Take yours apart into its heads first.",
            check="shapes",
        ),
        Misconception(
            "left a dimension of size 1 where the heads were",
            replace="outputs.unbind(dim=1)",
            by="outputs.split(1, dim=1)",
            hint="The parts still have a dimension for the heads, with one head in it. An index such as outputs[:, 0], "
            "or unbind, takes it away.",
            check="shapes",
        ),
        Misconception(
            "put the last head first",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts[::-1], dim=-1)",
            hint="The first d_head features should be those of head 0.",
        ),
        Misconception(
            "joined the heads along the words",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts, dim=1)",
            hint="The sentence has become num_heads times as long. It is each word's vector that should.",
            check="shapes",
        ),
        Misconception(
            "joined the heads along the batch",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts)",
            hint="Without dim, cat takes the first dimension, and there are num_heads times as many sentences now. The "
            "features are the last dimension.",
            check="shapes",
        ),
        Misconception(
            "stacked the heads instead of joining them",
            replace="torch.cat(parts, dim=-1)",
            by="torch.stack(parts, dim=-1)",
            hint="stack makes a new dimension. The heads' features should share the one they have.",
            check="shapes",
        ),
        Misconception(
            "took the sentences apart instead of the heads",
            replace="outputs.unbind(dim=1)",
            by="outputs.unbind(dim=0)",
            hint="Dimension 0 is the batch, and sentences have nothing to do with each other. The heads are "
            "dimension 1.",
            check="shapes",
        ),
        Misconception(
            "joined the words of each head",
            replace=JOINED,
            by="return outputs.flatten(2)",
            hint="Each head has one long vector now, of all its words. Each word should have one, of all its heads.",
            check="shapes",
        ),
        Misconception(
            "moved the heads behind the words and left them apart",
            replace=JOINED,
            by="return outputs.transpose(1, 2)",
            hint="The order of the dimensions is right now. The last two are still to become one.",
            check="shapes",
        ),
        Misconception(
            "added the heads up",
            replace="torch.cat(parts, dim=-1)",
            by="sum(parts)",
            hint="In a sum there is no telling which head said what, and the vector stays d_head long. Put the "
            "heads behind each other.",
            check="shapes",
        ),
        Misconception(
            "averaged the heads",
            replace="torch.cat(parts, dim=-1)",
            by="torch.stack(parts).mean(dim=0)",
            hint="In an average there is no telling which head said what, and the vector stays d_head long. Put the "
            "heads behind each other.",
            check="shapes",
        ),
        Misconception(
            "used view where the numbers do not lie in that order",
            replace=JOINED,
            by="batch, num_heads, seq, d_head = outputs.shape\n"
            "    return outputs.transpose(1, 2).view(batch, seq, num_heads * d_head)",
            hint="view never moves a number, and after the transpose they are in the wrong order for it. reshape "
            "moves them where it must.",
            check="shapes",
        ),
        Misconception(
            "picked sentences instead of heads",
            replace="parts = outputs.unbind(dim=1)",
            by="parts = [outputs[head] for head in range(outputs.shape[1])]",
            hint="A single index picks from the first dimension, and that is the batch. The heads are dimension 1.",
            check="shapes",
        ),
        Misconception(
            "kept only the first head",
            replace="torch.cat(parts, dim=-1)",
            by="parts[0]",
            hint="What the other heads say is lost. Put them behind each other. (Is your return inside a loop? It ends "
            "the function in the first round.)",
            check="shapes",
        ),
        Misconception(
            "kept only the last head",
            replace="torch.cat(parts, dim=-1)",
            by="parts[-1]",
            hint="What the other heads say is lost: each has overwritten the one before it. Put them behind each "
            "other.",
            check="shapes",
        ),
        Misconception(
            "left out the last head",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts[:-1], dim=-1)",
            hint="One head is missing, the last. (range(n) ends with n − 1 by itself.)",
            check="shapes",
        ),
        Misconception(
            "left out the first head",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts[1:], dim=-1)",
            hint="One head is missing, the first. (Places in a list are counted from 0.)",
            check="shapes",
        ),
        Misconception(
            "joined the sentences as well",
            replace=JOINED,
            by="return outputs.transpose(1, 2).reshape(-1, outputs.shape[1] * outputs.shape[3])",
            hint="All sentences are one long list of words now. Heads and features become one dimension, batch and "
            "words stay apart.",
            check="shapes",
        ),
        Misconception(
            "returned the heads as a list",
            replace="torch.cat(parts, dim=-1)",
            by="list(parts)",
            hint="The heads are there, one by one. Put them behind each other, so that each word has one vector.",
            check="shapes",
        ),
        Misconception(
            "joined as many heads as there are sentences",
            replace="parts = outputs.unbind(dim=1)",
            by="parts = [outputs[:, head] for head in range(outputs.shape[0])]",
            hint="The batch is the first number of the shape. How many heads there are is the second.",
            check="shapes",
        ),
        Misconception(
            "joined the first two heads only",
            replace="parts = outputs.unbind(dim=1)",
            by="parts = [outputs[:, 0], outputs[:, 1]]",
            hint="There may be any number of heads, also a single one. The shape says how many there are.",
            check="shapes",
        ),
        Misconception(
            "began each slice at the head's number, not at its first feature",
            replace=JOINED,
            by="""batch, num_heads, seq, d_head = outputs.shape
    result = outputs.new_zeros(batch, seq, num_heads * d_head)
    for head in range(num_heads):
        result[..., head : head + d_head] = outputs[:, head]
    return result""",
            hint="Your slices overlap, and each head overwrites the one before it but for one feature. Each head has "
            "d_head features, so those of head 1 begin where head 0's end.",
        ),
        Misconception(
            "took all dimensions of size 1 away",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts, dim=-1).squeeze()",
            hint="A batch of one sentence is still a batch: its first dimension has the size 1. Keep all three "
            "dimensions.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "each head by its index",
            """
def concat_heads(outputs):
    return torch.cat([outputs[:, head] for head in range(outputs.shape[1])], dim=2)
""",
        ),
        Alternative(
            "transpose, then reshape",
            """
def concat_heads(outputs):
    batch, num_heads, seq, d_head = outputs.shape
    return outputs.transpose(1, 2).reshape(batch, seq, num_heads * d_head)
""",
        ),
        Alternative(
            "einops",
            """
import einops

def concat_heads(outputs):
    return einops.rearrange(outputs, "b h s d -> b s (h d)")
""",
        ),
        Alternative(
            "permute, contiguous, view",
            """
def concat_heads(outputs):
    outputs = outputs.permute(0, 2, 1, 3).contiguous()
    return outputs.view(*outputs.shape[:2], -1)
""",
        ),
    ),
    forbids=FORBIDS,
)
