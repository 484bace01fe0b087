"""`mix_ups`: counts in which ways two answers are right, or taken for each other."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

# who and where of each kind of sentence, by what is right: 0 the subject, 1 the place, 2 and 3 other words
_KINDS = ((0, 1), (1, 0), (0, 0), (0, 2), (2, 1), (2, 3), (1, 3), (2, 2), (1, 1))


def _call(draw: Draw, how_often: list[int]) -> Call:
    """So many sentences of each of `_KINDS`, in a random order; no word is twice among the four of a sentence."""
    said: list[list[int]] = []
    right: list[list[int]] = []
    for kind, count in zip(_KINDS, how_often, strict=True):
        for _ in range(count):
            words = [10 * place + draw.integer(0, 9) for place in range(4)]
            said.append([words[one] for one in kind])
            right.append(words[:2])
    # The first and the last are of kinds that count: a loop that leaves one of them out is to be told by its answer.
    middle = draw.normal(max(len(said) - 2, 0)).argsort() + 1
    order = torch.cat([torch.arange(len(said))[:1], middle, torch.arange(1, len(said))[-1:]])
    return Call({"said": torch.tensor(said)[order], "answers": torch.tensor(right)[order]})


def all_kinds(draw: Draw) -> Call:
    first = draw.integer(3, 4)
    return _call(draw, [first, first + 2, first + 6, 2, 1, 1, 3, 2, first + 3])


def nothing_right(draw: Draw) -> Call:
    return _call(draw, [0, draw.integer(3, 5), 0, 0, 0, 1, 1, 0, 2])


def one_sentence(draw: Draw) -> Call:
    return _call(draw, [0, 0, 1, 0, 0, 0, 0, 0, 0])


_MEAN = "return torch.stack(ways).float().mean(dim=1)"

EXERCISE = Exercise(
    name="mix_ups",
    returns=("the result",),
    cases=(
        Case("answers of all kinds", all_kinds),
        Case("answers of which none is right", nothing_right),
        Case("a single sentence", one_sentence),
    ),
    misconceptions=(
        Misconception(
            "counted sentences and did not divide",
            replace=".mean(dim=1)",
            by=".sum(dim=1)",
            hint="A share is the number of such sentences, divided by that of all sentences.",
        ),
        Misconception(
            "took one right answer for both",
            replace="(who == is_who) & (where == is_where)",
            by="(who == is_who) | (where == is_where)",
            hint="The first share is of sentences with two right answers: one AND the other.",
        ),
        Misconception(
            "looked only at the answer to who",
            replace="(who == is_who) & (where == is_where)",
            by="who == is_who",
            hint="A sentence counts only if both answers are as they should be. Ask about “where?” as well.",
        ),
        Misconception(
            "took everything that is not right for mixed up",
            replace="(who == is_where) & (where == is_who)",
            by="~((who == is_who) & (where == is_where))",
            hint="There are more ways to be wrong: the same noun twice, or a third word. Mixed up means that each "
            "question got the other's answer.",
        ),
        Misconception(
            "counted a sentence as mixed up as soon as one answer is the other's",
            replace="(who == is_where) & (where == is_who)",
            by="(who == is_where) | (where == is_who)",
            hint="Each of the two questions must have got the other's answer. If only one has, the same noun may have "
            "been said twice.",
        ),
        Misconception(
            "took any noun that was said twice for the subject",
            replace="(who == is_who) & (where == is_who)",
            by="who == where",
            hint="The two answers are the same, but which noun is it? Compare them with the right answers.",
        ),
        Misconception(
            "looked at only one answer where a noun was said twice",
            replace="""(who == is_who) & (where == is_who),  # the subject twice
        (who == is_where) & (where == is_where),  # the place twice""",
            by="""who == is_who,
        where == is_where,""",
            hint="Your last two shares count sentences with a right answer, the first kind among them. The subject was "
            "said twice where both answers are the subject.",
        ),
        Misconception(
            "swapped the last two shares",
            replace="""(who == is_who) & (where == is_who),  # the subject twice
        (who == is_where) & (where == is_where),  # the place twice""",
            by="""(who == is_where) & (where == is_where),  # the place twice
        (who == is_who) & (where == is_who),  # the subject twice""",
            hint="The third share is of the subject said twice, the fourth of the place.",
        ),
        Misconception(
            "swapped the first two shares",
            replace="""(who == is_who) & (where == is_where),  # both right
        (who == is_where) & (where == is_who),  # mixed up""",
            by="""(who == is_where) & (where == is_who),  # mixed up
        (who == is_who) & (where == is_where),  # both right""",
            hint="The first share is of sentences with two right answers, the second of those with both mixed up. (Or "
            "are the two columns of said swapped? First comes the answer to “who?”, then that to “where?”.)",
        ),
        Misconception(
            "divided by the sentences with a wrong answer, not by all",
            replace=_MEAN,
            by="counts = torch.stack(ways).float().sum(dim=1)\n    return counts / (said != answers).any(dim=1).sum()",
            hint="All four are shares of ALL sentences, so that they can be compared with each other.",
        ),
        Misconception(
            "divided by the sum of the four",
            replace=_MEAN,
            by="counts = torch.stack(ways).float().sum(dim=1)\n    return counts / counts.sum()",
            hint="Your shares sum to 1. Where a third word was said, none of the four ways applies, and the sentence "
            "still counts among all.",
        ),
        Misconception(
            "returned percentages",
            replace=_MEAN,
            by="return 100 * torch.stack(ways).float().mean(dim=1)",
            hint="A share lies between 0 and 1. How to show it is up to the caller.",
        ),
        Misconception(
            "took any wrong answer for the other noun",
            replace="""(who == is_where) & (where == is_who),  # mixed up
        (who == is_who) & (where == is_who),  # the subject twice
        (who == is_where) & (where == is_where),  # the place twice""",
            by="""(who != is_who) & (where != is_where),
        (who == is_who) & (where != is_where),
        (who != is_who) & (where == is_where),""",
            hint="An answer that is not right may also be a third word. Ask whether it is the other noun.",
        ),
        Misconception(
            "took the first two sentences for the two questions",
            replace="who, where = said.T\n    is_who, is_where = answers.T",
            by="who, where = said[0], said[1]\n    is_who, is_where = answers[0], answers[1]",
            hint="said[0] is a sentence, with its two answers. What was said to “who?” in all sentences is a column: "
            "said[:, 0].",
            check="shapes",
        ),
        Misconception(
            "averaged over the four ways instead of the sentences",
            replace=".mean(dim=1)",
            by=".mean(dim=0)",
            hint="That is one number a sentence. The mean runs over the sentences, and leaves one number for each way.",
            check="shapes",
        ),
        Misconception(
            "averaged over everything",
            replace=".mean(dim=1)",
            by=".mean()",
            hint="One number is left of all four ways. Return a share for each of them.",
            check="shapes",
        ),
        Misconception(
            "returned a list of numbers",
            replace=_MEAN,
            by="return torch.stack(ways).float().mean(dim=1).tolist()",
            hint="The numbers may be right. Return them as one tensor of the shape (4).",
            check="shapes",
        ),
        Misconception(
            "returned a yes or no for each sentence",
            replace=_MEAN,
            by="return torch.stack(ways)",
            hint="That says for each sentence which way it went. Return the share of sentences for each way.",
            check="shapes",
        ),
        Misconception(
            "swapped the two columns of the right answers",
            replace="is_who, is_where = answers.T",
            by="is_where, is_who = answers.T",
            hint="The right answer to “who?” comes first, the subject, and then that to “where?”, the place.",
        ),
        Misconception(
            "swapped the second and the third share",
            replace="(who == is_where) & (where == is_who),  # mixed up\n"
            "        (who == is_who) & (where == is_who),  # the subject twice",
            by="(who == is_who) & (where == is_who),  # the subject twice\n"
            "        (who == is_where) & (where == is_who),  # mixed up",
            hint="The second share is of those with both mixed up, the third of the subject said twice.",
        ),
        Misconception(
            "put the share of those mixed up last",
            replace="(who == is_where) & (where == is_who),  # mixed up\n"
            "        (who == is_who) & (where == is_who),  # the subject twice\n"
            "        (who == is_where) & (where == is_where),  # the place twice",
            by="(who == is_who) & (where == is_who),  # the subject twice\n"
            "        (who == is_where) & (where == is_where),  # the place twice\n"
            "        (who == is_where) & (where == is_who),  # mixed up",
            hint="The order is: both right, mixed up, the subject twice, the place twice.",
        ),
        Misconception(
            "counted two right answers again for the third share",
            replace="(who == is_who) & (where == is_who),  # the subject twice",
            by="(who == is_who) & (where == is_where),  # both right",
            hint="That is another of the four ways. Where the subject was said twice, both answers are the subject.",
        ),
        Misconception(
            "counted two right answers again for the fourth share",
            replace="(who == is_where) & (where == is_where),  # the place twice",
            by="(who == is_who) & (where == is_where),  # both right",
            hint="That is another of the four ways. Where the place was said twice, both answers are the place.",
        ),
        Misconception(
            "counted those mixed up again for the third share",
            replace="(who == is_who) & (where == is_who),  # the subject twice",
            by="(who == is_where) & (where == is_who),  # mixed up",
            hint="That is another of the four ways. Where the subject was said twice, both answers are the subject.",
        ),
        Misconception(
            "counted those mixed up again for the fourth share",
            replace="(who == is_where) & (where == is_where),  # the place twice",
            by="(who == is_where) & (where == is_who),  # mixed up",
            hint="That is another of the four ways. Where the place was said twice, both answers are the place.",
        ),
        Misconception(
            "counted the subject said twice for the fourth share, too",
            replace="(who == is_where) & (where == is_where),  # the place twice",
            by="(who == is_who) & (where == is_who),  # the subject twice",
            hint="That is another of the four ways. Where the place was said twice, both answers are the place.",
        ),
        Misconception(
            "took any noun that was said twice for the place",
            replace="(who == is_where) & (where == is_where)",
            by="who == where",
            hint="The two answers are the same, but which noun is it? Compare them with the right answers.",
        ),
        Misconception(
            "looked only at the answer to who for those mixed up",
            replace="(who == is_where) & (where == is_who)",
            by="who == is_where",
            hint="Where “who?” got the place, “where?” may have got it as well, or a third word. Mixed up means that "
            "each question got the other's answer.",
        ),
        Misconception(
            "left out the first sentence and divided by all",
            replace=_MEAN,
            by="return torch.stack(ways)[:, 1:].float().sum(dim=1) / len(said)",
            hint="One sentence is missing, the first. (Places are counted from 0.)",
        ),
        Misconception(
            "left out the last sentence and divided by all",
            replace=_MEAN,
            by="return torch.stack(ways)[:, :-1].float().sum(dim=1) / len(said)",
            hint="One sentence is missing, the last. (range(n) ends with n − 1 by itself.)",
        ),
        Misconception(
            "took two wrong answers for mixed up",
            replace="(who == is_where) & (where == is_who)",
            by="(who != is_who) & (where != is_where)",
            hint="Both may be wrong without being mixed up, where a third word was said. Ask whether each question got "
            "the other's answer.",
        ),
        Misconception(
            "divided by the number of answers instead of sentences",
            replace=_MEAN,
            by="return torch.stack(ways).float().sum(dim=1) / said.numel()",
            hint="A sentence has two answers and counts once: your shares are half as large as they should be.",
        ),
        Misconception(
            "counted sentences, in whole numbers, and did not divide",
            replace=_MEAN,
            by="return torch.stack(ways).sum(dim=1)",
            hint="A share is the number of such sentences, divided by that of all sentences.",
            check="shapes",
        ),
        Misconception(
            "counted single answers instead of sentences for the first two shares",
            replace=_MEAN,
            by="shares = torch.stack(ways).float().mean(dim=1)\n"
            "    shares[0] = (said == answers).float().mean()\n"
            "    shares[1] = (said == answers.flip(1)).float().mean()\n"
            "    return shares",
            hint="A sentence with one right answer counts as half a sentence in yours. It counts only where both "
            "answers are as they should be.",
        ),
        Misconception(
            "took every sentence that is none of the first three for the place twice",
            replace="(who == is_where) & (where == is_where),  # the place twice",
            by="""~(
            ((who == is_who) & (where == is_where))
            | ((who == is_where) & (where == is_who))
            | ((who == is_who) & (where == is_who))
        ),""",
            hint="There are more ways to be wrong than these four: a third word may have been said. The place was said "
            "twice where both answers are the place.",
        ),
        Misconception(
            "looked only for the wrong answer where a noun was said twice",
            replace="""(who == is_who) & (where == is_who),  # the subject twice
        (who == is_where) & (where == is_where),  # the place twice""",
            by="""where == is_who,
        who == is_where,""",
            hint="Your last two shares count those mixed up as well. The subject was said twice where both answers are "
            "the subject.",
        ),
        Misconception(
            "took any noun that was said twice and is not the subject for the place",
            replace="(who == is_where) & (where == is_where)",
            by="(who == where) & (who != is_who)",
            hint="A third word may have been said twice. The place was said twice where both answers are the place.",
        ),
        Misconception(
            "took any noun that was said twice and is not the place for the subject",
            replace="(who == is_who) & (where == is_who)",
            by="(who == where) & (who != is_where)",
            hint="A third word may have been said twice. The subject was said twice where both answers are the "
            "subject.",
        ),
        Misconception(
            "left out the brackets around the comparisons",
            replace="""(who == is_who) & (where == is_where),  # both right
        (who == is_where) & (where == is_who),  # mixed up
        (who == is_who) & (where == is_who),  # the subject twice
        (who == is_where) & (where == is_where),  # the place twice""",
            by="""who == is_who & where == is_where,
        who == is_where & where == is_who,
        who == is_who & where == is_who,
        who == is_where & where == is_where,""",
            hint="Without them & comes first: it joins what is on its two sides, and == compares the result. Put "
            "brackets around each comparison.",
            check="shapes",
            shown_by=("== &",),
        ),
        Misconception(
            "turned the list of sentences round, and not the two answers of each",
            replace="(who == is_where) & (where == is_who)",
            by="(who == is_who.flip(0)) & (where == is_where.flip(0))",
            hint="What was said in one sentence is compared with what is right in another. Mixed up means that within "
            "a sentence each question got the other's answer.",
        ),
    ),
    alternatives=(
        Alternative(
            "whole rows compared",
            """
def mix_ups(said, answers):
    ways = [answers, answers.flip(1), answers[:, [0, 0]], answers[:, [1, 1]]]
    return torch.stack([(said == way).all(dim=1).float().mean() for way in ways])
""",
        ),
        Alternative(
            "a loop over sentences",
            """
def mix_ups(said, answers):
    counts = [0, 0, 0, 0]
    for pair, (subject, place) in zip(said.tolist(), answers.tolist()):
        ways = [[subject, place], [place, subject], [subject, subject], [place, place]]
        if pair in ways:
            counts[ways.index(pair)] += 1
    return torch.tensor(counts) / len(said)
""",
        ),
        Alternative(
            "counts divided by the number of sentences",
            """
def mix_ups(said, answers):
    shares = torch.zeros(4)
    for place, columns in enumerate([(0, 1), (1, 0), (0, 0), (1, 1)]):
        shares[place] = (said == answers[:, list(columns)]).all(dim=1).sum() / said.shape[0]
    return shares
""",
        ),
    ),
    gradients=False,
)
