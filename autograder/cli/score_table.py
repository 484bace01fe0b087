"""The table that `autograder grade` prints: a row for each learner, a symbol and the points for each exercise."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..classroom.results import ClassResults, ExerciseResult, State
from ..safe_text import clean

LEGEND = "✓ right   ✓* right, judged with a working version of what it builds on   ◐ partly   ✗ wrong   · not written"
_SYMBOLS = {
    State.RIGHT: ("✓", "green"),
    State.CARRIED: ("✓*", "green"),
    State.PARTLY: ("◐", "yellow"),
    State.WRONG: ("✗", "red"),
    State.UNWRITTEN: ("·", "dim"),
}


def show(results: ClassResults) -> None:
    """Print a class's results."""
    # A pipe has no width: rich would wrap the table at 80 columns.
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(_table(results))


def _table(results: ClassResults) -> Table:
    table = Table(title=Text(f"{results.assignment} · {results.title}"), title_justify="left", pad_edge=False)
    table.add_column("learner", no_wrap=True)
    for exercise, points in results.points.items():
        table.add_column(f"{exercise}\n{points:g} points", justify="center", overflow="fold")
    table.add_column(f"score\nof {results.max_score:g}", justify="right")
    for learner in results.learners:
        if learner.final_score is None:
            cells = [Text("–", style="dim")] * len(results.points)
            table.add_row(Text(clean(learner.student)), *cells, Text("–", style="dim"))
            continue
        cells = [_cell(learner.exercises[name]) for name in results.points]
        table.add_row(Text(clean(learner.student)), *cells, f"{learner.final_score:g}")
    remarks = [
        f"{learner.student} · {learner.outcome}: {learner.reason}" for learner in results.learners if learner.reason
    ]
    remarks += [
        f"{learner.student} · late: nbgrader takes {learner.penalty:g} of {learner.score:g} points off"
        for learner in results.learners
        if learner.penalty and learner.score is not None
    ]
    # Text, not a string: rich would read brackets in a learner's text as markup.
    table.caption = Text("\n".join(clean(line).replace("\n", " ") for line in remarks))
    table.caption_justify = "left"
    return table


def _cell(result: ExerciseResult) -> Text:
    symbol, style = _SYMBOLS.get(result.state, ("–", "dim"))
    return Text(f"{symbol} {result.earned:g}", style=style)
