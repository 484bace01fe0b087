"""Finds differences between a class's gradebook and its `solutions/`: instructors may change points or add questions in
`source/`. The gradebook's points count; `autograder grade` prints the differences before it grades.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..course.chapter import Chapter


def differences(chapter: Chapter, worth: Mapping[str, float]) -> list[str]:
    """Return the differences, a sentence each.

    Args:
        worth: the gradebook's maximum points of the chapter's graded cells, by nbgrader's id of the cell.
    """
    if not worth:  # nbgrader has not generated the assignment
        return []
    ours = {cell.grade_id: cell.points for cell in chapter.graded_cells}
    added = [
        f"{name} ({points:g} points) is not in solutions/, so it is not judged: grade it by hand in the formgrader"
        for name, points in worth.items()
        if name not in ours
    ]
    gone = [f"{name} is not in the gradebook, so its points do not count" for name in ours if name not in worth]
    changed = [
        f"{name} is worth {worth[name]:g} points in the gradebook, but {points:g} in solutions/: the gradebook's count"
        for name, points in ours.items()
        if name in worth and worth[name] != points
    ]
    return added + gone + changed
