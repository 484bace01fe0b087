"""What one `autograder collect` did, for whoever gave the command."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..problems import Skipped


@dataclass
class Collected:
    """What one `collect` did.

    Args:
        taken, same, kept: students whose file was taken, was there already, or stayed although this one differs.
        late: students whose file is late, as far as the LMS says.
        no_notebook: students who handed in something else; it is taken, and graded as "unreadable".
        unclear: files of a student with several, of which nobody can say which to grade; none was taken.
        unknown: files of nobody that the roster knows, or of one of several people.
        set_aside: files of those whose notebook was taken: other notebooks, and what lay beside it.
        skipped: everything else.
        missing: students on the roster of whom there is nothing, from now or before.
        asked: rows of the roster that were left out, because they contradict what is known.
        told: what is worth a look, though it was taken.
        times: why it is not known when somebody handed in, and who: "ada ('12/11/2026 10:00')".
        noted_times: students whose time was read from a file beside the notebook.
    """

    taken: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    no_notebook: list[str] = field(default_factory=list)
    unclear: list[Skipped] = field(default_factory=list)
    unknown: list[Skipped] = field(default_factory=list)
    set_aside: list[Skipped] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    asked: list[Skipped] = field(default_factory=list)
    told: list[Skipped] = field(default_factory=list)
    times: dict[str, list[str]] = field(default_factory=dict)
    noted_times: list[str] = field(default_factory=list)
