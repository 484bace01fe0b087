"""`answer_parameters`, a question: what four narrow heads cost in parameters."""

from autograder.declare import multiple_choice

EXERCISE = multiple_choice(
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
