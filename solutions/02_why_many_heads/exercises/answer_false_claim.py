"""`answer_false_claim`, a question: which claim about one head is false."""

from autograder.declare import multiple_choice

EXERCISE = multiple_choice(
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
