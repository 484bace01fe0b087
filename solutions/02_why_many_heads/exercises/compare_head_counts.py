"""`compare_head_counts`: trains a model for each number of heads, and says what each reaches."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def counts_to_compare(draw: Draw, how_many: int) -> Call:
    """`how_many` numbers of heads in no order, and a key that says what a model with each of them reaches."""
    counts = draw.sizes(" ".join("abcd"[:how_many]), low=1, high=16)
    while counts == sorted(counts) and how_many > 1:
        counts = counts[::-1]
    return Call({"head_counts": counts, "_key": draw.integer(1, 10**6)})


def compare_with_a_spy(target, head_counts, key):
    """Report what came back, in which order models were trained, and how often each of them.

    What a model reaches is worked out when it is trained: before, no accuracy is there to be found.
    """
    from manyheads.calling import pretend_hardware

    asked_for, trainings = tuple(head_counts), {}

    def train(num_heads):
        if not isinstance(num_heads, int):
            raise TypeError(f"train takes one number of heads, such as 4, and it was given {num_heads!r}")
        if num_heads not in asked_for:
            raise ValueError(f"train was given {num_heads}, which is not among the head_counts")
        trainings[num_heads] = trainings.get(num_heads, 0) + 1
        return round(pretend_hardware.number(key, num_heads), 3)

    result = target(train, head_counts)
    return result, list(trainings), trainings


EXERCISE = Exercise(
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
            hint="The numbers are right, but there is no telling which model reached which. A dict keeps each "
            "number under its number of heads.",
            check="shapes",
        ),
        Misconception(
            "numbered the models 0, 1, 2 and so on",
            replace="{num_heads: train(num_heads) for num_heads in head_counts}",
            by="{place: train(num_heads) for place, num_heads in enumerate(head_counts)}",
            hint="The keys give a model's position in the list. They should say how many heads it has.",
            check="shapes",
        ),
        Misconception(
            "swapped keys and values",
            replace="num_heads: train(num_heads)",
            by="train(num_heads): num_heads",
            hint="A dict is looked up by its keys, and what is known here is the number of heads.",
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
            "made texts of the numbers of heads",
            replace="{num_heads: ",
            by="{str(num_heads): ",
            hint='"4" is a text, and 4 is a number. The keys should be the numbers, so that one can look up 4.',
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
            hint="Only one model was trained. (Is your return inside the loop? It ends the function at once, in the "
            "first round. Collect first, return at the end.)",
            check="shapes",
        ),
        Misconception(
            "left out the first number of heads",
            replace="for num_heads in head_counts}",
            by="for num_heads in head_counts[1:]}",
            hint="One model is missing, the first. (Places in a list are counted from 0.)",
            check="shapes",
        ),
        Misconception(
            "left out the last number of heads",
            replace="for num_heads in head_counts}",
            by="for num_heads in head_counts[:-1]}",
            hint="One model is missing, the last. (range(n) ends with n − 1 by itself.)",
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
            hint="The models are all there, but not trained in the order that was asked for. The caller relies on "
            "that order. (list.sort() would even change the caller's list.)",
        ),
        Misconception(
            "returned percentages",
            replace=": train(num_heads)",
            by=": 100 * train(num_heads)",
            hint="Return what train returned, unchanged. How to show it is up to the caller.",
        ),
        Misconception(
            "returned only the best",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="return max(train(num_heads) for num_heads in head_counts)",
            hint="To compare, you need them all, each with its number of heads.",
            check="shapes",
        ),
        Misconception(
            "rounded the accuracies",
            replace=": train(num_heads) for",
            by=": round(train(num_heads), 2) for",
            hint="How many digits are shown is up to the caller: return the accuracy as `train` gives it.",
        ),
        Misconception(
            "numbered the models 1, 2, 3 and so on",
            replace="{num_heads: train(num_heads) for num_heads in head_counts}",
            by="{place: train(num_heads) for place, num_heads in enumerate(head_counts, 1)}",
            hint="The keys give a model's position in the list. They should say how many heads it has.",
            check="shapes",
        ),
        Misconception(
            "counted from 1 up to how many numbers of heads there are",
            replace="for num_heads in head_counts",
            by="for num_heads in range(1, len(head_counts) + 1)",
            hint="How long head_counts is says how many models to train, and not which: go through the list itself.",
            check="shapes",
            shown_by=("len|enumerate",),
        ),
        Misconception(
            "went through the lesson's own numbers of heads instead of those that are given",
            replace="for num_heads in head_counts",
            by="for num_heads in (1, 2, 3, 4)",
            hint="The caller says in head_counts which models to train, and it may be any list. A list that the "
            "notebook defined further up is another one.",
            check="shapes",
            shown_by=("HEAD_COUNTS|4|5",),
        ),
        Misconception(
            "made a range of the first and the last number of heads",
            replace="for num_heads in head_counts",
            by="for num_heads in range(head_counts[0], head_counts[-1])",
            hint="head_counts is the list of models to train, in no order, and not the ends of a range. Go through the "
            "list itself.",
            check="shapes",
            shown_by=("range",),
        ),
        Misconception(
            "made a range from the first to the last number of heads, the last one included",
            replace="for num_heads in head_counts",
            by="for num_heads in range(head_counts[0], head_counts[-1] + 1)",
            hint="head_counts is the list of models to train, in no order, and not the ends of a range. Go through the "
            "list itself.",
            check="shapes",
            shown_by=("range",),
        ),
        Misconception(
            "trained every number of heads from 1 up to the largest",
            replace="for num_heads in head_counts",
            by="for num_heads in range(1, max(head_counts) + 1)",
            hint="Only the models in head_counts are asked for: every other training is wasted. Go through the list "
            "itself.",
            check="shapes",
            shown_by=("range", "max|sorted"),
        ),
        Misconception(
            "returned nothing",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="accuracies = {num_heads: train(num_heads) for num_heads in head_counts}",
            hint="The models are trained, and what they reach is lost when the function ends. Return the dict. "
            "(Printing shows it, and returns nothing.)",
            check="shapes",
        ),
        Misconception(
            "trained the models and put nothing into the dict",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="for num_heads in head_counts:\n        train(num_heads)\n    return {}",
            hint="Every accuracy is forgotten as soon as it is there. Put each of them into the dict, under its number "
            "of heads.",
            check="shapes",
        ),
        Misconception(
            "returned a list of pairs",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="return [(num_heads, train(num_heads)) for num_heads in head_counts]",
            hint="All is there, and to find one model a caller must go through the list. In a dict it can be looked "
            "up.",
            check="shapes",
        ),
        Misconception(
            "returned the numbers of heads and the accuracies apart",
            replace="return {num_heads: train(num_heads) for num_heads in head_counts}",
            by="return head_counts, [train(num_heads) for num_heads in head_counts]",
            hint="Which belongs to which shows only in the order of the two. A dict keeps each accuracy under its "
            "number of heads.",
            check="shapes",
        ),
        Misconception(
            "put each accuracy into a list of its own",
            replace=": train(num_heads)",
            by=": [train(num_heads)]",
            hint="There is one accuracy for each number of heads: the number itself is the value, without a list "
            "around it.",
            check="shapes",
        ),
        Misconception(
            "returned percentages, in whole numbers",
            replace=": train(num_heads)",
            by=": round(100 * train(num_heads))",
            hint="Return what train returns, as it is. How to show it is up to the caller.",
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
