"""The quiz that closes each chapter: ungraded multiple choice, every answer with its explanation.

It is HTML that needs neither a script nor a network nor a kernel: an answer unfolds, by mouse or keyboard, and says in
a word and with a sign whether it is right, and why. Lessons call `quiz`.
"""

from __future__ import annotations

import html
import random
import re
from dataclasses import dataclass

from IPython.display import HTML, display


@dataclass(frozen=True)
class Answer:
    """One answer to choose.

    Args:
        feedback: why it is right or wrong.
    """

    text: str
    correct: bool
    feedback: str


@dataclass(frozen=True)
class Question:
    """A question with its answers, the right one first."""

    text: str
    answers: tuple[Answer, ...]


def multiple_choice(question: str, *answers: tuple[str, str]) -> Question:
    """Return a question with its (answer, feedback) pairs. The first answer is right; the quiz shuffles them.

    In all of these, what stands in `backticks` is code.
    """
    return Question(question, tuple(Answer(text, place == 0, why) for place, (text, why) in enumerate(answers)))


def quiz(*questions: Question) -> None:
    """Show `questions` in the notebook, the answers of each in an order of its own, the same at each run."""
    shown = "".join(_question(number, question) for number, question in enumerate(questions, start=1))
    display(HTML(f'<style>{_STYLE}</style><div class="manyheads-quiz" style="max-width: 56em">{shown}</div>'))


# Right and wrong have a sign and a word as well as a colour. The colours are those of a check's card: tints over the
# page's own ground, so words can be read on a light and on a dark page.
_RIGHT, _WRONG, _LINE = "46, 160, 67", "210, 140, 0", "128, 128, 128"
_STYLE = (
    ".manyheads-quiz summary{cursor:pointer;padding:.35em .7em;border-radius:.2em}"
    f".manyheads-quiz summary:hover{{background:rgba({_LINE},.12)}}"
    ".manyheads-quiz summary:focus-visible{outline:3px solid #2B8FE0;outline-offset:-2px}"
)


def _question(number: int, question: Question) -> str:
    answers = list(question.answers)
    random.Random(question.text).shuffle(answers)
    group = f"manyheads-{random.Random(question.text).getrandbits(40):x}"  # one answer of a question is open at a time
    return (
        f'<div role="group" aria-label="Question {number}" style="margin: 0 0 1.2em 0; line-height: 1.45">'
        f'<p style="margin: 0 0 0.3em 0; font-weight: 600">{number}. {_prose(question.text)}</p>'
        f"{''.join(_answer(answer, group) for answer in answers)}</div>"
    )


def _answer(answer: Answer, group: str) -> str:
    colour, sign, verdict = (_RIGHT, "✓", "Right.") if answer.correct else (_WRONG, "✗", "Not quite.")
    return (
        f'<details name="{group}" style="margin: 0.25em 0; border: 1px solid rgba({_LINE}, 0.6); border-radius: 0.2em">'
        f"<summary>{_prose(answer.text)}</summary>"
        f'<p style="margin: 0; padding: 0.5em 1em; border-left: 0.3em solid rgb({colour}); '
        f'background: rgba({colour}, 0.1)"><strong><span aria-hidden="true">{sign}</span> {verdict}</strong> '
        f"{_prose(answer.feedback)}</p></details>"
    )


def _prose(text: str) -> str:
    """Return text as HTML, with what stands in `backticks` as code."""
    style = "background: none; color: inherit; padding: 0"
    return re.sub(r"`([^`]+)`", rf'<code style="{style}">\1</code>', html.escape(text))
