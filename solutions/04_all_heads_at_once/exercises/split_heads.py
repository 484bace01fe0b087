"""`split_heads`: cuts the features of each word into heads."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, draw_heads


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

EXERCISE = Exercise(
    name="split_heads",
    returns=("heads",),
    milestones={
        "view": "the features cut into heads",
    },
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
            hint="After the transpose each row holds one feature of all words, and the new shape cuts these rows as "
            "if they were words. Cut the features first, while they are the last dimension, and swap afterwards.",
        ),
        Misconception(
            "left the heads behind the words",
            replace=".transpose(1, 2)",
            by="",
            hint="Each word is cut in the right places. But attention works on the last two dimensions, and those "
            "must be seq and d_head: the heads belong in front of the words. (You did swap them? Then use the result: "
            "it is a new tensor.)",
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
            "transposed each head's words and features",
            replace=".transpose(1, 2)",
            by=".permute(0, 2, 3, 1)",
            hint="One row per word: seq comes before d_head. Keys are transposed later, inside the attention.",
            check="shapes",
        ),
        Misconception(
            "folded the heads into the batch",
            replace=".transpose(1, 2)",
            by=".transpose(1, 2).flatten(0, 1)",
            hint="Some libraries do that. Here the heads have a dimension of their own, so that masks of a sentence "
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
            "put the heads one below the other",
            replace=SPLIT,
            by="torch.cat(x.chunk(num_heads, dim=-1), dim=1)",
            hint="The heads' slices are the right ones, but now a sentence looks num_heads times as long. They need a "
            "dimension of their own.",
            check="shapes",
        ),
        Misconception(
            "began each slice at the head's number, not at its first feature",
            replace=SPLIT,
            by="torch.stack([x[:, :, head : head + d_head] for head in range(num_heads)], dim=1)",
            hint="Your slices overlap: head 1 begins one feature after head 0. Each head has d_head features, so "
            "those of head 1 begin where head 0's end.",
        ),
        Misconception(
            "gave every head the first slice",
            replace=SPLIT,
            by="x[:, :, :d_head].unsqueeze(1).expand(batch, num_heads, seq, d_head)",
            hint="All heads have head 0's features, and the others' are lost. Where a slice begins must depend on the "
            "head.",
        ),
        Misconception(
            "put the heads in front of the batch and viewed that in the wanted shape",
            replace=SPLIT,
            by="torch.stack(x.chunk(num_heads, dim=-1)).reshape(batch, num_heads, seq, d_head)",
            hint="The slices are the right ones, and they are dealt out to the wrong sentences: a view reads first "
            "head 0 of all sentences, and calls them the heads of sentence 0. Put the heads behind the batch at once, "
            "or swap the two.",
        ),
        Misconception(
            "viewed x as if its features came before its words",
            replace=SPLIT,
            by="x.reshape(batch, num_heads, d_head, seq).transpose(2, 3)",
            hint="In x the words come first, and then their features. A view does not turn them round, it reads on in "
            "the old order. Cut the last dimension, and swap afterwards.",
        ),
        Misconception(
            "left head 0 empty",
            replace=f"return {SPLIT}",
            by=f"heads = {SPLIT}\n    return heads * (torch.arange(num_heads) > 0)[:, None, None]",
            hint="Head 0 is all 0, and all other heads have their features. (Heads are counted from 0.)",
        ),
        Misconception(
            "left the last head empty",
            replace=f"return {SPLIT}",
            by=f"heads = {SPLIT}\n    return heads * (torch.arange(num_heads) < num_heads - 1)[:, None, None]",
            hint="The last head is all 0, and all other heads have their features. (range(n) ends with n − 1 by "
            "itself.)",
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
