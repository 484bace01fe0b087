"""`induction_score`: measures how much each head looks at the token after the earlier copy."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def maps(draw: Draw, *, causal: bool, low: int = 4, high: int = 7) -> Call:
    """Draw the maps of a sequence of 2 · half tokens whose rows sum to 1."""
    layers, heads = draw.sizes("layers heads", low=2, high=4)
    (half,) = draw.sizes("half", low=low, high=high)
    seq = 2 * half
    draw.named(seq=seq)
    scores = draw.normal(layers, heads, seq, seq, scale=2.0)
    if causal:
        scores = scores.masked_fill(~torch.ones(seq, seq, dtype=torch.bool).tril(), -torch.inf)
    return Call({"weights": scores.softmax(dim=-1)})


PICKED = "weights[:, :, query, query - half + 1]"
QUERIES = "torch.arange(half, 2 * half)"


def picked(columns: str) -> str:
    return f"weights[:, :, query, {columns}]"


EXERCISE = Exercise(
    name="induction_score",
    returns=("score",),
    milestones={"picked": "the weights on the token after the earlier copy"},
    optional_milestones=("picked",),
    cases=(
        Case("words that may look only back", lambda draw: maps(draw, causal=True)),
        Case("words that may look anywhere", lambda draw: maps(draw, causal=False)),
        Case("a longer sequence", lambda draw: maps(draw, causal=True, low=8, high=11)),
    ),
    misconceptions=(
        Misconception(
            "looked at the earlier copy itself",
            replace=PICKED,
            by=picked("query - half"),
            hint="That is where the same token was before. What comes next is told by the token after it.",
        ),
        Misconception(
            "looked at the token before the earlier copy",
            replace=PICKED,
            by=picked("(query - half - 1) % weights.shape[-1]"),
            hint="You went to the wrong side: the token that followed the earlier copy is one place further right.",
        ),
        Misconception(
            "went two places on from the earlier copy",
            replace=PICKED,
            by=picked("query - half + 2"),
            hint="One place too far: the copy is half a sequence back, and the token after it one place on.",
        ),
        Misconception(
            "looked at the token before the query",
            replace=PICKED,
            by=picked("query - 1"),
            hint="That is a previous-token head. An induction head looks back to where the same token was before.",
        ),
        Misconception(
            "looked at the query itself",
            replace=PICKED,
            by=picked("query"),
            hint="That is the main diagonal. The earlier copy is half a sequence back.",
        ),
        Misconception(
            "went one place back from the earlier copy, along a diagonal",
            replace=PICKED,
            by="weights.diagonal(offset=-half - 1, dim1=-2, dim2=-1)",
            hint="You went to the wrong side: the token that followed the earlier copy is one place further right.",
        ),
        Misconception(
            "took the diagonal above the main one",
            replace=PICKED,
            by="weights.diagonal(offset=half - 1, dim1=-2, dim2=-1)",
            hint="Above the main diagonal, words look at what comes later. The earlier copy is to the left of it.",
        ),
        Misconception(
            "took all queries, those of the first half, too",
            replace=QUERIES,
            by="torch.arange(2 * half)",
            hint="The first half has no earlier copies. For its queries, the index falls below 0, and torch takes that "
            "for places at the end.",
        ),
        Misconception(
            "counted the last token of the first half, too",
            replace=QUERIES,
            by="torch.arange(half - 1, 2 * half)",
            hint="The last token of the first half has no earlier copy. It is on the same diagonal as the others, but "
            "only queries of the second half count.",
        ),
        Misconception(
            "left out the last token",
            replace=QUERIES,
            by="torch.arange(half, 2 * half - 1)",
            hint="The last token has an earlier copy too, and the token after that is the first of the second half.",
        ),
        Misconception(
            "left out the first token of the second half",
            replace=QUERIES,
            by="torch.arange(half + 1, 2 * half)",
            hint="The first token of the second half is a copy already: of the very first one.",
        ),
        Misconception(
            "took the queries of the first half",
            replace=QUERIES,
            by="torch.arange(half)",
            hint="In the first half nothing has been repeated yet. The queries that count are those of the second.",
        ),
        Misconception(
            "swapped queries and keys",
            replace=PICKED,
            by="weights[:, :, query - half + 1, query]",
            hint="A row belongs to the word that looks, a column to the word that is looked at. In "
            "your rows are the words that are looked at.",
        ),
        Misconception(
            "divided by the length of the whole sequence",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1) / weights.shape[-1]",
            hint="Only half of the tokens have an earlier copy. Divided by all of them, even a perfect head stays "
            "below a half.",
        ),
        Misconception(
            "added the weights up",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1)",
            hint="Your scores grow with the sequence. The mean over the queries stays between 0 and 1.",
        ),
        Misconception(
            "took the largest weight instead of the mean",
            replace=".mean(dim=-1)",
            by=".amax(dim=-1)",
            hint="One query that finds its token by chance would be enough for a high score. Take the mean.",
        ),
        Misconception(
            "counted how often the token gets the most",
            replace=f"{PICKED}\n    return picked.mean(dim=-1)",
            by="(weights[:, :, half:].argmax(dim=-1) == query - half + 1).to(weights.dtype)\n"
            "    return picked.mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        Misconception(
            "met every query with every key",
            replace=PICKED,
            by="weights[:, :, half:, 1 : half + 1].flatten(-2)",
            hint="Two slices cut out a square: every query of the second half with every key. Take single pairs, each "
            "query with its own key.",
        ),
        Misconception(
            "averaged over all weights of the second half on the first",
            replace=PICKED,
            by="weights[:, :, half:, :half].flatten(-2)",
            hint="That is a whole square of the map: every later query with every earlier token. Take single pairs, "
            "each query with the token after its own copy.",
        ),
        Misconception(
            "took the weights of all queries on the whole first half",
            replace=PICKED,
            by="weights[:, :, half:, :half].sum(dim=-1)",
            hint="A head that spreads its weight over the first half gets a high score from you. Only one token "
            "follows the earlier copy.",
        ),
        Misconception(
            "took the sequence for one half of it",
            replace="weights.shape[-1] // 2",
            by="weights.shape[-1]",
            hint="weights covers both halves: seq is 2 · half.",
            check="shapes",
        ),
        Misconception(
            "divided to a fraction where a whole number is needed",
            replace="weights.shape[-1] // 2",
            by="weights.shape[-1] / 2",
            hint="With one slash, half of 12 is 6.0, and positions made from it are fractions, too. Two slashes keep "
            "whole numbers.",
            check="shapes",
        ),
        Misconception(
            "averaged over the heads too",
            replace=".mean(dim=-1)",
            by=".mean(dim=(-2, -1))",
            hint="Heads differ, and that is what you want to see: one score for each layer and each head.",
            check="shapes",
        ),
        Misconception(
            "returned the weights one by one",
            replace=".mean(dim=-1)",
            by="",
            hint="These are the right weights, one for each query. Return one number for each head: their mean.",
            check="shapes",
        ),
        Misconception(
            "averaged over all heads and layers",
            replace=".mean(dim=-1)",
            by=".mean()",
            hint="Only one number is left. Keep one for each layer and each head: take the mean over the queries "
            "alone.",
            check="shapes",
        ),
        Misconception(
            "took the diagonal over layers and heads",
            replace=PICKED,
            by="weights.diagonal(offset=1 - half)[..., 1:]",
            hint="Without being told, diagonal takes the first two dimensions, which are layers and heads here. The "
            "map of a head is the last two.",
            check="shapes",
        ),
        Misconception(
            "divided by one query too few",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1) / (half - 1)",
            hint="All tokens of the second half count, the last one too: there are seq / 2 of them.",
        ),
        Misconception(
            "took softmax of the weights once more",
            replace=PICKED,
            by="weights.softmax(dim=-1)[:, :, query, query - half + 1]",
            hint="Each row of weights sums to 1 already. A second softmax makes them nearly alike: take them as "
            "they are.",
        ),
        Misconception(
            "took the median instead of the mean",
            replace="picked.mean(dim=-1)",
            by="picked.median(dim=-1).values",
            hint="The median looks at the order of the weights alone, so a head that finds its token only at times "
            "would get a score near 0. Take the mean.",
        ),
        Misconception(
            "kept the highest score of each layer",
            replace=".mean(dim=-1)",
            by=".mean(dim=-1).amax(dim=-1)",
            hint="Which head it was is lost. Return one score for each layer and each head.",
            check="shapes",
        ),
        Misconception(
            "took the mean over the keys",
            replace=f"{PICKED}\n    return picked.mean(dim=-1)",
            by="weights[:, :, half:].mean(dim=-2)[..., 1 : half + 1]\n    return picked",
            hint="You have one number for each token that is looked at. One for each head is wanted: single pairs, "
            "each query with its own key, and then their mean.",
            check="shapes",
        ),
        Misconception(
            "averaged over the heads instead of the queries",
            replace="picked.mean(dim=-1)",
            by="picked.mean(dim=1)",
            hint="With single pairs picked, three dimensions are left: layers, heads, queries. The last one has to go.",
            check="shapes",
        ),
        Misconception(
            "dropped the last entry of the diagonal, not the first",
            replace=PICKED,
            by="weights.diagonal(offset=1 - half, dim1=-2, dim2=-1)[..., :-1]",
            hint="It is the first entry that does not count: it belongs to the last token of the first half. The last "
            "one belongs to the last query of the second half.",
        ),
    ),
    alternatives=(
        Alternative(
            "a diagonal without its first entry",
            """
def induction_score(weights):
    half = weights.size(-1) // 2
    # the first entry belongs to the last token of the first half
    return weights.diagonal(offset=1 - half, dim1=-2, dim2=-1)[..., 1:].mean(-1)
""",
        ),
        Alternative(
            "the rows of the second half, and their diagonal",
            """
def induction_score(weights):
    second = weights.chunk(2, dim=-2)[1]
    return torch.einsum("lhii->lh", second[..., 1 : second.shape[-2] + 1]) / second.shape[-2]
""",
        ),
        Alternative(
            "a loop over queries",
            """
def induction_score(weights):
    layers, heads, seq, _ = weights.shape
    half = seq // 2
    total = torch.zeros(layers, heads)
    for query in range(half, seq):
        earlier = query - half
        total += weights[:, :, query, earlier + 1]
    return total / half
""",
        ),
        Alternative(
            "gather",
            """
def induction_score(weights):
    half = weights.shape[-1] // 2
    later = weights[..., half:, :]
    # (half, 1) -> (layers, heads, half, 1): for each query its key
    key = (torch.arange(half) + 1).view(-1, 1).expand(*later.shape[:-1], 1)
    return later.gather(-1, key).squeeze(-1).mean(-1)
""",
        ),
    ),
    gradients=False,
)
