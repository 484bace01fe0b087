"""`answer_benefit`, a question: where the gain of several heads comes from."""

from autograder.declare import multiple_choice

EXERCISE = multiple_choice(
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
