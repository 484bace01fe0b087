"""The table that `autograder grade` prints: a row for each learner, a symbol and the points for each exercise.

It fits the terminal without breaking a word: names of exercises break between their words, and where that is not
narrow enough, columns have numbers and a list below says what they mean.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..classroom.results import ClassResults, ExerciseResult, State
from ..safe_text import clean

LEGEND = (
    "✓ right  ✓* right, judged with a working version of what it builds on\n"
    "◐ partly  ✗ wrong  · not written  – not judged"
)
_SYMBOLS = {
    State.RIGHT: ("✓", "green"),
    State.CARRIED: ("✓*", "green"),
    State.PARTLY: ("◐", "yellow"),
    State.WRONG: ("✗", "red"),
    State.UNWRITTEN: ("·", "dim"),
}
_WIDTH_OF_A_PIPE = 140  # columns: a pipe has no width of its own, and rich would take 80


def console() -> Console:
    """Return the console that tables are printed on."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE)


def show(results: ClassResults) -> None:
    """Print a class's results."""
    print_to(console(), results)


def print_to(console: Console, results: ClassResults) -> None:
    """Print a class's results on `console`."""
    console.print(Text(f"{results.assignment} · {results.title}", style="bold"), soft_wrap=True)
    table = _table(results, list(map(_in_words, results.points)))
    if _width(console, table) > console.width:
        table = _table(results, [str(number) for number, _ in enumerate(results.points, 1)])
        console.print(table)
        for number, (exercise, points) in enumerate(results.points.items(), 1):
            console.print(Text(f"{number:>2}  {exercise} ({points:g} {'point' if points == 1 else 'points'})"))
    else:
        console.print(table)
    for remark in _remarks(results):
        # Text, not a string: rich would read brackets in a learner's text as markup.
        console.print(Text(clean(remark).replace("\n", " ")))


def _width(console: Console, table: Table) -> int:
    """Return the width that a table needs so that no word in it is broken."""
    return console.measure(table, options=console.options.update(width=10_000)).maximum


def _table(results: ClassResults, heads: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("learner", no_wrap=True, vertical="bottom")
    for head, points in zip(heads, results.points.values(), strict=True):
        table.add_column(f"{head}\n/ {points:g}", justify="center", no_wrap=True, vertical="bottom")
    table.add_column(f"score\n/ {results.max_score:g}", justify="right", no_wrap=True, vertical="bottom")
    for learner in results.learners:
        if learner.final_score is None:
            cells = [Text("–", style="dim")] * len(results.points)
            table.add_row(Text(clean(learner.student)), *cells, Text("–", style="dim"))
            continue
        cells = [_cell(learner.exercises[name]) for name in results.points]
        table.add_row(Text(clean(learner.student)), *cells, f"{learner.final_score:g}")
    return table


def _in_words(exercise: str) -> str:
    """Break a Python name between its words: "attention_\\nscores"."""
    return "\n".join(re.split(r"(?<=_)(?=[^_])|(?<=[a-z])(?=[A-Z])", exercise))


def _remarks(results: ClassResults) -> Iterator[str]:
    for learner in results.learners:
        if learner.reason:
            yield f"{learner.student} · {learner.outcome}: {learner.reason}"
    for learner in results.learners:
        if learner.penalty and learner.score is not None:
            yield f"{learner.student} · late: nbgrader takes {learner.penalty:g} of {learner.score:g} points off"


def _cell(result: ExerciseResult) -> Text:
    symbol, style = _SYMBOLS.get(result.state, ("–", "dim"))
    return Text(f"{symbol} {result.earned:g}", style=style)
