"""The quiz that closes each chapter: ungraded multiple choice, every answer with its explanation.

Lessons call it; jupyterquiz draws it. Keep LaTeX out of the text: jupyterquiz would fetch MathJax from the network.
"""

from __future__ import annotations

from typing import Any

from jupyterquiz import display_quiz


def multiple_choice(question: str, *answers: tuple[str, str]) -> dict[str, Any]:
    """Return a question with its (answer, feedback) pairs. The first answer is right; the quiz shuffles them."""
    choices = [
        {"answer": answer, "correct": place == 0, "feedback": feedback}
        for place, (answer, feedback) in enumerate(answers)
    ]
    return {"question": question, "type": "multiple_choice", "answers": choices}


def quiz(*questions: dict[str, Any]) -> None:
    """Show `questions` in the notebook, their answers in a random order."""
    display_quiz(list(questions), shuffle_answers=True)
