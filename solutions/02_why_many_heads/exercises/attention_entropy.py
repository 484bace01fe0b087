"""`attention_entropy`: measures how widely each word looks around."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import LARGEST


def random_weights(draw: Draw) -> Call:
    batch, heads, seq_q, seq_k = draw.sizes("batch num_heads seq_q seq_k", high=LARGEST)
    return Call({"weights": draw.normal(batch, heads, seq_q, seq_k, scale=1.5).softmax(dim=-1)})


def masked_weights(draw: Draw) -> Call:
    batch, heads, seq_q, seq_k = draw.sizes("batch num_heads seq_q seq_k", high=LARGEST)
    scores = draw.normal(batch, heads, seq_q, seq_k)
    mask = draw.mask(batch, 1, seq_q, seq_k)
    return Call({"weights": scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)})


def extreme_weights(draw: Draw) -> Call:
    """Rows that are all on one word, all alike, and all 0, as where nothing may be looked at."""
    batch, heads, seq_q, seq_k = draw.sizes("batch num_heads seq_q seq_k", high=LARGEST)
    weights = draw.normal(batch, heads, seq_q, seq_k).softmax(dim=-1)
    weights[:, :, 0] = 0
    weights[:, :, 0, draw.integer(0, seq_k - 1)] = 1
    weights[:, :, 1] = 1 / seq_k
    weights[draw.integer(0, batch - 1), draw.integer(0, heads - 1), 2] = 0
    return Call({"weights": weights})


SUM = "return -(weights * logarithms).sum(dim=-1)"

EXERCISE = Exercise(
    name="attention_entropy",
    returns=("entropy",),
    milestones={
        "logarithms": "the logarithms of the weights, 0 for a weight of 0",
        "mul": "the weights times their logarithms",
        "sum": "the sums of weights times logarithms",
    },
    optional_milestones=("logarithms", "mul", "sum"),
    cases=(
        Case("weights of any size", random_weights),
        Case("weights that are 0 where a mask blocks", masked_weights),
        Case("words that look at one word only, at all alike, or at none", extreme_weights),
    ),
    misconceptions=(
        Misconception(
            "left NaN where a weight is 0",
            replace=".masked_fill(weights == 0, 0.0)",
            by="",
            hint="The logarithm of 0 is −∞, and 0 times −∞ is NaN. A word that is not looked at adds nothing to the "
            "sum. (You did fill them? Then use the result: it is a new tensor.)",
        ),
        Misconception(
            "blanked the NaN only after the sum",
            replace=SUM,
            by="return -(weights * weights.log()).sum(dim=-1).nan_to_num(0.0)",
            hint="One NaN has spoiled its whole row by then, so each row with a 0 in it comes out as 0. Repair the "
            "single terms before you add them up.",
        ),
        Misconception(
            "forgot the minus sign",
            replace="return -(weights",
            by="return (weights",
            hint="Your entropies are negative. The logarithm of a number between 0 and 1 is negative, and the minus "
            "in front of the sum changes that.",
        ),
        Misconception(
            "took the logarithm to the base 2",
            replace="weights.log()",
            by="weights.log2()",
            hint="That gives bits. It is a good unit too, but here the entropy is in nats, so that exp(entropy) "
            "counts words: take the natural logarithm.",
        ),
        Misconception(
            "took the logarithm to the base 10",
            replace="weights.log()",
            by="weights.log10()",
            hint="Here the entropy is in nats, so that exp(entropy) counts words: take the natural logarithm, log.",
        ),
        Misconception(
            "took the logarithm of 1 + w to get round the 0",
            replace="weights.log().masked_fill(weights == 0, 0.0)",
            by="weights.log1p()",
            hint="That avoids −∞ and changes all other terms as well. Only the terms with a weight of 0 need care.",
        ),
        Misconception(
            "added up the logarithms without weighting them",
            replace="(weights * logarithms)",
            by="logarithms",
            hint="Each logarithm counts as much as its word is looked at: it is multiplied by the weight.",
        ),
        Misconception(
            "added weights and logarithms instead of multiplying them",
            replace="(weights * logarithms)",
            by="(weights + logarithms)",
            hint="Each logarithm counts as much as its weight: multiply the two, entry by entry, and then add up.",
        ),
        Misconception(
            "averaged the terms instead of adding them up",
            replace=".sum(dim=-1)",
            by=".mean(dim=-1)",
            hint="Your entropies are too small, by a factor of seq_k. The weights have shared out the 1 already: "
            "the terms are added up.",
        ),
        Misconception(
            "added up over the queries",
            replace=".sum(dim=-1)",
            by=".sum(dim=-2)",
            hint="A row of weights belongs to one query, and its columns, the last dimension, are the keys. The "
            "entropy is that of a row.",
            check="shapes",
        ),
        Misconception(
            "averaged over the words that look",
            replace=".sum(dim=-1)",
            by=".sum(dim=-1).mean(dim=-1)",
            hint="Return one number for each word that looks, since some look sharply and others do not. The shape "
            "to return is (batch, heads, seq_q).",
            check="shapes",
        ),
        Misconception(
            "averaged over the heads",
            replace=".sum(dim=-1)",
            by=".sum(dim=-1).mean(dim=1)",
            hint="The heads are what you want to compare: keep them apart. The shape to return is (batch, heads, "
            "seq_q).",
            check="shapes",
        ),
        Misconception(
            "kept the dimension that was added up",
            replace=".sum(dim=-1)",
            by=".sum(dim=-1, keepdim=True)",
            hint="A last dimension of 1 is left over. Return one number for each query: (batch, heads, seq_q).",
            check="shapes",
        ),
        Misconception(
            "counted words instead of nats",
            replace=SUM,
            by="return (-(weights * logarithms).sum(dim=-1)).exp()",
            hint="exp(entropy) is the number of words a head looks at. Return the entropy itself.",
        ),
        Misconception(
            "divided by the largest entropy that is possible",
            replace=SUM,
            by="return -(weights * logarithms).sum(dim=-1) / math.log(weights.shape[-1])",
            hint="Your numbers lie between 0 and 1. Divided by log(seq_k), they no longer say how many words are "
            "looked at. Leave the division out.",
        ),
        Misconception(
            "applied softmax once more",
            replace="logarithms = weights",
            by="weights = weights.softmax(dim=-1)\n    logarithms = weights",
            hint="These are weights already: their rows sum to 1. Softmax takes scores, and makes other weights "
            "nearly all alike.",
        ),
        Misconception(
            "took log_softmax for the logarithm",
            replace="weights.log().masked_fill(weights == 0, 0.0)",
            by="weights.log_softmax(dim=-1)",
            hint="log_softmax takes scores. These are weights already: all they need is a logarithm.",
        ),
        Misconception(
            "measured how much is left beside the largest weight",
            replace=SUM,
            by="return 1 - weights.amax(dim=-1)",
            hint="That says how unsure a head is about its first word, and nothing about the others. The entropy "
            "depends on all weights.",
        ),
        Misconception(
            "changed the caller's weights in place",
            replace="weights.log().masked_fill(weights == 0, 0.0)",
            by="weights.masked_fill_(weights == 0, 1.0).log()\n    weights = weights.masked_fill(weights == 1, 0.0)",
            hint="x[…] = … and methods that end in an underscore change the tensor itself: the caller's weights are "
            "now 1 where they were 0. Make a new tensor.",
        ),
        Misconception(
            "added everything up to a single number",
            replace=".sum(dim=-1)",
            by=".sum()",
            hint="Without a dim, all entries are added up: one number for the whole batch. Each word that looks has "
            "an entropy of its own, (batch, heads, seq_q).",
            check="shapes",
        ),
        Misconception(
            "took torch's Categorical, which refuses a row of zeros",
            replace=SUM,
            by="return torch.distributions.Categorical(probs=weights).entropy()",
            hint="Categorical takes rows that sum to 1. A word that may look at nothing has a row of zeros, and its "
            "entropy is 0.",
            check="shapes",
        ),
        Misconception(
            "added up over the heads",
            replace=".sum(dim=-1)",
            by=".sum(dim=1)",
            hint="The heads are what you want to compare: keep them apart. The entropy is that of a row, and a row's "
            "entries, the last dimension, are the keys.",
            check="shapes",
        ),
        Misconception(
            "measured with the squares of the weights",
            replace=SUM,
            by="return 1 - (weights * weights).sum(dim=-1)",
            hint="That grows with how widely a word looks, too, but it is not the entropy: each weight is multiplied "
            "by its logarithm.",
        ),
        Misconception(
            "averaged over the sentences",
            replace=".sum(dim=-1)",
            by=".sum(dim=-1).mean(dim=0)",
            hint="Return one number for each word that looks, in each sentence. The shape to return is (batch, heads, "
            "seq_q).",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "special.entr",
            """
def attention_entropy(weights):
    return torch.special.entr(weights).sum(dim=-1)
""",
        ),
        Alternative(
            "xlogy",
            """
def attention_entropy(weights):
    return -torch.xlogy(weights, weights).sum(-1)
""",
        ),
        Alternative(
            "a tiny number added before the logarithm",
            """
def attention_entropy(weights):
    return -torch.sum(weights * torch.log(weights + 1e-9), dim=-1)
""",
        ),
        Alternative(
            "clamped before the logarithm",
            """
def attention_entropy(weights):
    return (weights * -weights.clamp(min=1e-12).log()).sum(dim=3)
""",
        ),
        Alternative(
            "single terms mended with nan_to_num",
            """
def attention_entropy(weights):
    terms = torch.nan_to_num(weights * weights.log(), nan=0.0)
    return -terms.sum(dim=-1)
""",
        ),
    ),
    gradients=False,
)
