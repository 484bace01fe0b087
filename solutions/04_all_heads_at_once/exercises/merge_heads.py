"""`merge_heads`: puts the heads of each word side by side again."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, draw_heads


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

EXERCISE = Exercise(
    name="merge_heads",
    returns=("merged",),
    milestones={
        "transpose": "the heads of each word next to each other",
    },
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
            "head 0. Bring the words in front of the heads before you join the last two dimensions. (You did swap "
            "them? Then use the result: it is a new tensor.)",
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
            replace="batch, num_heads, seq, d_head = x.shape",
            by="batch, num_heads, seq, d_head = x.shape\n    x = x.flip(1)",
            hint="Head 0 comes first, as it did when the heads were split.",
        ),
        Misconception(
            "threw away what transpose returns",
            replace="return x.transpose(1, 2).reshape(batch, seq, num_heads * d_head)",
            by="x.transpose(1, 2)\n    return x.flatten(2)",
            hint="transpose returns another tensor and leaves x as it is: give what it returns a name, or go on with "
            "it at once.",
            check="shapes",
            shown_by=("transpose|permute|swapaxes|movedim",),
        ),
        Misconception(
            "left the heads apart",
            replace=".reshape(batch, seq, num_heads * d_head)",
            by="",
            hint="The words are back in front of the heads. Now the last two dimensions have to become one.",
            check="shapes",
        ),
        Misconception(
            "put the heads one below the other",
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
            hint="An average mixes what the heads found, and there is no telling which found what. They are put "
            "side by side.",
            check="shapes",
        ),
        Misconception(
            "joined heads and features first and swapped with the words afterwards",
            replace=MERGE,
            by="x.reshape(batch, num_heads * d_head, seq).transpose(1, 2)",
            hint="The words are between the heads and the features, so joining these two reads the words as "
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
        Misconception(
            "read sentences and heads as if the heads came first",
            replace=MERGE,
            by="x.reshape(num_heads, batch, seq, d_head).permute(1, 2, 0, 3).reshape(batch, seq, num_heads * d_head)",
            hint="A word has pieces of other sentences beside it now. In x all heads of sentence 0 come first, then "
            "all heads of sentence 1; flattened into one dimension, they lie in that order.",
        ),
        Misconception(
            "added the heads up",
            replace=MERGE,
            by="x.sum(dim=1)",
            hint="A sum mixes what the heads found, and there is no telling which found what. They are put side by "
            "side.",
            check="shapes",
        ),
        Misconception(
            "returned only one head",
            replace=MERGE,
            by="x[:, 0]",
            hint="What the other heads found is lost. Put all of them side by side. (You have a loop? Then check what "
            "it keeps of each step, and that it does not return too early.)",
            check="shapes",
        ),
        Misconception(
            "joined the heads along the batch",
            replace=MERGE,
            by="torch.cat(x.unbind(1), dim=0)",
            hint="Now there seem to be num_heads times as many sentences. A word's heads belong side by side in one "
            "row.",
            check="shapes",
        ),
        Misconception(
            "left the place of head 0 empty",
            replace=f"return {MERGE}",
            by=f"merged = {MERGE}\n    return merged * (torch.arange(num_heads * d_head) >= d_head)",
            hint="The first d_head features of each word are 0, and all other heads are where they belong. (Heads are "
            "counted from 0.)",
        ),
        Misconception(
            "left the place of the last head empty",
            replace=f"return {MERGE}",
            by=f"merged = {MERGE}\n    return merged * (torch.arange(num_heads * d_head) < (num_heads - 1) * d_head)",
            hint="The last d_head features of each word are 0, and all other heads are where they belong. (range(n) "
            "ends with n − 1 by itself.)",
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
