"""`attention_weights`: makes weights of scores by softmax, and gives blocked words none."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, LARGEST


def weights_without_mask(draw: Draw) -> Call:
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    return Call(inputs={"scores": draw.normal(batch, seq_q, seq_k, scale=2.0), "mask": None})


def weights_with_mask(draw: Draw) -> Call:
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    scores = draw.normal(batch, seq_q, seq_k, scale=2.0)
    return Call(inputs={"scores": scores, "mask": draw.mask(batch, seq_q, seq_k)})


def weights_with_blocked_rows(draw: Draw) -> Call:
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    mask = draw.mask(batch, seq_q, seq_k)
    mask[0, draw.integer(0, seq_q - 1)] = False
    mask[batch - 1, draw.integer(0, seq_q - 1)] = False
    return Call(inputs={"scores": draw.normal(batch, seq_q, seq_k), "mask": mask})


def weights_of_large_scores(draw: Draw) -> Call:
    """Allowed scores lie about +1e4 in even rows and about -1e4 in odd ones, blocked ones far above."""
    batch, seq_q, seq_k = draw.sizes("batch seq_q seq_k", high=LARGEST)
    mask = draw.mask(seq_q, seq_k)
    level = torch.tensor([1e4, -1e4])[torch.arange(seq_q) % 2]
    # (batch, seq_q, seq_k) + (seq_q, 1) + (seq_q, seq_k)
    scores = draw.normal(batch, seq_q, seq_k) + level[:, None] + 3e4 * ~mask
    return Call(inputs={"scores": scores, "mask": mask})


def weights_of_groups(draw: Draw) -> Call:
    batch, group, seq_q, seq_k = draw.sizes("batch group seq_q seq_k", high=LARGEST)
    scores = draw.normal(batch, group, seq_q, seq_k)
    return Call(inputs={"scores": scores, "mask": draw.mask(batch, 1, 1, seq_k)})


def weights_of_one_query(draw: Draw) -> Call:
    batch, seq_k = draw.sizes("batch seq_k", high=LARGEST)
    return Call(inputs={"scores": draw.normal(batch, 1, seq_k), "mask": draw.mask(batch, 1, seq_k)})


MASKED_SOFTMAX = """if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        # softmax makes a row NaN if all of it is blocked
        weights = weights.masked_fill(~mask, 0.0)
    return weights"""
PICKED_OUT = (
    "An index picks entries out and puts them in one row: which query and key they belong to is lost. Leave all scores "
    "where they are, and set the blocked ones to −∞."
)


def masked_by(line: str) -> str:
    """The body of `attention_weights` as those write it who know of no second step: `line`, then softmax."""
    return f"if mask is not None:\n        {line}\n    return scores.softmax(dim=-1)"


EXERCISE = Exercise(
    name="attention_weights",
    returns=("weights",),
    cases=(
        Case("scores without a mask", weights_without_mask),
        Case("a mask of its own for each sentence", weights_with_mask),
        Case("a query that may attend to nothing", weights_with_blocked_rows),
        Case("scores of 10000 and more, and one mask for the whole batch", weights_of_large_scores),
        Case("an extra dimension in front, and a mask that is repeated along it", weights_of_groups),
        Case("a single query", weights_of_one_query),
    ),
    rtol=1e-3,  # at 10000 the logarithm of a sum, which some subtract, is no more exact than this
    misconceptions=(
        Misconception(
            "ran softmax over the queries",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=-2)",
            hint="Your columns sum to 1, your rows do not. Each query shares out a weight of 1 over the keys, and "
            "the keys are the last dimension.",
        ),
        Misconception(
            "ran softmax over the first dimension",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=0)",
            hint="The sentences of the batch now compete with each other. Each query shares out a weight of 1 "
            "over the keys, and the keys are the last dimension.",
        ),
        Misconception(
            "ran softmax over the whole matrix",
            replace="scores.softmax(dim=-1)",
            by="scores.flatten(-2).softmax(dim=-1).view_as(scores)",
            hint="All weights of a sentence together sum to 1. Each row has to, by itself.",
        ),
        Misconception(
            "inverted the mask",
            replace=MASKED_SOFTMAX,
            by=MASKED_SOFTMAX.replace("~mask", "mask"),
            hint='Your words look exactly where they may not. True means "may attend", so the places to fill are '
            "those where the mask is False.",
        ),
        Misconception(
            "ignored the mask",
            replace=MASKED_SOFTMAX,
            by="return scores.softmax(dim=-1)",
            hint="Blocked words still get weight. What softmax makes of a score depends on the score only, so the "
            "mask must change the scores first. (You did fill them? Then use the result: it is a new tensor.)",
        ),
        Misconception(
            "applied the mask after softmax",
            replace="scores = scores.masked_fill(~mask, -math.inf)",
            by="pass",
            hint="Blocked words get 0, but they took part in softmax and their share is lost: your rows sum to "
            "less than 1. Block the scores before softmax.",
        ),
        Misconception(
            "applied the mask after softmax and rescaled the rows",
            replace=MASKED_SOFTMAX,
            by="""weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = (weights / weights.sum(dim=-1, keepdim=True)).nan_to_num(0.0)
    return weights""",
            shown_by=("softmax",),
            hint="That is right on paper. But if a blocked score is far larger than the others, those round to 0 "
            "in softmax and cannot be scaled up again. Block the scores before softmax.",
        ),
        Misconception(
            "masked with 0 instead of −∞",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, 0.0)"),
            hint="e to the power of 0 is 1, so blocked words keep a share. Only a score of −∞ gives a weight of 0.",
        ),
        Misconception(
            "masked with 0 instead of −∞ and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask, 0.0)",
            hint="e to the power of 0 is 1, so blocked words took a share before you blanked it: your rows sum to "
            "less than 1. Only a score of −∞ takes nothing.",
        ),
        Misconception(
            "added the boolean mask to the scores",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores + mask"),
            hint="True counts as 1 here, so allowed scores rose by 1 and nothing is blocked. A mask that is added "
            "must hold 0 and −∞; a boolean one picks the places to fill.",
        ),
        Misconception(
            "took −10000 for minus infinity",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, -1e4)"),
            hint="Ordinary scores can be that small, and then blocked words get a share. In a row where all is "
            "blocked, all words get the same share. Use the real −∞ and take care of such rows.",
        ),
        Misconception(
            "used a large negative number such as −1e9 for minus infinity",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, -1e9)"),
            hint="In a row where all is blocked, all scores are equal, so softmax gives each blocked word the same "
            "share. Blocked entries must be 0 there too.",
        ),
        Misconception(
            "left NaN in rows where all is blocked",
            replace="weights = weights.masked_fill(~mask, 0.0)",
            by="pass",
            hint="Where all is blocked there is nothing to share out, and 0 divided by 0 is NaN, as is −∞ minus −∞. "
            "One NaN spoils all that is computed from it. A query that may look at nothing takes nothing: its row is "
            "zeros.",
        ),
        Misconception(
            "took e to the power of the scores by hand",
            replace="scores.softmax(dim=-1)",
            by="scores.exp() / scores.exp().sum(dim=-1, keepdim=True)",
            hint="That is right for small scores only. e to the power of 10000 is infinite, and infinite divided "
            "by infinite is NaN. Softmax subtracts the row's largest score first.",
        ),
        Misconception(
            "divided the scores by their sum",
            replace="scores.softmax(dim=-1)",
            by="scores / scores.sum(dim=-1, keepdim=True)",
            hint="Scores may be negative, and then weights are negative or larger than 1. Softmax makes all of them "
            "positive first.",
        ),
        Misconception(
            "used a sigmoid",
            replace="scores.softmax(dim=-1)",
            by="scores.sigmoid()",
            hint="Each weight lies between 0 and 1, but a row does not sum to 1: this is not an average. The words of "
            "a row must share out one weight of 1.",
        ),
        Misconception(
            "returned logarithms",
            replace="scores.softmax(dim=-1)",
            by="scores.log_softmax(dim=-1)",
            hint="Your weights are negative: they are logarithms, as a loss function wants them. An average needs "
            "the weights themselves.",
        ),
        Misconception(
            "returned scores without softmax",
            replace="weights = scores.softmax(dim=-1)",
            by="weights = scores",
            hint="These rows do not sum to 1. Softmax is what turns scores into weights.",
        ),
        Misconception(
            "transposed the mask",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask.transpose(-2, -1), -math.inf)",
            hint="The mask has a row for each query and a column for each key, just as the scores have.",
            check="shapes",
        ),
        Misconception(
            "changed the caller's scores in place",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill_(~mask, -math.inf)",
            hint="The weights are right, but the caller's scores are now full of −∞. x[…] = … and methods that "
            "end in an underscore change the tensor itself; masked_fill makes a new one.",
        ),
        Misconception(
            "blocked the forbidden words in one place and the allowed ones in the other",
            replace="weights.masked_fill(~mask, 0.0)",
            by="weights.masked_fill(mask, 0.0)",
            hint="Nothing is left: every weight is 0. The same places, where the mask is False, are filled before "
            "softmax and after it.",
        ),
        families.asked_whether_true(
            "the mask is",
            "if mask is not None:\n        scores",
            "if mask:\n        scores",
            "if name|if not",
            thing="mask",
        ),
        Misconception(
            "forgot that there may be no mask",
            replace="if mask is not None:\n        scores",
            by="if True:\n        scores",
            hint="If mask is None, nothing is blocked and nothing needs filling.",
            check="shapes",
        ),
        Misconception(
            "filled the blocked scores with +∞",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores.masked_fill(~mask, math.inf)"),
            hint="e to the power of +∞ is infinite, and infinite divided by infinite is NaN. What is blocked needs "
            "the smallest score there is, not the largest.",
            shown_by=("no *|mul",),
        ),
        Misconception(
            "filled the blocked scores with +∞ and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask, math.inf)",
            hint="e to the power of +∞ is infinite, and infinite divided by infinite is NaN in the whole row. What is "
            "blocked needs the smallest score there is, not the largest.",
            shown_by=("no *|mul",),
        ),
        Misconception(
            "multiplied the mask by −∞",
            replace=MASKED_SOFTMAX,
            by=masked_by("scores = scores + ~mask * -math.inf"),
            hint="Where a word is allowed that is 0 times −∞, which is NaN and not 0. Put −∞ in the blocked places "
            "and leave the others alone.",
            shown_by=("*|mul",),
        ),
        Misconception(
            "multiplied the mask by −∞ and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores + ~mask * -math.inf",
            hint="Where a word is allowed that is 0 times −∞, which is NaN and not 0. Put −∞ in the blocked places "
            "and leave the others alone.",
            shown_by=("*|mul",),
        ),
        Misconception(
            "blocked the future where no mask is given",
            replace=MASKED_SOFTMAX,
            by="if mask is None:\n        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()\n    "
            + MASKED_SOFTMAX,
            hint="Without a mask nothing is blocked: every word may look at every word. Whether the future is blocked "
            "is up to the caller.",
        ),
        Misconception(
            "blocked the future where no mask is given, with a square mask",
            replace=MASKED_SOFTMAX,
            by="if mask is None:\n"
            "        mask = torch.ones(scores.shape[-1], scores.shape[-1], dtype=torch.bool).tril()\n    "
            + MASKED_SOFTMAX,
            hint="Without a mask nothing is blocked: every word may look at every word. (And there need not be as "
            "many queries as keys.)",
            check="shapes",
        ),
        Misconception(
            "took the mask as an index into the caller's own scores",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores[~mask] = -math.inf
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights[~mask] = 0.0
    return weights""",
            hint="An index has to be as large as what it picks from, and a mask may be smaller: one for the whole "
            "batch, or one for all queries. It also writes into the caller's scores. "
            "masked_fill repeats the mask where that is needed, and makes a new tensor.",
            check="shapes",
        ),
        Misconception(
            "picked the allowed scores out with the mask as an index",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores[mask]
    return scores.softmax(dim=-1)""",
            hint=PICKED_OUT,
            check="shapes",
        ),
        Misconception(
            "picked the allowed scores out with the mask as an index, even where there is no mask",
            replace=MASKED_SOFTMAX,
            by="return scores[mask].softmax(dim=-1)",
            hint=f"{PICKED_OUT} (An index of None picks nothing out and adds a dimension.)",
            check="shapes",
        ),
        Misconception(
            "took the mask as an index into the scores",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores.clone()
        scores[~mask] = -math.inf
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights[~mask] = 0.0
    return weights""",
            hint="An index has to be as large as what it picks from, and a mask may be smaller: one for the whole "
            "batch, or one for all queries. masked_fill and torch.where repeat the mask where that is needed.",
            check="shapes",
        ),
        Misconception(
            "negated the whole mask instead of each of its entries",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(not mask, -math.inf)",
            hint="not turns an object into a single True or False, and a mask has many entries. Each entry has to be "
            "inverted by itself.",
            check="shapes",
            shown_by=("not",),
        ),
        Misconception(
            "took e to the power of the scores by hand and put 0 for NaN",
            replace=MASKED_SOFTMAX,
            by="""powers = scores.exp()
    if mask is not None:
        powers = powers.masked_fill(~mask, 0.0)
    return (powers / powers.sum(dim=-1, keepdim=True)).nan_to_num(0.0)""",
            hint="e to the power of 10000 is infinite, infinite divided by infinite is NaN, and then you write 0 over "
            "it: such rows lose their weight. Softmax subtracts the row's largest score first, so that nothing "
            "overflows.",
            shown_by=("exp", "nan_to_num|isnan|isfinite|nan", "no max|amax|maximum"),
        ),
        Misconception(
            "took e to the power of the scores by hand and multiplied by the mask",
            replace=MASKED_SOFTMAX,
            by="""powers = scores.exp()
    if mask is not None:
        powers = powers * mask
    return powers / (powers.sum(dim=-1, keepdim=True) + 1e-9)""",
            hint="That is right for small scores only. e to the power of 10000 is infinite, and infinite times 0, or "
            "divided by infinite, is NaN. Softmax subtracts the row's largest score first.",
            shown_by=("exp", "no max|amax|maximum"),
        ),
        Misconception(
            "subtracted the largest score of all from every row",
            replace=MASKED_SOFTMAX,
            by="""powers = (scores - scores.max()).exp()
    if mask is not None:
        powers = powers.masked_fill(~mask, 0.0)
    sums = powers.sum(dim=-1, keepdim=True)
    return powers / sums.masked_fill(sums == 0, 1.0)""",
            hint="The largest of all belongs to one row. In rows whose scores are far smaller, e to the power of what "
            "is left rounds to 0, and the whole row is lost. Subtract each row's own: amax(dim=-1, keepdim=True).",
            shown_by=("exp", "max|amax|maximum"),
        ),
        Misconception(
            "ran softmax over dimension 1, counted from the front",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=1)",
            hint="With one dimension in front, dimension 1 is the queries: your columns sum to 1, your rows do not. "
            "Each query shares out a weight of 1 over the keys, and the keys are the last dimension, however many "
            "come before.",
        ),
        Misconception(
            "ran softmax over dimension 2, counted from the front",
            replace="scores.softmax(dim=-1)",
            by="scores.softmax(dim=2)",
            hint="That is the keys where there is exactly one dimension in front, and something else where there are "
            "more. Count from the end: the keys are the last dimension.",
        ),
        Misconception(
            "added −∞ and replaced the NaN afterwards",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores + torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)""",
            hint="The weights are right, and their gradient is NaN where all is blocked: what you replace after "
            "softmax still flows back through softmax. Filling scores stops it, as nothing flows back to a filled "
            "entry. Adding does not.",
        ),
        Misconception(
            "applied the mask after softmax and rescaled the rows, with a small number against dividing by 0",
            replace=MASKED_SOFTMAX,
            by="""weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
        weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-9)
    return weights""",
            hint="That is right on paper. But if a blocked score is far larger than the others, those round to 0 in "
            "softmax and cannot be scaled up again. Block the scores before softmax.",
            shown_by=("softmax",),
        ),
        Misconception(
            "filled the blocked weights with −∞ after softmax",
            replace=MASKED_SOFTMAX,
            by="weights = scores.softmax(dim=-1)\n"
            "    return weights if mask is None else weights.masked_fill(~mask, -math.inf)",
            hint="A score of −∞ becomes a weight of 0 in softmax. After softmax it stays −∞. Block the scores before "
            "softmax.",
        ),
        Misconception(
            "took −10000 for minus infinity and blanked the weights afterwards",
            replace="scores.masked_fill(~mask, -math.inf)",
            by="scores.masked_fill(~mask, -1e4)",
            hint="Ordinary scores can be that small, and then blocked words take a share before you blank it: such "
            "rows sum to less than 1. Use the real −∞.",
        ),
        Misconception(
            "divided the scores by the root of the number of keys",
            replace="weights = scores.softmax(dim=-1)",
            by="weights = (scores / math.sqrt(scores.shape[-1])).softmax(dim=-1)",
            hint="Your weights are too even. The scores come in scaled, and how many keys there are has nothing to do "
            "with it.",
        ),
        Misconception(
            "wrote over the NaN in place after softmax",
            replace=MASKED_SOFTMAX,
            by="if mask is not None:\n"
            "        scores = scores.masked_fill(~mask, -math.inf)\n"
            "    weights = scores.softmax(dim=-1)\n"
            "    weights[weights.isnan()] = 0.0\n"
            "    return weights",
            hint="The weights are right, but torch needs what softmax returned to compute gradients, and it has been "
            "changed. x[…] = … and methods that end in an underscore change the tensor itself. Make a new one.",
        ),
        Misconception(
            "blanked the weights in place after softmax",
            replace="weights = weights.masked_fill(~mask, 0.0)",
            by="weights.masked_fill_(~mask, 0.0)",
            hint="The weights are right, but torch needs what softmax returned to compute gradients, and it has been "
            "changed. x[…] = … and methods that end in an underscore change the tensor itself. Make a new one.",
        ),
        Misconception(
            "took the mask as an index into the scores and wrote over the NaN in place",
            replace=MASKED_SOFTMAX,
            by="if mask is not None:\n"
            "        scores = scores.clone()\n"
            "        scores[~mask] = -math.inf\n"
            "    weights = scores.softmax(dim=-1)\n"
            "    weights[weights.isnan()] = 0.0\n"
            "    return weights",
            hint="An index has to be as large as what it picks from, and a mask may be smaller: masked_fill and "
            "torch.where repeat it where that is needed. And torch needs what softmax returned to compute "
            "gradients: make a new tensor instead of writing into it.",
            check="shapes",
        ),
        Misconception(
            "took a mask that is smaller than the scores as an index",
            replace=MASKED_SOFTMAX,
            by="if mask is not None:\n"
            "        scores = scores.clone()\n"
            "        scores[~mask] = -math.inf\n"
            "    return scores.softmax(dim=-1).nan_to_num(0.0)",
            hint="An index has to be as large as what it picks from, and a mask may be smaller: one for the whole "
            "batch, or one for all queries. masked_fill and torch.where repeat the mask where that is needed.",
            check="shapes",
        ),
        Misconception(
            "multiplied the mask by −∞ and put 0 for NaN",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores + ~mask * -math.inf
    return scores.softmax(dim=-1).nan_to_num(0.0)""",
            hint="Where a word is allowed that is 0 times −∞, which is NaN, and one NaN takes its whole row along. Put "
            "−∞ in the blocked places and leave the others alone.",
            shown_by=("*|mul",),
        ),
        Misconception(
            "set all weights to 0 as soon as one of them is NaN",
            replace=MASKED_SOFTMAX,
            by="""if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return torch.zeros_like(weights) if weights.isnan().any() else weights""",
            hint="Only the rows in which all is blocked are NaN. The other queries, and the other sentences of the "
            "batch, keep their weights.",
        ),
        Misconception(
            "subtracted the largest score of each key, not of each query",
            replace="weights = scores.softmax(dim=-1)",
            by="weights = (scores - scores.amax(dim=-2, keepdim=True)).softmax(dim=-1)",
            hint="Softmax forgives what is subtracted only if it is the same number for the whole row, that is for all "
            "keys of a query. (torch's softmax subtracts by itself.)",
        ),
    ),
    alternatives=(
        Alternative(
            "the logarithm of the sum is subtracted",
            """
def attention_weights(scores, mask=None):
    keep = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand_as(scores)
    safe = torch.where(keep | ~keep.any(dim=-1, keepdim=True), scores, -torch.inf)
    return torch.exp(safe - safe.logsumexp(dim=-1, keepdim=True)) * keep
""",
        ),
        Alternative(
            "torch.where",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return torch.softmax(scores, dim=-1)
    weights = torch.where(mask, scores, float("-inf")).softmax(dim=-1)
    return torch.where(mask, weights, 0.0)
""",
        ),
        Alternative(
            "nan_to_num",
            """
def attention_weights(scores, mask=None):
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), float("-inf"))
    return nn.functional.softmax(scores, dim=-1).nan_to_num(0.0)
""",
        ),
        Alternative(
            "softmax by hand, with the largest score subtracted",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    scores = scores.masked_fill(~mask, -math.inf)
    largest = scores.amax(dim=-1, keepdim=True)
    largest = largest.masked_fill(largest == -math.inf, 0.0)
    exponentials = (scores - largest).exp()
    total = exponentials.sum(dim=-1, keepdim=True)
    return exponentials / total.masked_fill(total == 0, 1.0)
""",
        ),
        Alternative(
            "the exponential of log_softmax",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return scores.log_softmax(dim=-1).exp()
    weights = scores.masked_fill(mask == False, -math.inf).log_softmax(dim=-1).exp()
    return weights.masked_fill(mask == False, 0)
""",
        ),
        Alternative(
            "the smallest float, then blanked",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return scores.softmax(-1)
    blocked = ~mask
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(blocked, lowest).softmax(-1).masked_fill(blocked, 0)
""",
        ),
        Alternative(
            "a mask of 0 and −∞, added, but for rows in which all is blocked",
            """
def attention_weights(scores, mask=None):
    if mask is None:
        return scores.softmax(dim=-1)
    bias = torch.zeros(mask.shape, dtype=scores.dtype, device=scores.device)
    bias[~mask & mask.any(dim=-1, keepdim=True)] = -math.inf
    return torch.where(mask, (scores + bias).softmax(dim=-1), 0.0)
""",
        ),
    ),
    forbids=FORBIDS,
    exact_zeros=True,
)
