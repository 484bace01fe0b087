"""`head_importance`: measures how far an embedding moves when a head is silenced."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS


def embeddings_to_compare(draw: Draw, batch: int = 0) -> Call:
    (num_heads,) = draw.sizes("num_heads", low=3, high=4)
    (num_layers,) = draw.sizes("num_layers", low=2, high=4)
    (d,) = draw.sizes("d", low=4, high=6)
    (several,) = draw.sizes("batch", low=7, high=7)  # not as many as there are heads in all layers together
    batch = batch or several
    draw.named(batch=batch)
    intact = draw.normal(batch, d)
    # (batch, d) + (layers, heads, batch, d): each head changes each sentence, some more than others
    size = draw.normal(num_layers, num_heads, 1, 1).abs()
    silenced = intact + size * draw.normal(num_layers, num_heads, batch, d)
    return Call({"intact": intact, "silenced": silenced, "num_layers": num_layers, "num_heads": num_heads})


def asks(head_importance, intact, without, num_layers, num_heads):
    """Let the learner's code ask an encoder that only looks its answers up, and count how often it does."""
    calls = {}

    def encode(silenced=None):
        if silenced is None:
            calls[None] = calls.get(None, 0) + 1
            return intact.clone()
        try:
            pair = tuple(silenced)
        except TypeError:
            raise TypeError(f"silenced should be a pair, (layer, head), and it is {silenced!r}") from None
        if len(pair) != 2:
            raise ValueError(f"silenced should be one pair, (layer, head), and it is {silenced!r}")
        layer, head = map(int, pair)
        if not (0 <= layer < num_layers and 0 <= head < num_heads):
            raise ValueError(f"there is no head {head} in layer {layer}")
        calls[layer, head] = calls.get((layer, head), 0) + 1
        return without[layer, head].clone()

    importance = head_importance(encode, num_layers, num_heads)
    often = {0: "never", 1: "once"}
    heads = [number for key, number in calls.items() if key is not None]
    each = max(heads, default=0) if len(heads) == num_layers * num_heads else 0
    return importance, (
        f"intact {often.get(calls.get(None, 0), 'several times')}, "
        f"{'each' if each else 'not every'} head {often.get(each, 'several times')}"
    )


EXERCISE = Exercise(
    name="head_importance",
    returns=("importance", "How often the model was run"),
    milestones={
        "without": "the embeddings with one head silenced",
        "cosine_similarity": "the similarities to the intact embeddings",
    },
    cases=(
        Case("several sentences", embeddings_to_compare),
        Case("a single sentence", lambda draw: embeddings_to_compare(draw, batch=1)),
    ),
    misconceptions=(
        Misconception(
            "returned the similarity itself",
            replace="1 - alike",
            by="alike",
            hint="Your largest numbers stand for the heads that matter least. Importance is how far the embedding "
            "moves: 1 − similarity.",
        ),
        Misconception(
            "compared along the batch instead of the features",
            replace="dim=-1",
            by="dim=0",
            hint="Each sentence's vector is to be compared with the same sentence's vector: along the last dimension.",
        ),
        Misconception(
            "measured the distance instead of the angle",
            replace="1 - alike.mean()",
            by="(intact - without).norm(dim=-1).mean()",
            hint="A distance depends on how long the vectors are. The cosine compares directions only.",
        ),
        Misconception(
            "took the mean squared difference",
            replace="1 - alike.mean()",
            by="nn.functional.mse_loss(without, intact)",
            hint="A difference depends on how long the vectors are. The cosine compares directions only.",
        ),
        Misconception(
            "compared all sentences as one long vector",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="nn.functional.cosine_similarity(intact.flatten(), without.flatten(), dim=0)",
            hint="Sentences with long vectors count more then. Compare sentence by sentence, and take the mean.",
        ),
        Misconception(
            "took the dot product for the cosine",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="(intact * without).sum(dim=-1)",
            hint="The dot product grows with the vectors' lengths. Divided by both lengths it is the cosine.",
        ),
        Misconception(
            "divided by the length of the silenced embedding alone",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="((intact * without).sum(dim=-1) / without.norm(dim=-1))",
            hint="What is left still grows with the length of the intact embedding. The cosine divides by both "
            "lengths.",
        ),
        Misconception(
            "divided by the length of the intact embedding alone",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="((intact * without).sum(dim=-1) / intact.norm(dim=-1))",
            hint="What is left still grows with the length of the silenced embedding. The cosine divides by both "
            "lengths.",
        ),
        Misconception(
            "looked at the first sentence only",
            replace=".mean()",
            by="[0]",
            hint="A head may matter for one sentence and not for another. Take the mean over the batch.",
        ),
        Misconception(
            "averaged the embeddings before comparing them",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="nn.functional.cosine_similarity(intact.mean(dim=0), without.mean(dim=0), dim=-1)",
            hint="In the mean of several sentences, changes cancel out. Compare sentence by sentence, and average "
            "what comes out.",
        ),
        Misconception(
            "added the similarities up",
            replace=".mean()",
            by=".sum()",
            hint="Your numbers depend on how many sentences there are. Take the mean over the batch.",
        ),
        Misconception(
            "took the sentence that suffers most",
            replace=".mean()",
            by=".min()",
            hint="One odd sentence decides everything then. Take the mean over the batch.",
        ),
        Misconception(
            "left out the first layer",
            replace="range(num_layers)",
            by="range(1, num_layers)",
            hint="Layers are numbered from 0. The first row of your answer has stayed as it was made.",
        ),
        Misconception(
            "left out the first head of each layer",
            replace="range(num_heads)",
            by="range(1, num_heads)",
            hint="Heads are numbered from 0. The first column of your answer has stayed as it was made.",
        ),
        Misconception(
            "compared each head with the one before it",
            replace="alike.mean()",
            by="alike.mean()\n            intact = without",
            hint="Each head is to be compared with the intact model. Is the intact embedding overwritten on the way?",
        ),
        Misconception(
            "computed the intact embedding again for each head",
            replace="cosine_similarity(intact,",
            by="cosine_similarity(encode(),",
            hint="The numbers are right, but the model runs twice as often as it must. Nothing about the intact model "
            "changes: one run before the loops is enough.",
        ),
        Misconception(
            "shared the importance out so that it sums to 1",
            replace="return importance",
            by="return importance / importance.sum()",
            hint="How far the embedding moves is the answer. Shared out, a model in which nothing matters looks like "
            "one in which everything does.",
        ),
        Misconception(
            "swapped layer and head in the pair",
            replace="silenced=(layer, head)",
            by="silenced=(head, layer)",
            hint="The pair says first which layer, then which head in it.",
            check="shapes",
        ),
        Misconception(
            "named the head alone, without its layer",
            replace="silenced=(layer, head)",
            by="silenced=head",
            hint="Each layer has a head of that number. Say which layer, then which head in it: a pair.",
            check="shapes",
        ),
        Misconception(
            "returned a row for each head",
            replace="return importance",
            by="return importance.T",
            hint="The result has a row for each layer and a column for each head.",
            check="shapes",
        ),
        Misconception(
            "returned lists instead of a tensor",
            replace="return importance",
            by="return importance.tolist()",
            hint="What you collected in lists becomes a tensor with torch.tensor(…).",
            check="shapes",
        ),
        Misconception(
            "kept a number for each sentence",
            replace="torch.zeros(num_layers, num_heads)",
            by="torch.zeros(num_layers, num_heads, len(intact))",
            hint="Return one number for each head: the mean over the batch.",
            check="shapes",
        ),
        Misconception(
            "counted layers and heads from 1",
            replace="silenced=(layer, head)",
            by="silenced=(layer + 1, head + 1)",
            hint="Counting starts at 0: the last layer is num_layers − 1, the last head num_heads − 1.",
            check="shapes",
        ),
        Misconception(
            "put the pair into a list",
            replace="silenced=(layer, head)",
            by="silenced=[(layer, head)]",
            hint="encode silences one head at a time, and takes its pair (layer, head) as it is.",
            check="shapes",
        ),
        Misconception(
            "filled the numbers in head by head and viewed them as if they lay layer by layer",
            replace="return importance",
            by="return importance.T.reshape(num_layers, num_heads)",
            hint="The loop outside is the one over heads, so the first numbers are head 0's in all layers. A view does "
            "not turn them round: let the loops run in the order of the result.",
        ),
        Misconception(
            "subtracted 1 from the similarity",
            replace="1 - alike.mean()",
            by="alike.mean() - 1",
            hint="Your numbers are all negative. Importance is 1 − similarity.",
        ),
        Misconception(
            "added up how far the sentences move",
            replace="1 - alike.mean()",
            by="(1 - alike).sum()",
            hint="Your numbers grow with the number of sentences. Take the mean over the batch.",
        ),
        Misconception(
            "compared every sentence with every sentence",
            replace="nn.functional.cosine_similarity(intact, without, dim=-1)",
            by="nn.functional.cosine_similarity(intact[:, None], without[None], dim=-1)",
            hint="Each sentence's vector is to be compared with the same sentence's vector, not with those of others: "
            "only the diagonal of your table counts.",
        ),
        Misconception(
            "took the angle instead of its cosine",
            replace="1 - alike.mean()",
            by="alike.clamp(-1, 1).acos().mean()",
            hint="The angle is another measure of the same. Importance is 1 − its cosine.",
        ),
        Misconception(
            "gave layer and head as two values, not as a pair",
            replace="encode(silenced=(layer, head))",
            by="encode(layer, head)",
            hint="encode takes one value: None, or a pair. Brackets around layer and head make a pair of them.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "lists and torch.tensor",
            """
def head_importance(encode, num_layers, num_heads):
    intact = encode()
    rows = []
    for layer in range(num_layers):
        row = []
        for head in range(num_heads):
            similarity = torch.cosine_similarity(intact, encode((layer, head)))
            row.append(1 - similarity.mean().item())
        rows.append(row)
    return torch.tensor(rows)
""",
        ),
        Alternative(
            "all embeddings first, one comparison",
            """
def head_importance(encode, num_layers, num_heads):
    intact = encode(silenced=None)
    without = torch.stack(
        [encode(silenced=(layer, head)) for layer in range(num_layers) for head in range(num_heads)]
    )
    # (batch, d), (layers * heads, batch, d) -> (layers * heads, batch)
    cosine = nn.functional.cosine_similarity(intact[None], without, dim=-1)
    return (1 - cosine).mean(dim=-1).view(num_layers, num_heads)
""",
        ),
        Alternative(
            "unit vectors and dot products",
            """
def head_importance(encode, num_layers, num_heads):
    unit = lambda vectors: vectors / vectors.norm(dim=-1, keepdim=True)
    intact = unit(encode())
    importance = torch.empty(num_layers, num_heads)
    for place in range(num_layers * num_heads):
        layer, head = divmod(place, num_heads)
        importance[layer, head] = (1 - (intact * unit(encode(silenced=[layer, head]))).sum(-1)).mean()
    return importance
""",
        ),
    ),
    forbids=FORBIDS,
    probe=asks,
    gradients=False,
)
