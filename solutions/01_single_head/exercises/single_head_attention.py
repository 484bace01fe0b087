"""`SingleHeadAttention`: a module that projects a sentence and attends once."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, LARGEST


def head_call(
    draw: Draw, x: torch.Tensor, mask: torch.Tensor | None, d_model: int, d_head: int, training: bool = False
) -> Call:
    state = {}
    for name in ("w_q", "w_k", "w_v"):
        state |= draw.linear(name, d_head, d_model)
    init: dict[str, object] = {"d_model": d_model, "d_head": d_head}
    return Call(inputs={"x": x, "mask": mask}, init=init, state=state, training=training)


def head_without_mask(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    return head_call(draw, draw.normal(batch, seq, d_model), None, d_model, d_head)


def head_under_causal_mask(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    return head_call(draw, draw.normal(batch, seq, d_model), mask, d_model, d_head)


def head_with_blocked_word(draw: Draw) -> Call:
    batch, seq, d_model, d_head = draw.sizes("batch seq d_model d_head", high=LARGEST)
    mask = draw.mask(batch, seq, seq)
    mask[draw.integer(0, batch - 1), draw.integer(0, seq - 1)] = False
    return head_call(draw, draw.normal(batch, seq, d_model), mask, d_model, d_head)


def head_on_one_word(draw: Draw) -> Call:
    batch, d_model, d_head = draw.sizes("batch d_model d_head", high=LARGEST)
    return head_call(draw, draw.normal(batch, 1, d_model), None, d_model, d_head, training=True)


LAYERS = """self.w_q = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_v = nn.Linear(d_model, d_head)"""
ATTENDED = "attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)"
OWN_LAYER = (
    "Each role has a layer of its own: w_q, w_k and w_v. (Two names for one layer are one layer: what comes out under "
    "both can never become different.)"
)

EXERCISE = Exercise(
    name="SingleHeadAttention",
    returns=("output", "weights"),
    milestones={
        "w_q": "the queries",
        "w_k": "the keys",
        "w_v": "the values",
        "scores": "the scores",
    },
    cases=(
        Case("a batch of sentences without a mask", head_without_mask),
        Case("a causal mask", head_under_causal_mask),
        Case("a mask for each sentence, and a word that may attend to nothing", head_with_blocked_word),
        Case("sentences of a single word, in training mode", head_on_one_word),
    ),
    misconceptions=(
        families.without_biases(
            LAYERS,
            "Some models do without them, but here each of the three projections has a bias, as nn.Linear makes it.",
        ),
        Misconception(
            "swapped the sizes of the layers",
            replace=LAYERS,
            by=LAYERS.replace("d_model, d_head", "d_head, d_model"),
            hint="nn.Linear takes the length of the vectors that go in first, then the length of those that come out.",
            check="shapes",
        ),
        Misconception(
            "made all layers as wide as d_model",
            replace=LAYERS,
            by=LAYERS.replace("d_model, d_head", "d_model, d_model"),
            hint="A head works on shorter vectors: queries, keys and values have the length d_head.",
            check="shapes",
        ),
        Misconception(
            "made no layer of its own for the keys",
            replace="self.w_k = nn.Linear(d_model, d_head)",
            by="self.w_k = self.w_q",
            hint=OWN_LAYER,
            check="shapes",
        ),
        Misconception(
            "made no layer of its own for the values",
            replace="self.w_v = nn.Linear(d_model, d_head)",
            by="self.w_v = self.w_k",
            hint=OWN_LAYER,
            check="shapes",
        ),
        Misconception(
            "made no layer of its own for the queries",
            replace="self.w_q = nn.Linear(d_model, d_head)",
            by="pass",
            hint=OWN_LAYER,
            check="shapes",
        ),
        Misconception(
            "made one layer where there should be three",
            replace=LAYERS,
            by="self.w_q = self.w_k = self.w_v = nn.Linear(d_model, d_head)",
            hint=OWN_LAYER,
            check="shapes",
        ),
        Misconception(
            "made one layer for queries, keys and values together",
            replace=LAYERS,
            by="self.w_qkv = nn.Linear(d_model, 3 * d_head)",
            hint="Real libraries do this, and it computes the same. But this exercise asks for three layers: "
            "w_q, w_k and w_v.",
            check="shapes",
        ),
        Misconception(
            "gave the layers other names",
            replace=LAYERS,
            by=LAYERS.replace("w_q", "query").replace("w_k", "key").replace("w_v", "value"),
            hint="Trained weights are loaded by name, so names are part of the task: w_q, w_k and w_v.",
            check="shapes",
        ),
        Misconception(
            "added an output projection",
            replace=LAYERS,
            by=LAYERS + "\n        self.w_o = nn.Linear(d_head, d_model)",
            hint="That layer comes when several heads are put together. A single head has three layers.",
            check="shapes",
        ),
        families.mask_forgotten(", mask)", "Pass the mask to the function that applies it."),
        families.mask_inverted(", mask)"),
        Misconception(
            "always blocked the future",
            replace=", mask)",
            by=", causal_mask(x.shape[1], x.device) if mask is None else mask)",
            hint="Whether a head is causal is up to the caller. Without a mask nothing is blocked.",
        ),
        families.layer_never_used("values", "used the keys as values", "self.w_v(x)", "self.w_k(x)"),
        families.layer_never_used("values", "used the queries as values", "self.w_v(x)", "self.w_q(x)"),
        families.layer_never_used("keys", "used the queries as keys", "self.w_k(x)", "self.w_q(x)"),
        Misconception(
            "swapped queries and keys",
            replace="attention(self.w_q(x), self.w_k(x)",
            by="attention(self.w_k(x), self.w_q(x)",
            hint="Now the keys ask and the queries answer. The order is queries, keys, values.",
        ),
        Misconception(
            "swapped keys and values",
            replace="self.w_k(x), self.w_v(x)",
            by="self.w_v(x), self.w_k(x)",
            hint="What w_k makes is compared with the queries, and what w_v makes is averaged. The order is queries, "
            "keys, values. (New layers are as good as each other, so training would hide it. Trained numbers show "
            "it.)",
        ),
        Misconception(
            "swapped queries and values",
            replace="self.w_q(x), self.w_k(x), self.w_v(x)",
            by="self.w_v(x), self.w_k(x), self.w_q(x)",
            hint="What w_q makes is compared with the keys, and what w_v makes is averaged. The order is queries, "
            "keys, values. (New layers are as good as each other, so training would hide it. Trained numbers show "
            "it.)",
        ),
        Misconception(
            "used the words themselves as values",
            replace="self.w_v(x)",
            by="x",
            hint="The output is as long as a value, d_head. Values are projected like queries and keys.",
            check="shapes",
        ),
        Misconception(
            "multiplied by the layers' weights and left out their biases",
            replace=ATTENDED,
            by="attention(x @ self.w_q.weight.T, x @ self.w_k.weight.T, x @ self.w_v.weight.T, mask)",
            hint="An nn.Linear layer is a weight and a bias. Call the layer, and it applies both.",
        ),
        Misconception(
            "scaled a second time",
            replace="attention(self.w_q(x)",
            by="attention(self.w_q(x) / math.sqrt(self.w_q.out_features)",
            hint="Your weights are too even. Your function for the scores divides by √d_head already.",
            shown_by=("attention|attention_scores",),
        ),
        *families.output_and_weights(ATTENDED, f"{ATTENDED}[0]", f"{ATTENDED}[::-1]"),
        Misconception(
            "multiplied with a layer instead of calling it",
            replace="self.w_q(x)",
            by="x @ self.w_q",
            hint="A layer is called like a function, with the tensor in brackets. It knows its weight and its bias.",
            check="shapes",
        ),
        Misconception(
            "made the layers in __init__ and stored them nowhere",
            replace=LAYERS,
            by="w_q = nn.Linear(d_model, d_head)\n        w_k = nn.Linear(d_model, d_head)\n"
            "        w_v = nn.Linear(d_model, d_head)",
            hint="A name without self is gone when __init__ is over. What the module owns begins with self.",
            check="shapes",
            shown_by=("__init__: Linear",),
        ),
        families.gradient_cut_off(f"return {ATTENDED}", f"with torch.no_grad():\n            return {ATTENDED}"),
        Misconception(
            "made new layers in forward at each call",
            replace=LAYERS,
            by="""pass

    def forward(self, x, mask=None):
        w_q, w_k, w_v = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)""",
            hint="Each call starts with new random numbers, and what was learned is lost. A module makes its layers "
            "once, in __init__, and keeps them.",
            check="shapes",
            shown_by=("forward: Linear", "no __init__: Linear"),
        ),
        Misconception(
            "made only the values' layer as wide as d_model",
            replace="self.w_v = nn.Linear(d_model, d_head)",
            by="self.w_v = nn.Linear(d_model, d_model)",
            hint="The values of a head are as short as its queries and keys: d_head numbers.",
            check="shapes",
        ),
        Misconception(
            "made bare matrices instead of layers",
            replace=LAYERS,
            by="""self.w_q = nn.Parameter(torch.randn(d_model, d_head))
        self.w_k = nn.Parameter(torch.randn(d_model, d_head))
        self.w_v = nn.Parameter(torch.randn(d_model, d_head))""",
            hint="A matrix of your own can be learned too, but it has no bias. Here w_q, w_k and w_v are layers, each "
            "with a weight and a bias.",
            check="shapes",
        ),
        Misconception(
            "gave project the layers' weights the way nn.Linear stores them",
            replace=ATTENDED,
            by="attention(*project(x, self.w_q.weight, self.w_k.weight, self.w_v.weight), mask)",
            hint="nn.Linear stores its weight as (out, in), and project expects (d_model, d_head). The biases would "
            "be missing too: call the layers.",
            check="shapes",
        ),
        Misconception(
            "divided by d_head instead of its square root",
            replace=f"return {ATTENDED}",
            by="q, k, v = self.w_q(x), self.w_k(x), self.w_v(x)\n"
            "        scores = q @ k.transpose(-2, -1) / q.shape[-1]\n"
            "        weights = attention_weights(scores, mask)\n"
            "        return weights @ v, weights",
            hint="Your weights are too even. The spread of the products grows like the square root of d_head.",
            shown_by=("no attention|attention_scores",),
        ),
        Misconception(
            "forgot to scale",
            replace=f"return {ATTENDED}",
            by="q, k, v = self.w_q(x), self.w_k(x), self.w_v(x)\n"
            "        scores = q @ k.transpose(-2, -1)\n"
            "        weights = attention_weights(scores, mask)\n"
            "        return weights @ v, weights",
            hint="Your weights are too sharp. The products of queries and keys are divided by √d_head. You have a "
            "function that does all of it.",
        ),
        Misconception(
            "used the words themselves as keys",
            replace="self.w_k(x)",
            by="x",
            hint="A key is as long as a query, d_head, so that the two can be compared. Keys are projected like "
            "queries and values.",
            check="shapes",
        ),
        Misconception(
            "used the words themselves as queries",
            replace="self.w_q(x)",
            by="x",
            hint="A query is as long as a key, d_head, so that the two can be compared. Queries are projected like "
            "keys and values.",
            check="shapes",
        ),
        Misconception(
            "made the keys from the queries and the values from the keys",
            replace=ATTENDED,
            by="attention(q := self.w_q(x), k := self.w_k(q), self.w_v(k), mask)",
            hint="All three start from the words: each of the three layers takes x.",
            check="shapes",
        ),
        Misconception(
            "added x to the output",
            replace=f"return {ATTENDED}",
            by=f"output, weights = {ATTENDED}\n        return x + output, weights",
            hint="A transformer does add its input back, but around all heads together. The output of one is shorter "
            "than x: d_head numbers for each word.",
            check="shapes",
        ),
        Misconception(
            "cut the weights off from the gradient",
            replace=f"return {ATTENDED}",
            by="weights = attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)[1].detach()\n"
            "        return weights @ self.w_v(x), weights",
            hint="The numbers are right, and nothing gets back through the weights: w_q and w_k could never learn. "
            "Something cuts them off: detach, .data, numpy or no_grad, perhaps.",
        ),
    ),
    alternatives=(
        Alternative(
            "one product with all weights side by side",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.w_q = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_v = nn.Linear(d_model, d_head)

    def forward(self, x, mask=None):
        layers = (self.w_q, self.w_k, self.w_v)
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        # (batch, seq, d_model) -> (batch, seq, 3 * d_head) -> three of (batch, seq, d_head)
        q, k, v = nn.functional.linear(x, weight, bias).chunk(3, dim=-1)
        return attention(q, k, v, mask)
""",
        ),
        Alternative(
            "layers made in a loop",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        for name in ("w_q", "w_k", "w_v"):
            self.add_module(name, nn.Linear(d_model, d_head, bias=True))

    def forward(self, x, mask=None):
        output, weights = attention(*(layer(x) for layer in (self.w_q, self.w_k, self.w_v)), mask=mask)
        return output, weights
""",
        ),
        Alternative(
            "project with the layers' weights, plus their biases",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super(SingleHeadAttention, self).__init__()
        self.w_v = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_q = nn.Linear(d_model, d_head)

    def forward(self, x, mask=None):
        q, k, v = project(x, self.w_q.weight.T, self.w_k.weight.T, self.w_v.weight.T)
        return attention(q + self.w_q.bias, k + self.w_k.bias, v + self.w_v.bias, mask)
""",
        ),
        Alternative(
            "all steps in forward",
            """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.d_head = d_head
        self.w_q, self.w_k, self.w_v = (nn.Linear(d_model, d_head) for _ in range(3))

    def forward(self, x, mask=None):
        q, k, v = self.w_q(x), self.w_k(x), self.w_v(x)
        scores = torch.bmm(q, k.transpose(1, 2)) * self.d_head**-0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = scores.softmax(dim=2).nan_to_num(0.0)
        return torch.bmm(weights, v), weights
""",
        ),
    ),
    builds_on=("project", "attention_scores", "attention_weights", "attention"),
    forbids=FORBIDS,
    exact_zeros=True,
)
