"""`autograder package github`: a GitHub Actions workflow that grades a GitHub Classroom assignment.

The workflow belongs in the instructor's private repository with the solutions, and nothing goes into learners'
repositories: everybody who can push to a repository can change its workflows and read its secrets.
"""

from __future__ import annotations

from pathlib import Path

from ..course.chapter import REPOSITORY_ROOT, chapter_names
from ..problems import Problem

_TEMPLATE = Path(__file__).parent / "templates" / "github" / "grade.yml"


def write(assignment: str, output: Path, solutions: Path = REPOSITORY_ROOT / "solutions") -> Path:
    """Write the workflow for `assignment` to `output`.

    Args:
        solutions: the folder of chapters.

    Raises:
        Problem: if there is no such chapter, or `output` exists with other content.
    """
    known = chapter_names(solutions)
    if assignment not in known:
        raise Problem(f"{solutions} has no chapter {assignment!r}; it has: {', '.join(known) or 'none'}")
    text = _TEMPLATE.read_text(encoding="utf-8").replace("CHAPTER", assignment)
    if output.is_file() and output.read_text(encoding="utf-8") != text:
        raise Problem(f"{output} exists and differs; choose another file with --output, or delete it")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    return output
