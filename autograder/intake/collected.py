"""The result of one `autograder collect`, as the command line prints it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..problems import Skipped


@dataclass
class Collected:
    """The result of one `collect`.

    Args:
        taken: students whose file was collected.
        same: students whose file had been collected before.
        not_replaced: students whose file differs from the one collected before, which stays.
        late: students whose file the LMS marks as late.
        no_notebook: students who submitted something else; it is collected, and graded as "unreadable".
        unclear: files of students with several notebooks of which none is clearly the one to grade; none was
            collected.
        unknown: files whose owner is not on the roster, or could be one of several people.
        set_aside: other files of students whose notebook was collected.
        skipped: all other files.
        missing: students on the roster without a submission, old or new.
        refused_rows: rows of the roster that were not used, because they contradict what is known.
        to_check: files and rows that were used, but that a person should check.
        times: the reason why submission times are unknown, with the students: "ada ('12/11/2026 10:00')".
        times_from_files: students whose submission time was read from a file beside the notebook.
    """

    taken: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    not_replaced: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    no_notebook: list[str] = field(default_factory=list)
    unclear: list[Skipped] = field(default_factory=list)
    unknown: list[Skipped] = field(default_factory=list)
    set_aside: list[Skipped] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused_rows: list[Skipped] = field(default_factory=list)
    to_check: list[Skipped] = field(default_factory=list)
    times: dict[str, list[str]] = field(default_factory=dict)
    times_from_files: list[str] = field(default_factory=list)
