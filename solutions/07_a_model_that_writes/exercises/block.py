"""`Block`: attention and feed-forward, each added to what was there."""

from dataclasses import replace

from torch import Tensor

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, draw_block


def block_call(draw: Draw, dropout: float | None = None) -> Call:
    """Return the call of a block with drawn weights; with `dropout`, in training mode."""
    num_heads, d_model = 2, 6
    draw.named(num_heads=num_heads, d_model=d_model)
    batch, seq, d_hidden = draw.sizes("batch seq d_hidden", low=3, high=5)
    init: dict[str, object] = {"d_model": d_model, "num_heads": num_heads, "d_hidden": d_hidden}
    if dropout is not None:
        init["dropout"] = dropout
    x = draw.normal(batch, seq, d_model, scale=1.5)
    state = draw_block(draw, "", d_model, d_hidden)
    return Call({"x": x, "mask": None}, init=init, state=state, training=dropout is not None)


def causal_and_padded(draw: Draw) -> Call:
    """A mask (batch, 1, seq, seq): causal, some words are padding, and one sentence is nothing else."""
    call = block_call(draw)
    x = call.inputs["x"]
    assert isinstance(x, Tensor)
    batch, seq, _ = x.shape
    mask = draw.mask(batch, 1, 1, seq) & x.new_ones(seq, seq).tril().bool()
    mask[draw.integer(0, batch - 1)] = False
    return replace(call, inputs={"x": x, "mask": mask})


def output_or_dropout(block, x, mask):
    """Return what the block returns. In training mode: how its attention drops weights."""
    import torch

    if not block.training:
        return block(x, mask)
    seen = []
    block.attention.register_forward_hook(lambda layer, inputs, output: seen.append(output[1]))
    # (batch, seq, d_model) -> (100 * batch, seq, d_model): enough weights for their share to be sure
    x = x.repeat(100, 1, 1)
    with torch.no_grad():
        block(x, mask)
        block.attention.eval()
        elsewhere = torch.equal(block(x, mask), block(x, mask))
        block.eval()
        alike = torch.equal(block(x, mask), block(x, mask))
    dropped = (seen[0] == 0).float().mean().item()
    return {
        "attention's weights set to 0 in training": f"about {round(dropped, 1):.0%}",
        "two calls are the same if attention drops nothing": elsewhere,
        "two calls are the same in eval": alike,
    }


PARTS = """self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_hidden)
        self.norm_1 = nn.LayerNorm(d_model)
        self.norm_2 = nn.LayerNorm(d_model)"""
ATTEND = "attended, _ = self.attention(self.norm_1(x), mask=mask)"
ADD_1 = "x = x + attended"
ADD_2 = "return x + self.feed_forward(self.norm_2(x))"
FORWARD = f"""{ATTEND}
        {ADD_1}
        {ADD_2}"""

EXERCISE = Exercise(
    name="Block",
    returns=("output",),
    milestones={
        "norm_1": "the normalised words for attention",
        "attention": "what attention found",
        "x": "the words with attention's part added",
        "norm_2": "the normalised words for the feed-forward layer",
        "feed_forward": "what the feed-forward layer makes of them",
    },
    cases=(
        Case(
            "a mask (batch, 1, seq, seq), causal and for padding, and a sentence that is all padding", causal_and_padded
        ),
        Case("no mask, and dropout in training mode", lambda draw: block_call(draw, dropout=draw.integer(3, 5) / 10)),
    ),
    misconceptions=(
        # what is added to what
        Misconception(
            "added nothing to what attention found",
            replace=ADD_1,
            by="x = attended",
            hint="Each word has lost its own vector: only what it found elsewhere is left. The words' vectors pass "
            "attention by, and its output is added to them.",
        ),
        Misconception(
            "added nothing to the feed-forward layer's output",
            replace=ADD_2,
            by="return self.feed_forward(self.norm_2(x))",
            hint="What attention found gets lost here. The feed-forward layer's output is added to its input, too.",
        ),
        Misconception(
            "added nothing anywhere",
            replace=f"{ADD_1}\n        {ADD_2}",
            by="return self.feed_forward(self.norm_2(attended))",
            hint="That is one layer behind the other, without the residual stream. Both outputs are added to what was "
            "there before.",
        ),
        Misconception(
            "added to the normalised words instead of the words",
            replace=FORWARD,
            by="""x = self.norm_1(x)
        attended, _ = self.attention(x, mask=mask)
        x = x + attended
        x = self.norm_2(x)
        return x + self.feed_forward(x)""",
            hint="Norm is only for what goes into a layer. What is added to must be x itself, as it came: keep it "
            "under "
            "its own name.",
        ),
        Misconception(
            "added attention to the normalised words",
            replace=f"{ATTEND}\n        {ADD_1}",
            by="x = self.norm_1(x)\n        x = x + self.attention(x, mask=mask)[0]",
            hint="Norm is only for what goes into attention. What it is added to must be x itself, as it came.",
        ),
        Misconception(
            "added the feed-forward layer's output to the normalised words",
            replace=ADD_2,
            by="x = self.norm_2(x)\n        return x + self.feed_forward(x)",
            hint="Norm is only for what goes into the feed-forward layer. What it is added to must be the sum that you "
            "had before.",
        ),
        Misconception(
            "added the feed-forward layer's output to the block's input",
            replace=f"{ADD_1}\n        {ADD_2}",
            by="between = x + attended\n        return x + self.feed_forward(self.norm_2(between))",
            hint="What attention found reaches the output only through the feed-forward layer. The second sum starts "
            "from the first.",
        ),
        Misconception(
            "gave attention and feed-forward the same input",
            replace=f"{ADD_1}\n        {ADD_2}",
            by="return x + attended + self.feed_forward(self.norm_2(x))",
            hint="Side by side: some models do that. Here the feed-forward layer works on what attention has added.",
        ),
        Misconception(
            "added the block's input twice",
            replace=ADD_2,
            by=ADD_2.replace("x + ", "x + (x - attended) + "),
            hint="x is already in the sum that you add to.",
        ),
        # where norm is
        Misconception(
            "normalised after adding",
            replace=FORWARD,
            by="""attended, _ = self.attention(x, mask=mask)
        x = self.norm_1(x + attended)
        return self.norm_2(x + self.feed_forward(x))""",
            hint="That is post-norm, as in the paper of 2017 and in MiniLM. Here norm comes before each layer, and the "
            "sum itself is left alone: pre-norm.",
        ),
        Misconception(
            "normalised the first sum",
            replace=f"{ATTEND}\n        {ADD_1}",
            by="attended, _ = self.attention(x, mask=mask)\n        x = self.norm_1(x + attended)",
            hint="norm_1 acts on the sum, and so on the stream itself. It belongs before attention, on the copy that "
            "goes in.",
        ),
        Misconception(
            "normalised what attention and feed-forward return",
            replace=FORWARD,
            by="""attended, _ = self.attention(x, mask=mask)
        x = x + self.norm_1(attended)
        return x + self.norm_2(self.feed_forward(x))""",
            hint="Norm is for what goes into a layer, and what comes out is added as it is.",
        ),
        Misconception(
            "normalised nothing",
            replace=FORWARD,
            by=FORWARD.replace("self.norm_1(x)", "x").replace("self.norm_2(x)", "x"),
            hint="Both norms are there and never used. What goes into attention, and into the feed-forward layer, is "
            "normalised first.",
        ),
        Misconception(
            "left out the norm before attention",
            replace="self.norm_1(x)",
            by="x",
            hint="Attention gets the words as they are, of any size. norm_1 belongs before it.",
        ),
        Misconception(
            "left out the norm before the feed-forward layer",
            replace="self.norm_2(x)",
            by="x",
            hint="The feed-forward layer gets the words as they are, of any size. norm_2 belongs before it.",
        ),
        Misconception(
            "used the first norm twice",
            replace="self.norm_2(x)",
            by="self.norm_1(x)",
            hint="Each norm has a scale and a shift of its own that it learns. norm_2 is never used.",
        ),
        Misconception(
            "swapped the two norms",
            replace=FORWARD,
            by=FORWARD.replace("norm_1", "norm").replace("norm_2", "norm_1").replace("self.norm(", "self.norm_2("),
            hint="Trained weights are loaded by name: norm_1 is before attention, norm_2 before the feed-forward "
            "layer.",
        ),
        Misconception(
            "normalised the queries alone",
            replace="self.attention(self.norm_1(x), mask=mask)",
            by="self.attention(self.norm_1(x), x, mask=mask)",
            hint="Keys and values come from the words as they are. All three are made from the normalised ones.",
        ),
        Misconception(
            "normalised the output once more",
            replace=ADD_2,
            by="return self.norm_2(x + self.feed_forward(self.norm_2(x)))",
            hint="The sum goes on to the next block as it is.",
        ),
        # the mask, the order, and what attention returns
        Misconception(
            "forgot to pass the mask on",
            replace=", mask=mask)",
            by=")",
            hint="Blocked words are still looked at: each word would see the ones that it is to predict.",
        ),
        Misconception(
            "inverted the mask on its way",
            replace="mask=mask)",
            by="mask=None if mask is None else ~mask)",
            hint='Your words look exactly where they may not. True means "may attend" from start to end.',
        ),
        Misconception(
            "made a causal mask in place of the one given",
            replace="mask=mask)",
            by="mask=causal_mask(x.shape[1], x.device))",
            hint="The caller says who may look at whom: mask comes as an argument, and may block padding, too.",
        ),
        Misconception(
            "let the feed-forward layer work before attention",
            replace=FORWARD,
            by="""x = x + self.feed_forward(self.norm_2(x))
        attended, _ = self.attention(self.norm_1(x), mask=mask)
        return x + attended""",
            hint="The order is: first attention, then the feed-forward layer.",
        ),
        Misconception(
            "passed the mask as the key",
            replace="mask=mask)",
            by="mask)",
            hint="The second argument of MultiHeadAttention is the key. Give the mask by its name.",
            check="shapes",
        ),
        Misconception(
            "added the pair that attention returns",
            replace=f"{ATTEND}\n        {ADD_1}",
            by="x = x + self.attention(self.norm_1(x), mask=mask)",
            hint="MultiHeadAttention returns two things, the output and the weights. Only the output is added.",
            check="shapes",
        ),
        Misconception(
            "returned the weights, too",
            replace="return x + self.feed_forward(self.norm_2(x))",
            by="return x + self.feed_forward(self.norm_2(x)), _",
            hint="A block returns words, (batch, seq, d_model), so that the next block can take them.",
            check="shapes",
        ),
        Misconception(
            "scaled the sums by a half",
            replace=FORWARD,
            by="""attended, _ = self.attention(self.norm_1(x), mask=mask)
        x = (x + attended) / 2
        return (x + self.feed_forward(self.norm_2(x))) / 2""",
            hint="It is a sum, not a mean: in a deep model a word would fade by half with each block.",
        ),
        # what is made in __init__
        Misconception(
            "forgot to pass the dropout on",
            replace="MultiHeadAttention(d_model, num_heads, dropout)",
            by="MultiHeadAttention(d_model, num_heads)",
            hint="In training nothing is dropped. dropout is an argument of MultiHeadAttention, too.",
        ),
        Misconception(
            "dropped from what attention returns, and not from its weights",
            replace="self.attention = MultiHeadAttention(d_model, num_heads, dropout)",
            by="self.attention = MultiHeadAttention(d_model, num_heads)\n"
            "        self.attention.register_forward_hook(\n"
            "            lambda layer, given, both: (nn.functional.dropout(both[0], dropout, self.training), both[1])\n"
            "        )",
            hint="Many models do that as well. Here dropout is for attention's weights: it is an argument of "
            "MultiHeadAttention.",
        ),
        Misconception(
            "dropped some of what is added, too",
            replace=f"{ADD_1}",
            by="x = x + nn.functional.dropout(attended, 0.1, self.training)",
            hint="Many models do that as well. Here dropout is for attention's weights alone.",
        ),
        Misconception(
            "made the feed-forward layer four times as wide as a word",
            replace="FeedForward(d_model, d_hidden)",
            by="FeedForward(d_model, 4 * d_model)",
            hint="Four times is what most models take, and TinyGPT will. Here the width is an argument: d_hidden.",
            check="shapes",
        ),
        Misconception(
            "made the feed-forward layer as wide as a word",
            replace="FeedForward(d_model, d_hidden)",
            by="FeedForward(d_model, d_model)",
            hint="Its width is an argument of the block: d_hidden.",
            check="shapes",
        ),
        Misconception(
            "made one norm for both",
            replace="self.norm_2 = nn.LayerNorm(d_model)",
            by="self.norm_2 = self.norm_1",
            hint="Two names for one layer. Each norm learns a scale and a shift of its own.",
            check="shapes",
        ),
        Misconception(
            "gave the norms other names",
            replace=PARTS,
            by=PARTS.replace("norm_", "norm"),
            hint="Trained weights are loaded by name, so names are part of the task: norm_1 and norm_2.",
            check="shapes",
        ),
        Misconception(
            "took RMSNorm for LayerNorm",
            replace="self.norm_1 = nn.LayerNorm(d_model)\n        self.norm_2 = nn.LayerNorm(d_model)",
            by="self.norm_1 = nn.RMSNorm(d_model)\n        self.norm_2 = nn.RMSNorm(d_model)",
            hint="Many newer models use RMSNorm, which subtracts no mean and has no shift. Here it is nn.LayerNorm.",
            check="shapes",
        ),
        Misconception(
            "normalised without parameters",
            replace="self.norm_1 = nn.LayerNorm(d_model)\n        self.norm_2 = nn.LayerNorm(d_model)",
            by="self.norm_1 = nn.LayerNorm(d_model, elementwise_affine=False)\n"
            "        self.norm_2 = nn.LayerNorm(d_model, elementwise_affine=False)",
            hint="Each norm has a scale and a shift that it learns, as nn.LayerNorm makes them.",
            check="shapes",
        ),
        Misconception(
            "used the second norm twice",
            replace="self.norm_1(x)",
            by="self.norm_2(x)",
            hint="Each norm has a scale and a shift of its own that it learns. norm_1 is never used.",
        ),
        Misconception(
            "normalised the second sum",
            replace=ADD_2,
            by="return self.norm_2(x + self.feed_forward(x))",
            hint="norm_2 acts on the sum, and so on the stream itself. It belongs before the feed-forward layer, on "
            "the copy that goes in.",
        ),
        Misconception(
            "left out the feed-forward layer",
            replace=ADD_2,
            by="return x",
            hint="The words have looked at each other, and that is all. Then each is to think for itself: the second "
            "half of the block is missing.",
        ),
        Misconception(
            "took the queries from the words as they are",
            replace="self.attention(self.norm_1(x), mask=mask)",
            by="self.attention(x, self.norm_1(x), mask=mask)",
            hint="Keys and values come from the normalised words, and queries do not. All three are made from the "
            "normalised ones.",
        ),
        Misconception(
            "took the values from the words as they are",
            replace="self.attention(self.norm_1(x), mask=mask)",
            by="self.attention(self.norm_1(x), self.norm_1(x), x, mask=mask)",
            hint="Queries and keys come from the normalised words, and values do not. All three are made from the "
            "normalised ones.",
        ),
        Misconception(
            "added to x in place",
            replace=ADD_1,
            by="x += attended",
            hint="The numbers are right, but += writes into the tensor that the caller handed in, and the caller may "
            "need it as it was. x = x + … makes a new one.",
        ),
        Misconception(
            "swapped the sizes of the feed-forward layer",
            replace="FeedForward(d_model, d_hidden)",
            by="FeedForward(d_hidden, d_model)",
            hint="FeedForward takes the length of a word's vector first, and then the length between its two layers.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "one line each",
            """
class Block(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden)
        self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm_1(x), mask=mask)[0]
        x = x + self.feed_forward(self.norm_2(x))
        return x
""",
        ),
        Alternative(
            "query, key and value by name, and a residual kept",
            """
class Block(nn.Module):
    def __init__(self, d_model: int, num_heads: int, d_hidden: int, dropout: float = 0.0):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm_1 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden)
        self.norm_2 = nn.LayerNorm(d_model)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        residual = x
        x = self.norm_1(x)
        x, weights = self.attention(query=x, key=x, value=x, mask=mask)
        x = residual + x
        residual = x
        x = self.norm_2(x)
        x = self.feed_forward(x)
        return residual + x
""",
        ),
        Alternative(
            "norm by its formula",
            """
class Block(nn.Module):
    def __init__(self, d_model, num_heads, d_hidden, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_hidden)
        self.norm_1 = nn.LayerNorm(d_model)
        self.norm_2 = nn.LayerNorm(d_model)

    def normalised(self, x, norm):
        mean = x.mean(dim=-1, keepdim=True)
        spread = (x.var(dim=-1, keepdim=True, unbiased=False) + norm.eps).sqrt()
        return (x - mean) / spread * norm.weight + norm.bias

    def forward(self, x, mask=None):
        between = self.attention(self.normalised(x, self.norm_1), mask=mask)[0] + x
        return self.feed_forward(self.normalised(between, self.norm_2)) + between
""",
        ),
    ),
    builds_on=("FeedForward",),
    probe=output_or_dropout,
    forbids=FORBIDS,
)
