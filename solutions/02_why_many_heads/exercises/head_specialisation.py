"""`head_specialisation`: measures how much each head looks at the word that a relation asks for."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import LARGEST


def specialisation_call(draw: Draw, weights: torch.Tensor, relations: int) -> Call:
    """Indices below both sequence lengths, so that swapping them gives numbers and no error."""
    batch, _, seq_q, seq_k = weights.shape
    last = min(seq_q, seq_k) - 1
    pairs = [[(draw.integer(0, last), draw.integer(0, last)) for _ in range(relations)] for _ in range(batch)]
    indices = torch.tensor(pairs)
    query_index, target_index = indices[..., 0].clone(), indices[..., 1].clone()
    target_index[0, 0] = (query_index[0, 0] + 1) % (last + 1)  # one pair at least is of two words
    return Call({"weights": weights, "query_index": query_index, "target_index": target_index})


def self_attention_to_search(draw: Draw) -> Call:
    batch, heads, seq, relations = draw.sizes("batch num_heads seq relations", high=LARGEST)
    weights = draw.normal(batch, heads, seq, seq, scale=1.5).softmax(dim=-1)
    return specialisation_call(draw, weights, relations)


def more_keys_to_search(draw: Draw) -> Call:
    batch, heads, seq_q, seq_k, relations = draw.sizes("batch num_heads seq_q seq_k relations", high=LARGEST)
    weights = draw.normal(batch, heads, seq_q, seq_k, scale=1.5).softmax(dim=-1)
    return specialisation_call(draw, weights, relations)


def one_relation_to_search(draw: Draw) -> Call:
    batch, heads, seq = draw.sizes("batch num_heads seq", high=LARGEST)
    weights = draw.normal(batch, heads, seq, seq, scale=1.5).softmax(dim=-1)
    return specialisation_call(draw, weights, relations=1)


PICKED = "weights.movedim(1, -1)[sentence, query_index, target_index]"
MEAN = "return picked.mean(dim=0).T"

EXERCISE = Exercise(
    name="head_specialisation",
    returns=("specialisation",),
    milestones={
        "picked": "the weights on the targets, for each head",
    },
    optional_milestones=("picked",),
    cases=(
        Case("words that attend to each other", self_attention_to_search),
        Case("more or fewer keys than queries", more_keys_to_search),
        Case("a single relation", one_relation_to_search),
    ),
    misconceptions=(
        Misconception(
            "swapped who looks and who is looked at",
            shown_by=("no transpose|swapaxes|swapdims|permute",),
            replace="query_index, target_index]",
            by="target_index, query_index]",
            hint="That is how much the target looks at the asker. The row belongs to the word that asks, the column "
            "to the word that is looked at.",
        ),
        Misconception(
            "paired every sentence with the indices of all the others",
            replace="[sentence, query_index, target_index]",
            by="[:, query_index, target_index].mean(dim=1)",
            hint="A colon in front of index tensors means all sentences, for each pair of indices. Sentence 3 needs "
            "row 3 of the indices and no other: use an index tensor in the first place too.",
        ),
        Misconception(
            "used the indices of the first sentence for all",
            replace="query_index, target_index]",
            by="query_index[:1], target_index[:1]]",
            hint="The words are in other positions in each sentence. Every sentence has indices of its own.",
        ),
        Misconception(
            "returned relations by heads",
            replace=".T",
            by="",
            hint="The numbers are right and the table is transposed: return a row for each head and a column for "
            "each relation.",
            check="shapes",
        ),
        Misconception(
            "kept the sentences apart",
            replace=MEAN,
            by="return picked.transpose(1, 2)",
            hint="There is a table for each sentence. Return their mean, over the batch.",
            check="shapes",
        ),
        Misconception(
            "averaged over the heads as well",
            replace=MEAN,
            by="return picked.mean(dim=(0, 2))",
            hint="The heads are what you want to compare: keep them apart, and average over the sentences only.",
            check="shapes",
        ),
        Misconception(
            "averaged over the relations instead of the sentences",
            replace=MEAN,
            by="return picked.mean(dim=1).T",
            hint="Each relation has a column of its own. The mean runs over the batch.",
            check="shapes",
        ),
        Misconception(
            "added up over the sentences",
            replace="mean(dim=0)",
            by="sum(dim=0)",
            hint="Your numbers grow with the number of sentences. A mean does not.",
        ),
        Misconception(
            "kept the last sentence's weights only",
            replace="picked.mean(dim=0)",
            by="picked[-1]",
            hint="Each sentence overwrites the one before it. A mean needs all of them: add up, and divide at the end.",
        ),
        Misconception(
            "kept the first sentence's weights only",
            replace="picked.mean(dim=0)",
            by="picked[0]",
            hint="One sentence says little about a head. Take the mean over all of them.",
        ),
        Misconception(
            "divided by the number of heads instead of the number of sentences",
            replace="picked.mean(dim=0).T",
            by="picked.sum(dim=0).T / weights.shape[1]",
            hint="What you add up are the sentences, so their number is what you divide by.",
        ),
        Misconception(
            "took the largest weight of all sentences",
            replace="mean(dim=0)",
            by="amax(dim=0)",
            hint="One sentence in which the head looks at the target is enough for a large number then. The mean "
            "says what it usually does.",
        ),
        Misconception(
            "took the largest weight of the row, whichever word has it",
            replace=PICKED,
            by="weights.movedim(1, -1).amax(dim=2)[sentence, query_index]",
            hint="That says how sharply the head looks, not whether it looks at the target. Pick the target's column.",
        ),
        Misconception(
            "counted how often the target has the largest weight",
            replace=PICKED,
            by="(weights.movedim(1, -1)[sentence, query_index].argmax(dim=2) == target_index.unsqueeze(-1))"
            ".to(weights.dtype)",
            hint="That is worth knowing, but return the mean of the weight itself.",
        ),
        Misconception(
            "averaged over all words that look, not only the one that asks",
            replace=PICKED,
            by="weights.movedim(1, -1).mean(dim=1)[sentence, target_index]",
            hint="Only one row of each relation counts: that of the word that asks.",
        ),
        Misconception(
            "measured how much the asking word looks at itself",
            replace="query_index, target_index]",
            by="query_index, query_index]",
            hint="Row and column are the same word here. The column is the target's.",
        ),
        Misconception(
            "scaled each relation so that the heads share out 1",
            replace=PICKED,
            by=f"{PICKED}\n    picked = picked / picked.sum(dim=-1, keepdim=True)",
            hint="A head that gives a relation 0.02 now seems strong, if the others give it 0.01. Leave the weights "
            "as they are.",
        ),
        Misconception(
            "averaged over the heads instead of the sentences",
            replace=MEAN,
            by="return picked.mean(dim=-1)",
            hint="The heads are what you want to compare: keep them apart. The mean runs over the batch.",
            check="shapes",
        ),
        Misconception(
            "swapped the heads with the keys instead of moving the heads to the end",
            replace="weights.movedim(1, -1)",
            by="weights.transpose(1, -1)",
            hint="After that the order is (batch, seq_k, seq_q, heads): queries and keys have changed places as well, "
            "and you measure how much the target looks at the asker. Only the heads should move.",
            shown_by=("transpose|swapaxes|swapdims|permute",),
        ),
        Misconception(
            "numbered the sentences in a row instead of a column",
            replace=".unsqueeze(1)",
            by="",
            hint="The three indices must fit together, and query_index is (batch, relations). Sentence numbers of "
            "shape (batch,) are lined up with the relations; they need a second dimension of 1.",
            check="shapes",
        ),
        Misconception(
            "divided each head's row by its sum",
            replace=MEAN,
            by="picked = picked.mean(dim=0).T\n    return picked / picked.sum(dim=1, keepdim=True)",
            hint="A head that looks at none of these words now seems to look at all of them. Leave the means as they "
            "are.",
        ),
        Misconception(
            "reshaped the table instead of transposing it",
            replace=MEAN,
            by="return picked.mean(dim=0).reshape(weights.shape[1], -1)",
            hint="The shape is right and the numbers are in the wrong places: reshaping reads them in the old order, "
            "relation by relation. The two dimensions must be swapped.",
        ),
        Misconception(
            "scaled each column of the table so that the heads share out 1",
            replace=MEAN,
            by="table = picked.mean(dim=0).T\n    return table / table.sum(dim=0)",
            hint="A head that gives a relation 0.02 now seems strong, if the others give it 0.01. Leave the means as "
            "they are.",
        ),
        Misconception(
            "added up over the targets of all relations",
            replace=PICKED,
            by="weights.movedim(1, -1)[torch.arange(len(weights))[:, None, None], query_index.unsqueeze(2), "
            "target_index.unsqueeze(1)].sum(dim=2)",
            hint="Each asking word is paired with the targets of all relations. A relation has one target: the two "
            "indices go together, entry by entry.",
        ),
        Misconception(
            "averaged over the targets of all relations",
            replace=PICKED,
            by="weights.movedim(1, -1)[torch.arange(len(weights))[:, None, None], query_index.unsqueeze(2), "
            "target_index.unsqueeze(1)].mean(dim=2)",
            hint="Each asking word is paired with the targets of all relations. A relation has one target: the two "
            "indices go together, entry by entry.",
        ),
        Misconception(
            "divided by the number of relations instead of the number of sentences",
            replace="picked.mean(dim=0).T",
            by="picked.sum(dim=0).T / query_index.shape[1]",
            hint="What you add up are the sentences, so their number is what you divide by.",
        ),
        Misconception(
            "applied softmax to the weights",
            replace="weights.movedim(1, -1)",
            by="weights.softmax(dim=-1).movedim(1, -1)",
            hint="These are weights already: their rows sum to 1. Softmax takes scores, and makes other weights nearly "
            "all alike.",
        ),
    ),
    alternatives=(
        Alternative(
            "relation by relation",
            """
def head_specialisation(weights, query_index, target_index):
    each = torch.arange(weights.shape[0])
    columns = []
    for relation in range(query_index.shape[1]):
        # (batch, heads)
        picked = weights[each, :, query_index[:, relation], target_index[:, relation]]
        columns.append(picked.mean(dim=0))
    return torch.stack(columns, dim=1)
""",
        ),
        Alternative(
            "gather twice",
            """
def head_specialisation(weights, query_index, target_index):
    batch, heads, seq_q, seq_k = weights.shape
    relations = query_index.shape[1]
    rows = weights.gather(2, query_index[:, None, :, None].expand(batch, heads, relations, seq_k))
    picked = rows.gather(3, target_index[:, None, :, None].expand(batch, heads, relations, 1))
    return picked.squeeze(-1).mean(dim=0)
""",
        ),
        Alternative(
            "three loops",
            """
def head_specialisation(weights, query_index, target_index):
    batch, heads = weights.shape[:2]
    relations = query_index.shape[1]
    total = torch.zeros(heads, relations, dtype=weights.dtype)
    for b in range(batch):
        for h in range(heads):
            for r in range(relations):
                total[h, r] += weights[b, h, query_index[b, r], target_index[b, r]]
    return total / batch
""",
        ),
        Alternative(
            "two loops that fill a table of zeros, of torch's default dtype",
            """
def head_specialisation(weights, query_index, target_index):
    each = torch.arange(len(weights))
    table = torch.zeros(weights.shape[1], query_index.shape[1])
    for head in range(weights.shape[1]):
        for relation in range(query_index.shape[1]):
            picked = weights[each, head, query_index[:, relation], target_index[:, relation]]
            table[head, relation] = picked.mean()
    return table
""",
        ),
        Alternative(
            "a slice between the indices",
            """
def head_specialisation(weights, query_index, target_index):
    sentence = torch.arange(len(weights))[:, None]
    # the indices stand apart, so their dimensions come first: (batch, relations, heads)
    return weights[sentence, :, query_index, target_index].mean(dim=0).transpose(0, 1)
""",
        ),
    ),
    gradients=False,
)
