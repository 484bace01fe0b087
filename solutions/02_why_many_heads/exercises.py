"""What is known of the exercises of chapter 2: their cases, the mistakes learners make, other right solutions.

Read by `autograder`, in lesson order, through `EXERCISES`. The reference solutions stand in `lesson.py`.
"""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, multiple_choice

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small


# answer_parameters

ANSWER_PARAMETERS = multiple_choice(
    "answer_parameters",
    right="b",
    wrong={
        "a": (
            "counted the matrices and not how wide each of them is",
            "There are four times as many matrices, that is right. Now count the columns of one of them: d_head "
            "is not what it was.",
        ),
        "c": (
            "counted the columns of one matrix and not how many matrices there are",
            "Each matrix is that narrow, that is right. But each head has its own. Count them all.",
        ),
        "d": (
            "thought of what puts the outputs together, which costs nothing here",
            "The outputs are laid side by side: nothing is learned there. Count the numbers in w_q, w_k and w_v, for "
            "one head and for four, or look at what the cell above has printed.",
        ),
    },
)


# compare_head_counts


def compare_with_a_spy(target, head_counts, key):
    """Report what came back, in which order models were trained, and how often each of them.

    What a model reaches is worked out when it is trained: before, no accuracy is there to be found.
    """
    from manyheads import pretend

    asked_for, trainings = tuple(head_counts), {}

    def train(num_heads):
        if not isinstance(num_heads, int):
            raise TypeError(f"train takes one number of heads, such as 4, and it was given {num_heads!r}")
        if num_heads not in asked_for:
            raise ValueError(f"train was given {num_heads}, which is not among the head_counts")
        trainings[num_heads] = trainings.get(num_heads, 0) + 1
        return round(pretend.number(key, num_heads), 3)

    result = target(train, head_counts)
    return result, list(trainings), trainings


def counts_to_compare(draw: Draw, how_many: int) -> Call:
    """`how_many` numbers of heads in no order, and a key that says what a model with each of them reaches."""
    counts = draw.sizes(" ".join("abcd"[:how_many]), low=1, high=16)
    while counts == sorted(counts) and how_many > 1:
        counts = counts[::-1]
    return Call({"head_counts": counts, "key": draw.integer(1, 10**6)})


COMPARE_HEAD_COUNTS = Exercise(
    name="compare_head_counts",
    returns=("The result", "The order of trainings", "The number of trainings"),
    probe=compare_with_a_spy,
    cases=(
        Case("four models, not in order", lambda draw: counts_to_compare(draw, 4)),
        Case("a single model", lambda draw: counts_to_compare(draw, 1)),
        Case("three models, not in order", lambda draw: counts_to_compare(draw, 3)),
    ),
    misconceptions=(
        Misconception(
            "returned the accuracies without saying whose they are",
            replace="{num_heads: train(num_heads) for num_heads in head_counts}",
            by="[train(num_heads) for num_heads in head_counts]",
            hint="The numbers are right, but nobody can tell which model reached which. A dict keeps each number "
            "under its number of heads.",
            check="shapes",
        ),
        Misconception(
            "numbered the models 0, 1, 2 and so on",
            replace="{num_heads: train(num_heads) for num_heads in head_counts}",
            by="{place: train(num_heads) for place, num_heads in enumerate(head_counts)}",
            hint="The keys say where a model stands in the list. They should say how many heads it has.",
            check="shapes",
        ),
        Misconception(
            "swapped keys and values",
            replace="num_heads: train(num_heads)",
            by="train(num_heads): num_heads",
            hint="One looks a dict up by its keys, and what one knows here is the number of heads.",
            check="shapes",
        ),
        Misconception(
            "used words as keys",
            replace="{num_heads: ",
            by='{f"{num_heads} heads": ',
            hint="The keys should be the numbers themselves, so that one can look up 4 and compute with it.",
            check="shapes",
        ),
        Misconception(
            "stored the function instead of calling it",
            replace=": train(num_heads)",
            by=": train",
            hint="No model was trained: the dict holds the recipe, not the result. A function does something only when "
            "it is called.",
            check="shapes",
        ),
        Misconception(
            "trained each model twice",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="for num_heads in head_counts:\n        train(num_heads)\n"
            "    return {num_heads: train(num_heads) for num_heads in head_counts}",
            hint="Training takes seconds here and weeks elsewhere. Train once, keep the number, and use that.",
        ),
        Misconception(
            "stopped after the first model",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="for num_heads in head_counts:\n        return {num_heads: train(num_heads)}",
            hint="Only one model was trained. (Does your return stand inside the loop? It ends the function at once, "
            "in the first round. Collect first, return at the end.)",
            check="shapes",
        ),
        Misconception(
            "kept only the last model",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="for num_heads in head_counts:\n        accuracies = {num_heads: train(num_heads)}\n"
            "    return accuracies",
            hint="All models were trained, and all accuracies but one are gone. Make one dict before the loop, and "
            "add to it in each round.",
            check="shapes",
        ),
        Misconception(
            "gave train the whole list",
            replace=": train(num_heads)",
            by=": train(head_counts)",
            hint="One call trains one model. Go through the list and call train for each number in it.",
            check="shapes",
        ),
        Misconception(
            "gave train the same number every time",
            replace=": train(num_heads)",
            by=": train(head_counts[0])",
            hint="You have compared a model with itself. The number must change from call to call.",
            check="shapes",
        ),
        Misconception(
            "put the numbers in order first",
            replace="for num_heads in head_counts",
            by="for num_heads in sorted(head_counts)",
            hint="The models are all there, but not trained in the order that was asked for. Whoever watches them "
            "train expects that order. (list.sort() would even change the caller's list.)",
        ),
        Misconception(
            "returned percentages",
            replace=": train(num_heads)",
            by=": 100 * train(num_heads)",
            hint="Hand on what train returned as it is. How it is shown is for those to decide who show it.",
        ),
        Misconception(
            "returned only the best",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="return max(train(num_heads) for num_heads in head_counts)",
            hint="To compare, one needs them all, each with its number of heads.",
            check="shapes",
        ),
        Misconception(
            "numbered the models 1, 2, 3 and so on",
            replace="{num_heads: train(num_heads) for num_heads in head_counts}",
            by="{place: train(num_heads) for place, num_heads in enumerate(head_counts, 1)}",
            hint="The keys say where a model stands in the list. They should say how many heads it has.",
            check="shapes",
        ),
        Misconception(
            "went through the lesson's own numbers of heads instead of those that are given",
            replace="for num_heads in head_counts",
            by="for num_heads in (1, 2, 3, 4)",
            hint="The caller says in head_counts which models to train, and it may be any list. A list that the "
            "notebook defined further up is another one.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "a loop",
            """
def compare_head_counts(train, head_counts):
    accuracies = {}
    for num_heads in head_counts:
        accuracies[num_heads] = train(num_heads)
    return accuracies
""",
        ),
        Alternative(
            "dict and zip",
            """
def compare_head_counts(train, head_counts):
    accuracies = [train(num_heads=count) for count in head_counts]
    return dict(zip(head_counts, accuracies))
""",
        ),
        Alternative(
            "map",
            """
def compare_head_counts(train, head_counts):
    return dict(map(lambda num_heads: (num_heads, train(num_heads)), head_counts))
""",
        ),
    ),
)


# answer_false_claim

ANSWER_FALSE_CLAIM = multiple_choice(
    "answer_false_claim",
    right="c",
    wrong={
        "a": (
            "took a claim for false that you have measured",
            "Look at section 2 again: cat, sat and on asked one question each, and one head answered all three.",
        ),
        "b": (
            "forgot what an average does with two answers",
            "Look at the wrong answers of section 4 again: the model had both nouns in one average, and could not say "
            "which one was which.",
        ),
        "d": (
            "took a wrong answer for an answer without any truth in it",
            "Look at the wrong answers of section 4 again. How often was the wrong noun the other noun of the same "
            "sentence?",
        ),
    },
)


# attention_entropy


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

ATTENTION_ENTROPY = Exercise(
    name="attention_entropy",
    returns=("entropy",),
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
            "sum. (You do fill them? Then keep the result: it is a new tensor.)",
        ),
        Misconception(
            "blanked the NaN only after the sum",
            replace=f"{SUM}",
            by="return -(weights * weights.log()).sum(dim=-1).nan_to_num(0.0)",
            hint="One NaN has spoiled its whole row by then, so each row with a 0 in it comes out as 0. Mend the "
            "single terms, before they are added up.",
        ),
        Misconception(
            "forgot the minus sign",
            replace="return -(weights",
            by="return (weights",
            hint="Your entropies are negative. The logarithm of a number between 0 and 1 is negative, and the minus in "
            "front of the sum turns that round.",
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
            hint="One number for each word that looks is wanted, since some look sharply and others do not. The "
            "shape to return is (batch, heads, seq_q).",
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
            hint="A last dimension of 1 is left over. There is one number for each query: (batch, heads, seq_q).",
            check="shapes",
        ),
        Misconception(
            "counted words instead of nats",
            replace=SUM,
            by="return (-(weights * logarithms).sum(dim=-1)).exp()",
            hint="exp(entropy) is the number of words a head looks at. What is asked for is the entropy itself.",
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
            hint="These are weights already: their rows sum to 1. Softmax takes scores, and makes weights that are "
            "nearly all alike of other weights.",
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
            "takes all weights in.",
        ),
        Misconception(
            "changed the caller's weights in place",
            replace="weights.log().masked_fill(weights == 0, 0.0)",
            by="weights.masked_fill_(weights == 0, 1.0).log()\n    weights = weights.masked_fill(weights == 1, 0.0)",
            hint="x[…] = … and methods that end in an underscore change the tensor itself: whoever called you now "
            "holds weights of 1 where there were 0. Make a new tensor.",
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
            hint="Categorical wants rows that sum to 1. A word that may look at nothing has a row of zeros, and its "
            "entropy is 0.",
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


# head_specialisation


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

HEAD_SPECIALISATION = Exercise(
    name="head_specialisation",
    returns=("specialisation",),
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
            "row 3 of the indices and no other: let an index tensor stand in the first place too.",
        ),
        Misconception(
            "used the indices of the first sentence for all",
            replace="query_index, target_index]",
            by="query_index[:1], target_index[:1]]",
            hint="The words stand in other positions in each sentence. Every sentence has indices of its own.",
        ),
        Misconception(
            "returned relations by heads",
            replace=".T",
            by="",
            hint="The numbers are there and the table lies on its side: a row for each head is wanted, a column for "
            "each relation.",
            check="shapes",
        ),
        Misconception(
            "kept the sentences apart",
            replace=MEAN,
            by="return picked.transpose(1, 2)",
            hint="There is a table for each sentence. What is wanted is their mean, over the batch.",
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
            "took the largest weight of all sentences",
            replace="mean(dim=0)",
            by="amax(dim=0)",
            hint="One sentence in which the head looks at the target is enough for a large number then. The mean says "
            "what it does as a rule.",
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
            hint="That is a fine thing to know, but what is asked for is the mean of the weight itself.",
        ),
        Misconception(
            "averaged over all words that look, not only the one that asks",
            replace=PICKED,
            by="weights.movedim(1, -1).mean(dim=1)[sentence, target_index]",
            hint="Only one row of each relation counts: that of the word which asks.",
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
            replace="return picked.mean(dim=0).T",
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
            hint="The three indices must fit together, and query_index is (batch, relations). Numbers of sentences "
            "that are (batch,) are lined up with the relations; they need a second dimension of 1.",
            check="shapes",
        ),
        Misconception(
            "divided each head's row by its sum",
            replace="return picked.mean(dim=0).T",
            by="picked = picked.mean(dim=0).T\n    return picked / picked.sum(dim=1, keepdim=True)",
            hint="A head that looks at none of these words now seems to look at all of them. Leave the means as they "
            "are.",
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


# answer_benefit

ANSWER_BENEFIT = multiple_choice(
    "answer_benefit",
    right="d",
    wrong={
        "a": (
            "took more heads for more parameters",
            "You have counted them: all four models have the same number. So the gain must come from elsewhere.",
        ),
        "b": (
            "took one row of weights for one word",
            "A row of weights may be spread over several words, and you saw one head do so. What was lost was "
            "something else.",
        ),
        "c": (
            "took narrow heads for less work",
            "The heads are narrower and there are more of them, so the matrix products are as large together. And "
            "what you measured was how many answers are right.",
        ),
    },
)


EXERCISES = [
    ANSWER_PARAMETERS,
    COMPARE_HEAD_COUNTS,
    ANSWER_FALSE_CLAIM,
    ATTENTION_ENTROPY,
    HEAD_SPECIALISATION,
    ANSWER_BENEFIT,
]
