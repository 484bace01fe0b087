"""The texts of a check: what a learner reads after it passed or failed.

`diagnosis.py` decides what is wrong; this module words it. The learner's check, the judge's feedback and the report
show the same words.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, device

from ..calling.call import Call
from .divergence import Divergence, Excerpt
from .exam import Check, Exam, Trial
from .pairs import apart
from .stage import Stage

_WIDTH = 84  # characters of a line in a message
_LONG_NUMBER = re.compile(r"\d(?:[\d.,]*\d){4,}")


@dataclass(frozen=True)
class Message:
    """Why a check failed, in parts. `str` gives all of it as lines of plain text.

    Args:
        sentence: what is wrong.
        expected: what was expected.
        got: what the code returned.
        detail: more about it, such as how many entries differ.
        case: the case's name and its inputs.
        mistake: the known mistake that gives exactly these answers, as a sentence.
        hint: what to do about that mistake.
        further: what else the answers or the lines of code show, a sentence or two each.
        right: which of two outputs is right, where that is known and no mistake is.
        group: a phrase that wrong answers of the same kind share, for an instructor: "right up to the scores". It
            contains nothing that a learner has written.
        note: the stand-ins with which the exercise was checked.
        excerpt: numbers to draw. The text says the essential too.
    """

    sentence: str
    expected: str = ""
    got: str = ""
    detail: str = ""
    case: str = ""
    mistake: str = ""
    hint: str = ""
    further: tuple[str, ...] = ()
    right: str = ""
    group: str = ""
    note: str = ""
    excerpt: Excerpt | None = None

    def __str__(self) -> str:
        lines = [self.sentence]
        about = {"Expected": self.expected, "Got": self.got, "": self.detail, "Case": self.case}
        about = [f"{label:<10}{text}" for label, text in about.items() if text]
        lines += ["", *about] if about else []
        lines += ["", self.mistake, self.hint] if self.mistake else []
        for paragraph in (*self.further, self.right, self.note):
            lines += ["", paragraph] if paragraph else []
        # A notebook breaks long lines of an error anywhere, even in the middle of a word.
        return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent=" " * _indent(line)) for line in lines)


def message(exam: Exam, trial: Trial, divergence: Divergence, mistake: str | None) -> Message:
    """Return the message for the first divergence and the known mistake behind it."""
    unsolved = divergence.stage == Stage.UNSOLVED
    conceals = exam.conceals and divergence.stage == Stage.VALUES
    asked = ": ".join(filter(None, (trial.name, _describe_call(trial.call))))
    return Message(
        sentence(divergence.sentence),
        expected="" if unsolved or conceals else divergence.expected,
        got="" if unsolved else divergence.got,
        detail="" if unsolved else divergence.detail.strip(),
        case=asked if (trial.call.init or trial.call.inputs) and not unsolved else "",
        mistake=f"This is what comes out if you {mistake}." if mistake else "",
        hint=" ".join(dict.fromkeys(exam.hints[name] for name in apart(mistake))) if mistake else "",
        excerpt=None if conceals or divergence.excerpt is None else divergence.excerpt(),
    )


def sentence(text: str) -> str:
    """Return a sentence with a capital, unless it begins with a name of the code's: "scores has the wrong shape."."""
    return f"The{text[3:]}" if text.startswith("the ") else text


def group(related: Sequence[str]) -> str:
    """Return a phrase that wrong answers with the same relation to the right ones share; "" if unknown.

    Numbers with many digits are removed: they could be a learner's own.
    """
    return _LONG_NUMBER.sub("…", related[0].removesuffix(".")) if related else ""


def forbidden(exam: Exam, name: str, *, hidden: bool) -> Message:
    """Return the message for the use of a forbidden name.

    Args:
        hidden: whether the code hides its calls by using `name`.
    """
    does = "hides calls that this exercise forbids" if hidden else "could do the whole exercise for you"
    return Message(
        f"Your code uses {name}, which {does}.",
        further=(f"Write {exam.exercise} with basic operations: that is what this exercise is for.",),
    )


def checked_with(exam: Exam, stand_ins: Sequence[str]) -> str:
    """Say that the exercise was checked with working stand-ins, and failed."""
    return f"(Checked with a working {joined(stand_ins)}: what is wrong here is in {exam.exercise} itself.)"


def told_before(message: Message, place: str) -> Message:
    """Return a short message in place of one that was just shown at `place`: "attention.shapes"."""
    return Message(message.mistake or message.sentence, note=f"See {place} above.")


def failed_title(exercise: str, check: Check) -> str:
    """Return the first line of a failed check."""
    return f"✗ {exercise}.{check}"


def unwritten_title(exercise: str, check: Check) -> str:
    """Return the one line of a check whose exercise is not written yet, where no card can be shown."""
    return f"{failed_title(exercise, check)}: not written yet"


def failed_lines(title: str, message: str) -> list[str]:
    """Return the lines that a notebook shows of a failed check, the title in bold.

    The lines have no colour: their background is red, light or dark as the notebook's theme.
    """
    return [f"\x1b[1m{title}\x1b[0m", "", *message.splitlines()]


def passed_title(exam: Exam, check: Check) -> str:
    """Return what passed, and in how many cases: "attention.outputs · 4 cases"."""
    cases = "1 case" if len(exam.trials) == 1 else f"{len(exam.trials)} cases"
    return f"{exam.exercise}.{check} · {cases}"


def passed_line(exam: Exam, check: Check, carried: Sequence[str] = ()) -> str:
    """Return the one line of a passed check.

    Args:
        carried: the exercises replaced by stand-ins, see `carried_sentence`.
    """
    line = f"✓ {passed_title(exam, check)}"
    return f"{line}\n{carried_sentence(exam, carried)}" if carried else line


def carried_sentence(exam: Exam, carried: Sequence[str]) -> str:
    """Say that an exercise is right apart from what it builds on."""
    return (
        f"{exam.exercise} itself is right. It was checked with a working {joined(carried)}: yours "
        f"{'are' if len(carried) > 1 else 'is'} not right yet, or not defined here. "
        "If a slip there costs points, it costs none here: a slip costs once."
    )


def joined(names: Sequence[str]) -> str:
    """Return names in a row: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _indent(line: str) -> int:
    """Return the indent of a wrapped line: below the text of a line with a label, 0 in prose."""
    return len("Expected  ") if line.startswith(("Expected  ", "Got  ", "Case  ", " ")) else 0


def _describe_call(call: Call) -> str:
    asked = {**(call.init or {}), **call.inputs}
    return ", ".join(f"{name} {_brief(value)}" for name, value in asked.items() if not name.startswith("_"))


def _brief(value: object) -> str:
    """Describe an input, tensors by their shapes."""
    if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value):
        return f"[{', '.join(map(_brief, value))}]"
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, tuple):  # alone, its numbers would read as a shape
        return f"the tuple {value!r}"
    return str(value) if isinstance(value, device) else repr(value)
