"""`sink_score`: measures how much all words look at one of them."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import AVERAGED_OVER_HEADS, FORBIDS, attention_map, maps_to_score


def maps_with_position(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    return Call({"weights": attention_map(draw, layers, heads, seq, seq), "position": draw.integer(1, seq - 2)})


def maps_with_last_position(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    return Call({"weights": attention_map(draw, layers, heads, seq, seq), "position": -1})


SINK = "weights[..., position].mean(dim=-1)"

EXERCISE = Exercise(
    name="sink_score",
    returns=("score",),
    milestones={
        "getitem": "the weights on that position",
    },
    optional_milestones=("getitem",),
    cases=(
        Case("the first token", maps_to_score),
        Case("a token in the middle", maps_with_position),
        Case("the last token, counted from the end", maps_with_last_position),
    ),
    misconceptions=(
        Misconception(
            "looked at the token's row instead of its column",
            replace="weights[..., position]",
            by="weights[..., position, :]",
            hint="A row says where this token looks, and always sums to 1, so that its mean says nothing. The weights "
            "of those that look at it are in its column.",
        ),
        Misconception(
            "always looked at the first token",
            replace="weights[..., position]",
            by="weights[..., 0]",
            hint="The position was given: 0 is only its default.",
        ),
        Misconception(
            "left out the token itself",
            replace=SINK,
            by="(weights[..., position].sum(dim=-1) - weights[..., position, position]) / (weights.shape[-1] - 1)",
            hint="That is a sensible score too, but here the mean is over all queries, the token itself among them.",
        ),
        Misconception(
            "counted the token's weight on itself as 0",
            replace=SINK,
            by="(weights[..., position].sum(dim=-1) - weights[..., position, position]) / weights.shape[-1]",
            hint="The mean is over all queries, and the token is one of them: its weight on itself counts as it is.",
        ),
        Misconception(
            "took the median",
            replace=".mean(dim=-1)",
            by=".median(dim=-1).values",
            hint="The median says what is in the middle, and forgets how far the others are from it. Here it is the "
            "mean.",
        ),
        Misconception(
            "left out the first query",
            replace="weights[..., position]",
            by="weights[..., 1:, position]",
            hint="Here the mean is over all queries, the first one among them.",
        ),
        Misconception(
            "took only the token's weight on itself",
            replace=SINK,
            by="weights[..., position, position]",
            hint="That is one query. A sink is where all queries look, so take the mean over them.",
        ),
        Misconception(
            "took the largest weight instead of the mean",
            replace=".mean(dim=-1)",
            by=".amax(dim=-1)",
            hint="A single word that looks there would make it a sink. Ask how much all of them give on average.",
        ),
        Misconception(
            "added the weights up",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1)",
            hint="Your scores grow with the length of the sentence. The mean over the queries stays between 0 and 1.",
        ),
        Misconception(
            "counted the queries that look there most",
            replace=SINK,
            by="(weights.argmax(dim=-1) == position % weights.shape[-1]).to(weights.dtype).mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        AVERAGED_OVER_HEADS,
        Misconception(
            "averaged over the heads instead of the queries",
            replace=".mean(dim=-1)",
            by=".mean(dim=1)",
            hint="With the column picked, three dimensions are left: layers, heads, queries. The last one has to go.",
            check="shapes",
        ),
        Misconception(
            "gave a score to every token",
            replace=SINK,
            by="weights.mean(dim=-2)",
            hint="The mean over the queries is right. Return only the token at the given position.",
            check="shapes",
        ),
        Misconception(
            "returned the largest weight together with its place",
            replace=".mean(dim=-1)",
            by=".max(dim=-1)",
            hint="max along a dimension gives two tensors, the values and where they are. And a single word that "
            "looks there would make it a sink: ask how much all of them give on average.",
            check="shapes",
        ),
        Misconception(
            "cut the column out as a slice and averaged over its single entry",
            replace="weights[..., position]",
            by="weights[..., position : position + 1]",
            hint="A slice keeps the dimension, with one entry in it, and the mean over that changes nothing: a number "
            "is left for each query. The mean runs over the queries.",
            check="shapes",
        ),
        Misconception(
            "returned the weight of each query",
            replace=".mean(dim=-1)",
            by="",
            hint="That is the right column, with an entry for each query. Return one number for each head: their mean.",
            check="shapes",
        ),
        Misconception(
            "counted only the queries from the token on",
            replace="weights[..., position]",
            by="weights[..., position:, position]",
            hint="That suits a model whose words see only the past. Here the mean is over all queries, those before "
            "the token among them.",
        ),
        Misconception(
            "divided by one query less than there are",
            replace=".mean(dim=-1)",
            by=".sum(dim=-1) / (weights.shape[-1] - 1)",
            hint="All queries are in the sum, the token itself among them. Divide by as many.",
        ),
        Misconception(
            "averaged over the layers too",
            replace=".mean(dim=-1)",
            by=".mean(dim=(0, -1))",
            hint="Layers differ, and that is what you want to see: one score for each layer and each head.",
            check="shapes",
        ),
        Misconception(
            "asked the last token only",
            replace=SINK,
            by="weights[..., -1, position]",
            hint="That is one query. A sink is where all queries look, so take the mean over them.",
        ),
        Misconception(
            "cut out a slice that is empty for position −1",
            replace=SINK,
            by="weights[..., position : position + 1].mean(dim=(-2, -1))",
            hint="From −1 to 0 there is nothing, and the mean of nothing is NaN. A single index takes the last token "
            "for −1.",
        ),
        Misconception(
            "counted the queries that give it more than half of their weight",
            replace=SINK,
            by="(weights[..., position] > 0.5).to(weights.dtype).mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        Misconception(
            "counted the queries that give it more than an equal share",
            replace=SINK,
            by="(weights[..., position] > 1 / weights.shape[-1]).to(weights.dtype).mean(dim=-1)",
            hint="Counting throws away how much they look. Take the mean of the weights themselves.",
        ),
        Misconception(
            "took the head of that number, not the token",
            replace="weights[..., position]",
            by="weights[:, position]",
            hint="weights is (layers, heads, seq, seq), one row a query. The token that is looked at is in the last "
            "dimension.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "mean first, token second",
            """
def sink_score(weights, position=0):
    return weights.mean(dim=2)[:, :, position]
""",
        ),
        Alternative(
            "a product with a vector of one 1",
            """
def sink_score(weights, position=0):
    chosen = torch.zeros(weights.shape[-1], dtype=weights.dtype)
    chosen[position] = 1
    # (layers, heads, seq, seq) @ (seq) -> (layers, heads, seq)
    return (weights @ chosen).sum(dim=-1) / weights.shape[-2]
""",
        ),
        Alternative(
            "select and a loop",
            """
def sink_score(weights, position=0):
    return torch.stack([torch.stack([head[:, position].mean() for head in layer]) for layer in weights])
""",
        ),
    ),
    forbids=FORBIDS,
    gradients=False,
)
