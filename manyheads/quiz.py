"""The quiz that closes each chapter: ungraded multiple choice, every answer with its explanation.

Lessons call it; jupyterquiz draws it. LaTeX is not drawn in it.
"""

from __future__ import annotations

from typing import Any

from IPython.display import Javascript, display
from jupyterquiz import display_quiz

# JupyterLab has a MathJax of its own without this function; jupyterquiz would then load another from the network.
_NO_NETWORK = "if (window.MathJax && !window.MathJax.typeset) { window.MathJax.typeset = () => {}; }"


def multiple_choice(question: str, *answers: tuple[str, str]) -> dict[str, Any]:
    """Return a question with its (answer, feedback) pairs. The first answer is right; the quiz shuffles them."""
    choices = [
        {"answer": answer, "correct": place == 0, "feedback": feedback}
        for place, (answer, feedback) in enumerate(answers)
    ]
    return {"question": question, "type": "multiple_choice", "answers": choices}


def quiz(*questions: dict[str, Any]) -> None:
    """Show `questions` in the notebook, their answers in a random order."""
    display(Javascript(_NO_NETWORK))
    display_quiz(list(questions), shuffle_answers=True)
