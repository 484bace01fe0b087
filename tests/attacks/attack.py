"""An attack: what it tries, what it submits, and the result that it must have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from autograder.outcomes import Outcome

TOY = "00_rows"
TOO_LONG = "ran longer|its time limit"  # of all cells together, or of one that no interrupt stops
TOO_LONG_OR_LARGE = f"{TOO_LONG}|MB of memory|ended"

# The toy chapter has three exercises of 3 points: scale_rows, row_sums and RowLayer, each 1 for the shapes and 2 for
# the numbers. This one computes something of the right shape, and the wrong numbers: 1 point, honestly earned.
WRONG = "def scale_rows(x, factors):\n    return x * 2\n"
ONE_POINT = {"scale_rows": WRONG}


@dataclass(frozen=True)
class Attack:
    """One hostile notebook.

    Args:
        name: short, and a student's id.
        tries: what it would gain or break, completing "It tries to …".
        writes: the learner's source by exercise; missing exercises stay stubs.
        first: a cell above all others.
        last: a cell below all others.
        change: further changes to the notebook before it is submitted.
        outcome: how it must end.
        or_ends: other outcomes that are as good: which limit comes first depends on the machine.
        score: the points that it has earned. None if there must be no grade.
        told: a pattern that must match the record: its reason, its repairs, or a message to the learner.
        chapter: which notebook it is.
        student: the student's id; by default the name.
        put: puts something else at the notebook's path, which it gets.
        beside: adds files to the folder that holds the notebook, and gets the notebook's path.
    """

    name: str
    tries: str
    writes: Mapping[str, str] = field(default_factory=lambda: ONE_POINT)
    first: str = ""
    last: str = ""
    change: Callable[[NotebookNode], None] | None = None
    outcome: str = Outcome.GRADED
    or_ends: Collection[str] = ()
    score: float | None = 1
    told: str = "wrong numbers"
    chapter: str = TOY
    student: str = ""
    put: Callable[[Path], object] | None = None
    beside: Callable[[Path], object] | None = None

    @property
    def by(self) -> str:
        """The student's id."""
        return self.student or self.name
