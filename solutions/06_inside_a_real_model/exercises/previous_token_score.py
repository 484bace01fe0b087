"""`previous_token_score`: measures how much each word looks at the one before it."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import AVERAGED_OVER_HEADS, FORBIDS, attention_map, maps_to_score


def causal_maps(draw: Draw) -> Call:
    layers, heads = draw.sizes("layers heads", high=5)
    (seq,) = draw.sizes("seq", low=7, high=7)
    scores = draw.normal(layers, heads, seq, seq, scale=2.0)
    causal = torch.ones(seq, seq, dtype=torch.bool).tril()
    return Call({"weights": scores.masked_fill(~causal, -torch.inf).softmax(dim=-1)})


def maps_of_two_tokens(draw: Draw) -> Call:
    layers, heads = draw.sizes("layers heads", high=7)
    draw.named(seq=2)
    return Call({"weights": attention_map(draw, layers, heads, 2, 2)})


DIAGONAL = "weights.diagonal(offset=-1, dim1=-2, dim2=-1)"

EXERCISE = Exercise(
    name="previous_token_score",
    returns=("score",),
    milestones={
        "diagonal": "the weights on the word before",
    },
    optional_milestones=("diagonal",),
    cases=(
        Case("words that may look anywhere", maps_to_score),
        Case("words that look only back", causal_maps),
        Case("sentences of two tokens", maps_of_two_tokens),
    ),
    misconceptions=(
        Misconception(
            "looked at the token after it",
            replace="offset=-1",
            by="offset=1",
            hint="That is the diagonal above the main one: query i on token i + 1. Take query i on token i − 1, "
            "below it.",
        ),
        Misconception(
            "looked at the token itself",
            replace="offset=-1",
            by="offset=0",
            hint="That is the main diagonal: query i on token i. The position before is one column to the left.",
        ),
        Misconception(
            "looked two tokens back",
            replace="offset=-1",
            by="offset=-2",
            hint="One diagonal too far. Pair query i with token i − 1.",
        ),
        Misconception(
            "counted the first token among those that have one before them",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1) / weights.shape[-1]",
            hint="The first token has none before it, so there is one weight less than there are tokens. Divide by "
            "the number of weights, or even a perfect head stays below 1.",
        ),
        Misconception(
            "let the first token look back to the last one",
            replace=DIAGONAL,
            by="weights[..., torch.arange(weights.shape[-1]), torch.arange(weights.shape[-1]) - 1]",
            hint="For the first token, position − 1 is −1, and torch takes that for the last one. Start at position 1.",
        ),
        Misconception(
            "added the weights up",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1)",
            hint="Your scores grow with the length of the sentence. The mean over the positions stays between 0 and 1.",
        ),
        Misconception(
            "took the largest weight instead of the mean",
            replace=".mean(dim=-1)",
            by=".amax(dim=-1)",
            hint="One word that looks back by chance would be enough for a high score. Take the mean over positions.",
        ),
        Misconception(
            "counted how often the token before gets the most",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="(weights.argmax(dim=-1)[..., 1:] == torch.arange(weights.shape[-1] - 1)).to(weights.dtype)"
            ".mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        Misconception(
            "took everything before, not only the token right before",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="weights.tril(-1).sum(dim=-1)[..., 1:].mean(dim=-1)",
            hint="A head that spreads its weight over the whole past gets a high score from you. Only one token is "
            "the one before.",
        ),
        Misconception(
            "met every row with every column",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="weights[..., 1:, :-1].mean(dim=(-2, -1))",
            hint="Two slices cut out a square: every later query with every earlier token. Take single pairs, row 1 "
            "with column 0, row 2 with column 1 and so on.",
        ),
        Misconception(
            "took the diagonal over layers and heads",
            replace=DIAGONAL,
            by="weights.diagonal(offset=-1)",
            hint="Without being told, diagonal takes the first two dimensions, which are layers and heads here. The "
            "map of a head is the last two.",
            check="shapes",
        ),
        Misconception(
            "returned the weights one by one",
            replace=".mean(dim=-1)",
            by="",
            hint="These are the right weights, one for each position. Return one number for each head: their mean.",
            check="shapes",
        ),
        AVERAGED_OVER_HEADS,
        Misconception(
            "left out the last token",
            replace=DIAGONAL,
            by="torch.stack([weights[..., i, i - 1] for i in range(1, weights.shape[-1] - 1)], dim=-1)",
            hint="The last token looks at the one before it too. (range stops one before its end.)",
            check="shapes",
        ),
        Misconception(
            "averaged over all tokens what each gives to all before it",
            replace="weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)",
            by="weights.tril(-1).sum(dim=-1).mean(dim=-1)",
            hint="A head that spreads its weight over the whole past gets a high score from you. Only one token is "
            "the one before; and the first token has none.",
        ),
        Misconception(
            "dropped the first weight of the diagonal",
            replace=DIAGONAL,
            by=f"{DIAGONAL}[..., 1:]",
            hint="The diagonal below the main one begins with token 1, which looks at token 0: there is no entry for "
            "token 0 that would have to go. Take the mean of all.",
        ),
        Misconception(
            "took the median",
            replace=".mean(dim=-1)",
            by=".median(dim=-1).values",
            hint="The median says what is in the middle, and forgets how far the others are from it. Here it is the "
            "mean.",
        ),
        Misconception(
            "averaged the whole map, in which all but the diagonal is 0",
            replace=f"{DIAGONAL}.mean(dim=-1)",
            by="(weights.tril(-1) - weights.tril(-2)).mean(dim=(-2, -1))",
            hint="The zeros count as weights then, and there are far more of them. Divide by the number of weights on "
            "the diagonal.",
        ),
        Misconception(
            "looked at the token itself, the first one left out",
            replace="offset=-1, dim1=-2, dim2=-1)",
            by="dim1=-2, dim2=-1)[..., 1:]",
            hint="That is the main diagonal: query i on token i. The position before is one column to the left.",
        ),
        Misconception(
            "looked two tokens back, and gave 0 where there are only two",
            replace=f"return {DIAGONAL}.mean(dim=-1)",
            by=f"return {DIAGONAL.replace('-1, dim1', '-2, dim1')}.sum(dim=-1) / max(weights.shape[-1] - 2, 1)",
            hint="One diagonal too far. Pair query i with token i − 1: of two tokens, the second has one before it.",
        ),
        Misconception(
            "left out the last token, and gave 0 where there are only two",
            replace=f"return {DIAGONAL}.mean(dim=-1)",
            by=f"return {DIAGONAL}[..., :-1].sum(dim=-1) / max(weights.shape[-1] - 2, 1)",
            hint="The last token looks at the one before it too. (range stops one before its end.)",
        ),
        Misconception(
            "left out the weight that the last token gives",
            replace=DIAGONAL,
            by=f"{DIAGONAL}[..., :-1]",
            hint="The last token looks at the one before it too: every token but the first gives a weight.",
        ),
        Misconception(
            "left out the last token, and divided as if it were there",
            replace=".mean(dim=-1)",
            by="[..., :-1].sum(dim=-1) / (weights.shape[-1] - 1)",
            hint="The last token looks at the one before it too. (range stops one before its end.)",
        ),
        Misconception(
            "left out the last token of a sum, which has no term where there are only two",
            replace=f"return {DIAGONAL}.mean(dim=-1)",
            by="return sum(weights[..., i, i - 1] for i in range(1, weights.shape[-1] - 1)) / (weights.shape[-1] - 1)",
            hint="The last token looks at the one before it too. (range stops one before its end.)",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "two ranges of positions",
            """
def previous_token_score(weights):
    position = torch.arange(1, weights.shape[-1])
    return weights[:, :, position, position - 1].mean(dim=-1)
""",
        ),
        Alternative(
            "the square below the diagonal, and its trace",
            """
def previous_token_score(weights):
    shifted = weights[..., 1:, :-1]
    return torch.einsum("...ii->...", shifted) / shifted.shape[-1]
""",
        ),
        Alternative(
            "a loop over positions",
            """
def previous_token_score(weights):
    seq = weights.size(-1)
    total = torch.zeros(weights.shape[:2], dtype=weights.dtype)
    for position in range(1, seq):
        total += weights[:, :, position, position - 1]
    return total / (seq - 1)
""",
        ),
    ),
    forbids=FORBIDS,
    gradients=False,
)
