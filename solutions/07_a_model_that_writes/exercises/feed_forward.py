"""`FeedForward`: two layers for each word by itself."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS


def layer_call(draw: Draw, *shape: int, training: bool = False) -> Call:
    d_model, d_hidden = draw.sizes("d_model d_hidden", low=5, high=9)
    batch, seq = shape or draw.sizes("batch seq", low=2, high=4)
    state = draw.linear("w_in", d_hidden, d_model) | draw.linear("w_out", d_model, d_hidden)
    init = {"d_model": d_model, "d_hidden": d_hidden}
    return Call({"x": draw.normal(batch, seq, d_model)}, init=init, state=state, training=training)


LAYERS = """self.w_in = nn.Linear(d_model, d_hidden)
        self.w_out = nn.Linear(d_hidden, d_model)"""
HIDDEN = "nn.functional.gelu(self.w_in(x))"
OUTPUT = "return self.w_out(hidden)"

EXERCISE = Exercise(
    name="FeedForward",
    returns=("output",),
    optional_milestones=("w_in", "gelu"),
    milestones={"w_in": "the hidden numbers before GELU", "gelu": "the hidden numbers after GELU"},
    cases=(
        Case("a few short sentences", layer_call),
        Case("a single sentence of a single word", lambda draw: layer_call(draw, 1, 1)),
        Case("training mode", lambda draw: layer_call(draw, training=True)),
    ),
    misconceptions=(
        Misconception(
            "left out GELU",
            replace=HIDDEN,
            by="self.w_in(x)",
            hint="Two nn.Linear in a row are one nn.Linear: whatever they compute, a single matrix could. Something "
            "that "
            "is not a straight line has to come between.",
        ),
        Misconception(
            "took ReLU for GELU",
            replace="nn.functional.gelu",
            by="nn.functional.relu",
            hint="Both let large numbers through and hold back negative ones; ReLU has a corner at 0, and GELU is "
            "smooth. Here it is GELU.",
        ),
        Misconception(
            "took the approximation of GELU with tanh",
            replace="gelu(self.w_in(x))",
            by='gelu(self.w_in(x), approximate="tanh")',
            hint="Some models use it, since it was once faster. It differs from GELU in the fourth digit, and trained "
            "weights expect the one or the other. Here it is GELU itself.",
        ),
        Misconception(
            "took the sigmoid",
            replace="nn.functional.gelu(self.w_in(x))",
            by="self.w_in(x).sigmoid()",
            hint="The sigmoid squeezes every number into 0 … 1, so large ones cannot be told apart. GELU lets them "
            "through.",
        ),
        Misconception(
            "took tanh",
            replace="nn.functional.gelu(self.w_in(x))",
            by="self.w_in(x).tanh()",
            hint="tanh squeezes every number into −1 … 1, so large ones cannot be told apart. GELU lets them through.",
        ),
        Misconception(
            "took SiLU for GELU",
            replace="nn.functional.gelu",
            by="nn.functional.silu",
            hint="x · sigmoid(x) looks much like GELU and has other numbers. Many newer models use it; here it is "
            "GELU.",
        ),
        Misconception(
            "took ELU for GELU",
            replace="nn.functional.gelu",
            by="nn.functional.elu",
            hint="One letter is missing: elu is another function, and falls to −1 on the left. GELU returns to 0.",
        ),
        Misconception(
            "took softmax for GELU",
            replace="nn.functional.gelu(self.w_in(x))",
            by="self.w_in(x).softmax(dim=-1)",
            hint="Softmax makes weights that sum to 1, so that one number pushes the others down. GELU changes each "
            "number by itself.",
        ),
        Misconception(
            "multiplied by the sigmoid of 1.702 times the number",
            replace="nn.functional.gelu(self.w_in(x))",
            by="(lambda h: h * (1.702 * h).sigmoid())(self.w_in(x))",
            hint="That is a rough approximation of GELU (GPT-2's own code has a finer one). It differs in the second "
            "digit.",
        ),
        Misconception(
            "put GELU behind the second layer",
            replace=f"hidden = {HIDDEN}\n        {OUTPUT}",
            by="return nn.functional.gelu(self.w_out(self.w_in(x)))",
            hint="With nothing between them, the two layers are one. GELU belongs between w_in and w_out.",
        ),
        Misconception(
            "put GELU in front of the first layer",
            replace=f"hidden = {HIDDEN}\n        {OUTPUT}",
            by="return self.w_out(self.w_in(nn.functional.gelu(x)))",
            hint="With nothing between them, the two layers are one. GELU belongs between w_in and w_out.",
        ),
        Misconception(
            "put GELU behind both layers",
            replace=OUTPUT,
            by="return nn.functional.gelu(self.w_out(hidden))",
            hint="Your output has hardly a negative number: after the second GELU a word's vector could only be pushed "
            "one way. The output of w_out stays as it is.",
        ),
        Misconception(
            "applied GELU twice",
            replace=HIDDEN,
            by="nn.functional.gelu(nn.functional.gelu(self.w_in(x)))",
            hint="Once is enough. Is it in a layer of yours as well as in forward?",
        ),
        families.added_back(
            "the input", OUTPUT, "return x + self.w_out(hidden)", "the feed-forward layer", "Block will do that."
        ),
        Misconception(
            "normalised the input",
            replace=HIDDEN,
            by="nn.functional.gelu(self.w_in(nn.functional.layer_norm(x, x.shape[-1:])))",
            hint="A transformer does normalise first, but outside this layer: Block will do that.",
        ),
        Misconception(
            "dropped some of the hidden numbers",
            replace=OUTPUT,
            by="return self.w_out(nn.functional.dropout(hidden))",
            hint="Two calls give two answers. This layer has no dropout; and nn.functional.dropout drops outside of "
            "training, too, unless it is told not to.",
        ),
        Misconception(
            "gave the layer a dropout of its own",
            replace=f"{LAYERS}",
            by=f"{LAYERS}\n        self.dropout = nn.Dropout(0.1)\n"
            "        self.w_out.register_forward_hook(lambda layer, given, output: self.dropout(output))",
            hint="Two calls give two answers in training. This layer has no dropout; attention has one.",
        ),
        Misconception(
            "returned the hidden numbers",
            replace=OUTPUT,
            by="return hidden",
            hint="The second layer is never used. It brings a word back to d_model numbers.",
            check="shapes",
        ),
        Misconception(
            "made both layers d_model wide",
            replace=LAYERS,
            by="self.w_in = nn.Linear(d_model, d_model)\n        self.w_out = nn.Linear(d_model, d_model)",
            hint="Between the two layers a word has d_hidden numbers, more than it comes with.",
            check="shapes",
        ),
        Misconception(
            "swapped the sizes of the layers",
            replace=LAYERS,
            by="self.w_in = nn.Linear(d_hidden, d_model)\n        self.w_out = nn.Linear(d_model, d_hidden)",
            hint="nn.Linear takes the size of its input first. Words come with d_model numbers.",
            check="shapes",
        ),
        Misconception(
            "made the hidden layer four times as wide as a word",
            replace=LAYERS,
            by=LAYERS.replace("d_hidden", "4 * d_model"),
            hint="Four times is what most models take. Here the width is an argument: d_hidden.",
            check="shapes",
        ),
        families.without_biases(LAYERS, "Some models do without them, but here both layers have one."),
        Misconception(
            "gave the layers other names",
            replace=LAYERS,
            by=LAYERS.replace("w_in", "linear_1").replace("w_out", "linear_2"),
            hint="Trained weights are loaded by name, so names are part of the task: w_in and w_out.",
            check="shapes",
        ),
        Misconception(
            "used w_in's weight, transposed, on the way back",
            replace=OUTPUT,
            by="return nn.functional.linear(hidden, self.w_in.weight.T, self.w_out.bias)",
            hint="The shapes fit, and w_out's own weight is never used. Each layer learns a weight of its own.",
        ),
        Misconception(
            "forgot the bias of w_out",
            replace=OUTPUT,
            by="return hidden @ self.w_out.weight.T",
            hint="A linear layer multiplies by its weight, and then adds its bias. Called as a layer, w_out does both.",
        ),
        Misconception(
            "forgot the bias of w_in",
            replace=HIDDEN,
            by="nn.functional.gelu(x @ self.w_in.weight.T)",
            hint="A linear layer multiplies by its weight, and then adds its bias. Called as a layer, w_in does both.",
        ),
        Misconception(
            "forgot the biases of both layers",
            replace=f"hidden = {HIDDEN}\n        {OUTPUT}",
            by="hidden = nn.functional.gelu(x @ self.w_in.weight.T)\n        return hidden @ self.w_out.weight.T",
            hint="A linear layer multiplies by its weight, and then adds its bias. Called as layers, both do that.",
        ),
        Misconception(
            "left the root of 2 out of GELU's formula",
            replace=HIDDEN,
            by="(lambda h: 0.5 * h * (1 + torch.erf(h)))(self.w_in(x))",
            hint="The number in erf is divided by √2: a normal distribution has its 1/√2 from there.",
        ),
        Misconception(
            "left the half out of GELU's formula",
            replace=HIDDEN,
            by="(lambda h: h * (1 + torch.erf(h / math.sqrt(2))))(self.w_in(x))",
            hint="1 + erf goes from 0 to 2, so your large numbers come out doubled. GELU lets them through as they "
            "are.",
            shown_by=("erf",),
        ),
        Misconception(
            "took leaky ReLU for GELU",
            replace="nn.functional.gelu",
            by="nn.functional.leaky_relu",
            hint="Leaky ReLU is two straight lines with a corner at 0, and GELU is smooth. Here it is GELU.",
        ),
        Misconception(
            "normalised the output",
            replace=OUTPUT,
            by="output = self.w_out(hidden)\n        return nn.functional.layer_norm(output, output.shape[-1:])",
            hint="The output of w_out is added to the words as it is. A norm is outside of this layer: Block has two.",
        ),
    ),
    alternatives=(
        Alternative(
            "a GELU module",
            """
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden):
        super().__init__()
        self.w_in = nn.Linear(d_model, d_hidden)
        self.gelu = nn.GELU()
        self.w_out = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.w_out(self.gelu(self.w_in(x)))
""",
        ),
        Alternative(
            "the formula",
            """
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden):
        super().__init__()
        self.w_in, self.w_out = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model)

    def forward(self, x):
        h = self.w_in(x)
        h = 0.5 * h * (1 + torch.erf(h / math.sqrt(2)))
        return self.w_out(h)
""",
        ),
        Alternative(
            "matrix products",
            """
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden):
        super().__init__()
        self.w_in = nn.Linear(d_model, d_hidden)
        self.w_out = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        batch, seq, d_model = x.shape
        rows = x.reshape(batch * seq, d_model)
        rows = nn.GELU()(rows @ self.w_in.weight.T + self.w_in.bias) @ self.w_out.weight.T + self.w_out.bias
        return rows.reshape(batch, seq, d_model)
""",
        ),
    ),
    forbids=FORBIDS,
)
