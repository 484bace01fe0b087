"""Grades one submission in Gradescope's container, and writes `results.json`.

The package's script `run_autograder` calls it, through the command `autograder gradescope`. If the grader is at fault,
it writes no results and exits with an error, which Gradescope shows as a failed autograder instead of a zero.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manyheads.whole_file import whole_file

from ..classroom.class_folder import ClassFolder, new_class
from ..classroom.results import ClassResults, ExerciseResult, LearnerResult, State, class_results
from ..intake.choose_file import choose
from ..intake.read_names import read_names
from ..intake.source_files import Damaged, handed_in
from ..intake.worth import Worth
from ..outcomes import Outcome
from ..problems import Problem
from ..run.grade import grade
from ..sandbox.other_user import LEARNER
from ..sandbox.requirements import find_layers
from .gradescope_package import PACKAGE

_STUDENT = "learner"  # the one student of the class in the container
_SECRETS = ("source", "class", "results", "submission_metadata.json")


@dataclass(frozen=True)
class Layout:
    """The folders in Gradescope's container.

    Args:
        root: the root of all folders, `/autograder` on Gradescope.
    """

    root: Path

    @property
    def folder(self) -> ClassFolder:
        """The class folder, which is made once, when the image is built."""
        return ClassFolder(self.root / "class")

    @property
    def assignment(self) -> str:
        return json.loads((self.root / "source" / PACKAGE).read_text(encoding="utf-8"))["assignment"]


def main(*, only_prepare: bool) -> None:
    """Make the class folder, if it does not exist, and grade the submission in `submission/`.

    Raises:
        SystemExit: with code 1, if grading failed and the learner is not at fault.
    """
    layout = Layout(Path(os.environ.get("AUTOGRADER_ROOT", "/autograder")).resolve())
    try:
        prepare(layout)
        if not only_prepare:
            run(layout)
    except (Problem, OSError) as problem:
        print(f"Not graded; this is not the learner's fault: {problem}")
        sys.exit(1)


def prepare(layout: Layout) -> None:
    """Make the class folder with a new secret seed, unless it exists."""
    if not layout.folder.root.exists():
        new_class(layout.folder.root, layout.root / "source" / "solutions")


def run(layout: Layout) -> None:
    """Grade the submission and write `results/results.json`.

    Raises:
        Problem: if it could not be graded and the learner is not at fault.
    """
    started = time.monotonic()
    folder, assignment = layout.folder, layout.assignment
    missing = _collect(layout)
    if missing:
        learner, results = None, class_results(folder, assignment)
    else:
        grade(folder, assignment, workers=1, regrade=True, progress=False, sandbox=_seal(layout))
        results = class_results(folder, assignment)
        [learner] = results.learners
        if learner.outcome == Outcome.NEEDS_REVIEW:
            raise Problem(learner.reason)
    found = as_gradescope(results, learner, missing)
    found["execution_time"] = round(time.monotonic() - started, 1)  # seconds
    path = layout.root / "results" / "results.json"
    with whole_file(path) as beside:
        beside.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def as_gradescope(results: ClassResults, learner: LearnerResult | None, missing: str = "") -> dict[str, Any]:
    """Return the content of `results.json`: one test per exercise, and the text above the tests.

    Args:
        learner: the submission's results; None if there is no notebook.
        missing: why there is no notebook.
    """
    exercises = learner.exercises if learner is not None else {}
    messages = [missing] if missing else []
    if learner is not None and learner.outcome != Outcome.GRADED:
        messages.append(f"Grading your notebook ended as '{learner.outcome}': {learner.reason}.")
    if learner is not None and learner.repairs:
        messages.append("Your notebook was repaired before grading:\n" + "\n".join(learner.repairs))
    hints = {(made.exercise, made.name): made.hint for made in results.misconceptions}
    tests: list[dict[str, Any]] = []
    for name, points in results.points.items():
        result = exercises.get(name)
        earned = result.earned if result else 0.0
        tests.append(
            {
                "name": name,
                "score": earned,
                "max_score": points,
                "status": "passed" if earned >= points else "failed",
                "output": _in_words(name, result, hints),
                "output_format": "text",
                "visibility": "visible",
            }
        )
    return {
        "score": sum(test["score"] for test in tests),
        "output": "\n\n".join(messages),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def _in_words(name: str, result: ExerciseResult | None, hints: dict[tuple[str, str], str]) -> str:
    if result is None:
        return "This exercise was not judged."
    if result.state == State.RIGHT:
        return "Right."
    if result.state == State.CARRIED:
        return "Right, judged with a working version of what it builds on, which is not right yet."
    messages = list(result.messages)
    for mistake in result.misconceptions:
        hint = hints.get((name, mistake), "")
        if hint and not any(hint in message for message in messages):
            messages.append(hint)
    default = "This exercise is not written yet." if result.state == State.UNWRITTEN else "This is not right."
    return "\n\n".join(messages) or default


def _collect(layout: Layout) -> str:
    """Copy the submitted notebook into the class folder. Return why there is none, or ""."""
    folder, assignment = layout.folder, layout.assignment
    with handed_in(layout.root / "submission") as (files, skipped):
        # All files belong to one learner, whatever names they have.
        names = [replace(named, is_flat=False) for named in read_names(files, assignment)]
        with Worth(folder, assignment) as worth:
            choice = choose(assignment, _STUDENT, names, worth)
        if choice.file is not None:
            try:
                choice.file.file.copy_to(folder.notebook(_STUDENT, assignment))
            except Damaged as damaged:
                return f"{choice.file.original} was not graded: {damaged}."
            return ""
    if choice.unclear:
        return f"There are several notebooks: submit one, named {assignment}.ipynb."
    others = [named.file.name for named in choice.others] + [f"{file.name} ({file.reason})" for file in skipped]
    files = f"Found only: {', '.join(others[:5])}." if others else "No files were submitted."
    return f"There is no notebook. Submit {assignment}.ipynb. {files}"


def _seal(layout: Layout) -> bool:
    """Return whether the sandbox works here. If not, let learners' code run as another user.

    Raises:
        Problem: if that is not possible either, so that learners' code could read the solutions.
    """
    lacking = [layer for layer in find_layers() if layer.missing]
    if not lacking:
        print("The submission ran in the sandbox: without network, and without access to this container's files.")
        return True
    if os.getuid() != 0:
        raise Problem(
            f"the sandbox does not work here ({lacking[0].name}: {lacking[0].missing}), and only root could run the "
            "submission as another user"
        )
    for name in _SECRETS:
        path = layout.root / name
        if path.exists():
            path.chmod(0o700 if path.is_dir() else 0o600)
    config = layout.folder.root / "nbgrader_config.py"
    setting = f"c.Execute.user = {LEARNER}\n"
    if setting not in config.read_text(encoding="utf-8"):
        config.write_text(config.read_text(encoding="utf-8") + setting, encoding="utf-8")
    print(f"The sandbox does not work here ({lacking[0].name}: {lacking[0].missing}).")
    print("The submission ran as another user, who can read neither solutions nor results, but can reach the network.")
    return False
