"""`ParallelHeads`: a module of several heads and the output projection that mixes them."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, draw_heads, draw_sentences


def layer_call(draw: Draw, x: torch.Tensor, mask: torch.Tensor | None, num_heads: int, training: bool = False) -> Call:
    d_model = x.shape[-1]
    state = {}
    for head in range(num_heads):
        for name in ("w_q", "w_k", "w_v"):
            state |= draw.linear(f"heads.{head}.{name}", d_model // num_heads, d_model)
    state |= draw.linear("w_o", d_model, d_model)
    init: dict[str, object] = {"d_model": d_model, "num_heads": num_heads}
    return Call({"x": x, "mask": mask}, init=init, state=state, training=training)


def layer_without_mask(draw: Draw) -> Call:
    num_heads, _, d_model = draw_heads(draw)
    batch, seq = draw_sentences(draw)
    return layer_call(draw, draw.normal(batch, seq, d_model), None, num_heads)


def layer_with_blocked_word(draw: Draw) -> Call:
    num_heads, _, d_model = draw_heads(draw)
    batch, seq = draw_sentences(draw)
    mask = draw.mask(batch, seq, seq)
    mask[draw.integer(0, batch - 1), draw.integer(0, seq - 1)] = False
    return layer_call(draw, draw.normal(batch, seq, d_model), mask, num_heads)


def layer_of_one_head(draw: Draw) -> Call:
    batch, seq = draw_sentences(draw)
    (d_model,) = draw.sizes("d_model", low=9, high=12)
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    return layer_call(draw, draw.normal(batch, seq, d_model), mask, 1, training=True)


FORWARD = """outputs, weights = run_heads(self.heads, x, mask)
        # (batch, num_heads, seq, d_head) -> (batch, seq, d_model)
        joined = concat_heads(outputs)
        # (batch, seq, d_model) -> (batch, seq, d_model)
        return self.w_o(joined), weights"""

EXERCISE = Exercise(
    name="ParallelHeads",
    returns=("output", "weights"),
    milestones={
        "outputs": "the outputs of the heads",
        "joined": "the outputs of the heads side by side",
    },
    optional_milestones=("outputs", "joined"),
    cases=(
        Case("a batch of sentences without a mask", layer_without_mask),
        Case("a mask for each sentence, and a word that may attend to nothing", layer_with_blocked_word),
        Case("a single head under a causal mask, in training mode", layer_of_one_head),
    ),
    misconceptions=(
        Misconception(
            "made w_o and did not use it",
            replace="return self.w_o(joined), weights",
            by="return joined, weights",
            hint="The shape is right nevertheless, so no error shows it: the heads' answers lie side by side and "
            "never meet.",
        ),
        Misconception(
            "left out w_o",
            replace="        self.w_o = nn.Linear(d_model, d_model)\n",
            by="",
            hint="Without an output projection the heads never meet. It is a layer of its own, made in __init__.",
            check="shapes",
        ),
        Misconception(
            "left out the bias of w_o",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model, d_model, bias=False)",
            hint="Some models do without it, but here w_o has a bias, as nn.Linear makes it.",
            check="shapes",
        ),
        Misconception(
            "made w_o a bare matrix",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Parameter(torch.zeros(d_model, d_model))",
            hint="A matrix of your own can be learned too, but here w_o is an nn.Linear, with a weight and a bias.",
            check="shapes",
        ),
        Misconception(
            "made a w_o for each head",
            replace="nn.Linear(d_model, d_model)",
            by="nn.ModuleList(nn.Linear(d_model // num_heads, d_model) for _ in range(num_heads))",
            hint="One can compute it so, but then each has a bias of its own. Here w_o is one layer, for all heads "
            "together.",
            check="shapes",
        ),
        Misconception(
            "made w_o as narrow as a head",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model // num_heads, d_model)",
            hint="What goes into w_o is all heads side by side: d_model numbers.",
            check="shapes",
        ),
        Misconception(
            "let w_o make vectors as narrow as a head",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model, d_model // num_heads)",
            hint="The output should be as long as x, so that layers can be put on top of each other.",
            check="shapes",
        ),
        Misconception(
            "gave the heads or w_o another name",
            replace="        self.w_o = nn.Linear(d_model, d_model)",
            by="        self.out_proj = self.__dict__.setdefault('w_o', nn.Linear(d_model, d_model))",
            hint="Trained weights are loaded by name, so names are part of the task: heads and w_o.",
            check="shapes",
        ),
        Misconception(
            "made new heads in forward at each call",
            replace="self.heads = make_heads(d_model, num_heads)",
            by="""self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        heads = make_heads(1, 1)

    def make_w_o(self, d_model):""",
            hint="Each call starts with new random numbers, and what was learned is lost. A module makes its heads "
            "once, in __init__, and keeps them.",
            check="shapes",
            shown_by=("forward: make_heads|SingleHeadAttention", "no __init__: make_heads|SingleHeadAttention"),
        ),
        Misconception(
            "stored the heads where torch does not find them",
            shown_by=("__init__: make_heads|SingleHeadAttention",),
            replace="self.heads = make_heads(d_model, num_heads)",
            by="self.heads = list(make_heads(d_model, num_heads))",
            hint="An optimizer would train none of them. torch finds modules in what begins with self, and it does "
            "not look into Python lists.",
            check="shapes",
        ),
        Misconception(
            "made a single head as wide as the layer",
            replace="make_heads(d_model, num_heads)",
            by="make_heads(d_model, 1)",
            hint="There is one head where there should be num_heads. Pass the number on.",
            check="shapes",
        ),
        families.mask_forgotten("run_heads(self.heads, x, mask)", "The function that runs the heads needs the mask."),
        families.mask_inverted("run_heads(self.heads, x, mask)"),
        Misconception(
            "reshaped the outputs instead of joining them",
            replace="concat_heads(outputs)",
            by="outputs.reshape(x.shape)",
            hint="The shape is right, but the row of a word holds numbers of other words. You have a function that "
            "joins the heads word by word.",
        ),
        Misconception(
            "gave the heads' outputs to w_o without joining them",
            replace="self.w_o(joined)",
            by="self.w_o(outputs)",
            hint="Each of them is d_head long, and w_o expects d_model numbers: all heads of a word side by side.",
            check="shapes",
        ),
        Misconception(
            "mixed x before the heads instead of their answers behind them",
            replace="run_heads(self.heads, x, mask)",
            by="run_heads(self.heads, self.w_o(x), mask)",
            hint="w_o is used twice now, or in the wrong place. It is the output projection: it comes last.",
        ),
        families.added_back("x", "self.w_o(joined), weights", "x + self.w_o(joined), weights", around="this layer"),
        Misconception(
            "multiplied by the weight of w_o and left out its bias",
            replace="self.w_o(joined)",
            by="joined @ self.w_o.weight.T",
            hint="An nn.Linear layer is a weight and a bias. Call the layer, and it applies both.",
        ),
        Misconception(
            "multiplied by the weight of w_o the wrong way round",
            replace="self.w_o(joined)",
            by="joined @ self.w_o.weight + self.w_o.bias",
            hint="nn.Linear stores its weight as (out, in). The matrix is square, so no error says that it must be "
            "transposed. Call the layer, and it does so.",
        ),
        Misconception(
            "averaged the weights over the heads",
            replace="self.w_o(joined), weights",
            by="self.w_o(joined), weights.mean(dim=1)",
            hint="torch's nn.MultiheadAttention does this by default, but it hides what each head looks at. Return "
            "the weights of each head.",
            check="shapes",
        ),
        Misconception(
            "returned only the output",
            replace="return self.w_o(joined), weights",
            by="return self.w_o(joined)",
            hint="Return two tensors: the output, and the weights of all heads.",
            check="shapes",
        ),
        Misconception(
            "returned the weights first",
            replace="return self.w_o(joined), weights",
            by="return weights, self.w_o(joined)",
            hint="The order is: output, then weights.",
            check="shapes",
        ),
        families.gradient_cut_off("self.w_o(joined), weights", "self.w_o(joined).detach(), weights.detach()"),
        Misconception(
            "swapped the two sizes when making the heads",
            replace="make_heads(d_model, num_heads)",
            by="make_heads(num_heads, d_model)",
            hint="make_heads takes the length of a word's vector first, then the number of heads.",
            check="shapes",
            shown_by=("make_heads",),
        ),
        Misconception(
            "made w_o for a single head's features, in and out",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model // num_heads, d_model // num_heads)",
            hint="Such a layer never lets the heads meet. What goes into w_o is all heads side by side, d_model "
            "numbers, and as many come out.",
            check="shapes",
        ),
        Misconception(
            "blocked the future where no mask is given",
            replace="outputs, weights = run_heads(self.heads, x, mask)",
            by="mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril() if mask is None else mask\n"
            "        outputs, weights = run_heads(self.heads, x, mask)",
            hint="Without a mask nothing is blocked: every word may look at every word. Whether the future is blocked "
            "is up to the caller.",
        ),
        Misconception(
            "ran the heads without naming them",
            replace="run_heads(self.heads, x, mask)",
            by="run_heads(x, mask)",
            hint="run_heads takes three things: the heads, the sentences and the mask. Your x is in the place of the "
            "heads.",
            check="shapes",
        ),
        Misconception(
            "put the last head first",
            replace="concat_heads(outputs)",
            by="concat_heads(outputs.flip(1))",
            hint="The columns of w_o are in the order of the heads: the first d_head features that go in are those of "
            "head 0.",
        ),
        Misconception(
            "interleaved the heads",
            replace="concat_heads(outputs)",
            by="outputs.permute(0, 2, 3, 1).flatten(2)",
            hint="The features that go into w_o alternate: one of each head, then the next of each. All those of head "
            "0 come first.",
        ),
        Misconception(
            "applied a ReLU behind w_o",
            replace="self.w_o(joined)",
            by="torch.relu(self.w_o(joined))",
            hint="Your output has no negative numbers. The output projection mixes the heads and is the last step: "
            "nothing follows.",
        ),
        Misconception(
            "added the bias of w_o once for each head",
            replace="self.w_o(joined)",
            by="(self.w_o(joined) + (len(self.heads) - 1) * self.w_o.bias)",
            hint="w_o has one bias for all heads together, and it is added once, to the sum of what they write.",
        ),
        Misconception(
            "used w_o a second time",
            replace="self.w_o(joined)",
            by="self.w_o(self.w_o(joined))",
            hint="The output projection runs once, after the heads are joined, and nothing follows.",
        ),
        Misconception(
            "mixed x before the heads, and not their answers",
            replace=FORWARD,
            by=FORWARD.replace("(self.heads, x, mask)", "(self.heads, self.w_o(x), mask)").replace(
                "self.w_o(joined)", "joined"
            ),
            hint="w_o is in the wrong place, and the heads' answers never meet. It is the output projection: it comes "
            "last.",
        ),
    ),
    alternatives=(
        Alternative(
            "everything in the class",
            """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.heads = nn.ModuleList([SingleHeadAttention(d_model, d_model // num_heads) for _ in range(num_heads)])
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        outputs, weights = zip(*[head(x, mask) for head in self.heads])
        return self.w_o(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)
""",
        ),
        Alternative(
            "each head through its own piece of w_o",
            """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.heads = make_heads(d_model, num_heads)
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        outputs, weights = run_heads(self.heads, x, mask)
        # (d_model, d_model) -> (d_model, num_heads, d_head): the columns of w_o by head
        pieces = self.w_o.weight.unflatten(1, (len(self.heads), -1))
        return torch.einsum("bhsd,ohd->bso", outputs, pieces) + self.w_o.bias, weights
""",
        ),
        Alternative(
            "layers in another order, functional.linear",
            """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super(ParallelHeads, self).__init__()
        self.num_heads = num_heads
        self.w_o = nn.Linear(d_model, d_model, bias=True)
        self.heads = make_heads(d_model=d_model, num_heads=num_heads)

    def forward(self, x, mask=None):
        outputs, weights = run_heads(self.heads, x, mask=mask)
        return [nn.functional.linear(concat_heads(outputs), self.w_o.weight, self.w_o.bias), weights]
""",
        ),
    ),
    builds_on=("head_width", "make_heads", "run_heads", "concat_heads"),
    forbids=FORBIDS,
    exact_zeros=True,
)
