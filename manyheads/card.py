"""What a check shows: a card in a notebook, the same words as plain text everywhere else.

A card is HTML with inline styles: no script, no style sheet, nothing loaded. Its colours are tints over the page's own,
and its text has the page's colour, so it can be read in a light and in a dark theme, in JupyterLab, Notebook, VS Code,
Colab and in a page that nbconvert writes.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .checking import wording
from .checking.diagnosis import Finding
from .checking.divergence import Excerpt
from .checking.exam import Check, Exam
from .checking.stage import Stage
from .checking.wording import Message


class State(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WRONG = "wrong"
    UNWRITTEN = "unwritten"


_COLOURS = {State.PASSED: "46, 160, 67", State.WRONG: "210, 140, 0", State.UNWRITTEN: "128, 128, 128"}
_SYMBOLS = {State.PASSED: "✓", State.WRONG: "✗", State.UNWRITTEN: "○"}
_POSITIVE, _NEGATIVE = "0, 114, 178", "213, 94, 0"  # blue and vermilion, which colour-blind readers can tell apart
_PARAGRAPH = '<p style="margin: 0.5em 0 0 0">'


@dataclass(frozen=True)
class Card:
    """The result of a check. IPython shows it as HTML where it can, and as `text` elsewhere.

    Args:
        state: how the check ended.
        title: the check and how it went, in one line without a symbol: "attention.outputs · 4 cases".
        text: all of it as plain text.
        message: why the check failed; None if it passed.
        remark: a sentence for one that passed, "" for none.
    """

    state: State
    title: str
    text: str
    message: Message | None = None
    remark: str = ""

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:  # called by IPython
        colour = _COLOURS[self.state]
        parts = [self._head()]
        if self.remark:
            parts.append(f"{_PARAGRAPH}{html.escape(self.remark)}</p>")
        if self.message is not None:
            parts += _body(self.message, colour)
        return (
            f'<div role="group" aria-label="{html.escape(self.title)}: {self.state}" style="max-width: 56em; '
            f"margin: 0.2em 0; padding: 0.6em 1em; line-height: 1.45; border-left: 0.3em solid rgb({colour}); "
            f'border-radius: 0.2em; background: rgba({colour}, 0.1)">{"".join(parts)}</div>'
        )

    def _head(self) -> str:
        symbol = f'<span aria-hidden="true" style="color: rgb({_COLOURS[self.state]})">{_SYMBOLS[self.state]}</span>'
        return f"<div>{symbol} <strong>{html.escape(self.title)}</strong></div>"


def result_card(
    exam: Exam, check: Check, finding: Finding | None, carried: Sequence[str] = (), told_by: Check | None = None
) -> Card:
    """Return the card of one check.

    Args:
        finding: why it failed; None if it passed.
        carried: the exercises replaced by stand-ins.
        told_by: the exercise's other check, if its card has just said all of this.
    """
    if finding is None:
        text = wording.passed_line(exam, check, carried)
        worth = exam.points.get(check, 0)
        points = f" · {worth:g} {'point' if worth == 1 else 'points'}" if worth else ""
        title = f"{wording.passed_title(exam, check)}{points}"
        return Card(State.PASSED, title, text, remark=wording.carried_sentence(exam, carried) if carried else "")
    state = State.UNWRITTEN if finding.stage == Stage.UNSOLVED else State.WRONG
    title = f"{exam.exercise}.{check}"
    message = finding.message
    if told_by is not None and state == State.WRONG:
        message = wording.told_before(message, f"the card of {exam.exercise}.{told_by}")
    return Card(state, title, f"{_SYMBOLS[state]} {title}\n\n{message}", message)


def _body(message: Message, colour: str) -> list[str]:
    """Return what a card says of a failed check: its mistake first, if that has a name."""
    headline = "font-size: 1.1em; font-weight: 600"
    parts = []
    if message.mistake:
        parts.append(f'<p style="margin: 0.4em 0 0 0; {headline}">{html.escape(message.mistake)}</p>')
        parts.append(f"{_PARAGRAPH}{html.escape(message.hint)}</p>")
        parts.append(f"{_PARAGRAPH}{html.escape(message.sentence)}</p>")
    else:
        parts.append(f'<p style="margin: 0.4em 0 0 0; {headline}">{html.escape(message.sentence)}</p>')
    parts += [f"{_PARAGRAPH}{_prose(paragraph)}</p>" for paragraph in (*message.further, message.right) if paragraph]
    about = {"Expected": message.expected, "Got": message.got, "": message.detail, "Case": message.case}
    cell = "text-align: left; vertical-align: top; border: 0; padding: 0.1em 1em 0.1em 0; background: none"
    code = "white-space: pre-wrap; background: none; color: inherit; padding: 0"
    rows = [
        f'<tr style="background: none"><th scope="row" style="{cell}; font-weight: normal; opacity: 0.8">{label}</th>'
        f'<td style="{cell}"><code style="{code}">{html.escape(text)}</code></td></tr>'
        for label, text in about.items()
        if text
    ]
    if rows:
        table = "border-collapse: collapse; border: 0; margin: 0.5em 0 0 0; font-size: 1em; color: inherit"
        parts.append(f'<table style="{table}">{"".join(rows)}</table>')
    if message.excerpt is not None:
        parts.append(_picture(message.excerpt, colour))
    if message.note:
        parts.append(f'<p style="margin: 0.5em 0 0 0; opacity: 0.8">{html.escape(message.note)}</p>')
    return parts


def _prose(text: str) -> str:
    """Return text as HTML, with what stands in `backticks` as code."""
    style = "background: none; color: inherit; padding: 0"
    return re.sub(r"`([^`]+)`", rf'<code style="{style}">\1</code>', html.escape(text))


def _picture(excerpt: Excerpt, colour: str) -> str:
    """Draw the expected numbers beside the learner's. The card's text says the same without the picture."""
    known = [abs(number) for rows in (excerpt.expected, excerpt.got) for row in rows for number in row]
    largest = max((number for number in known if math.isfinite(number)), default=1.0) or 1.0
    grids = (("Expected", excerpt.expected, False), ("Yours", excerpt.got, True))
    place = excerpt.place.removeprefix("the result")
    tables = "".join(
        _grid(f"{name} {place}".strip(), rows, excerpt, largest, colour if marked else "")
        for name, rows, marked in grids
    )
    return (
        f'<div aria-hidden="true" style="display: flex; flex-wrap: wrap; gap: 0 2em; margin-top: 0.4em">{tables}</div>'
        f'<p style="margin: 0.2em 0 0 0; opacity: 0.8; font-size: 0.9em">Outlined: entries that differ.</p>'
    )


def _grid(caption: str, rows: tuple[tuple[float, ...], ...], excerpt: Excerpt, largest: float, colour: str) -> str:
    lines = []
    for number_of_row, row in enumerate(rows):
        cells = []
        for column, number in enumerate(row):
            hue = _POSITIVE if number >= 0 else _NEGATIVE
            depth = min(1.0, abs(number) / largest) if math.isfinite(number) else 0.0
            outline = f"rgb({colour})" if colour and excerpt.differs[number_of_row][column] else "transparent"
            cells.append(
                f'<td style="width: 3.4em; padding: 0.15em 0.3em; text-align: right; border: 2px solid {outline}; '
                f'background: rgba({hue}, {0.45 * depth:.2f})">{_short(number)}</td>'
            )
        lines.append(f'<tr style="background: none">{"".join(cells)}</tr>')
    table = (
        "border-collapse: separate; border-spacing: 1px; border: 0; font-size: 0.85em; color: inherit; margin: 0.4em 0"
    )
    head = f'<caption style="text-align: left; color: inherit; padding: 0.2em 0">{html.escape(caption)}</caption>'
    return f'<table style="{table}">{head}<tbody>{"".join(lines)}</tbody></table>'


def _short(number: float) -> str:
    """Write a number in at most six characters or so."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("∞" if number > 0 else "−∞")
    if number != 0 and not 0.005 <= abs(number) < 1000:
        return f"{number:.0e}"
    return f"{number:.2f}" if number != int(number) else str(int(number))
