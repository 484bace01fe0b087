"""`autograder demo`: a sample class, made from the chapters' own misconceptions and alternatives.

Newcomers run it first, and it shows a chapter's author how a class would do. It writes notebooks as learners would
submit them; `demo_command` then collects, grades and reports them with the code of the ordinary commands.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from rich import box
from rich.table import Table

from ..classroom.class_folder import ClassFolder, in_use, new_class
from ..classroom.results import ClassResults
from ..course import notebooks as source_notebook
from ..course.chapter import Chapter
from ..outcomes import Outcome
from ..problems import Problem
from . import score_table

_MADE_BY_DEMO = ".made-by-demo"
# fmt: off
_NAMES = (
    "ada", "emmy", "katherine", "sofia", "grace", "alan", "carl", "srinivasa", "evelyn", "leonhard", "mary", "kurt",
    "hypatia", "dorothy", "blaise", "annie", "david", "ida", "pierre", "george", "rosalind", "niels",
)
# fmt: on


def make_class(root: Path, solutions: Path, chapters: Sequence[Chapter]) -> tuple[ClassFolder, dict[str, Path]]:
    """Make a class folder at `root`, with files that learners have submitted.

    Args:
        chapters: those that they have submitted. A chapter with few exercises has fewer kinds of submissions: the last
            learners have not submitted it.

    Returns:
        (class folder, folder of files to collect by assignment)

    Raises:
        Problem: if `root` is not empty and was not made by this command, or another command is working in it.
    """
    if root.exists() and any(root.iterdir()):
        if not (root / _MADE_BY_DEMO).is_file():
            raise Problem(f"{root} exists and was not made by this command; name another folder")
        with in_use(ClassFolder(root)):  # by nobody else
            shutil.rmtree(root)
    folder = new_class(root, solutions)
    (root / _MADE_BY_DEMO).touch()
    handed_in = {chapter.name: root / "handed-in" / chapter.name for chapter in chapters}
    for chapter in chapters:
        handed_in[chapter.name].mkdir(parents=True)
        release = source_notebook.read_text(root / "release" / chapter.name / f"{chapter.name}.ipynb")
        for name, written in submissions(chapter).items():
            notebook = copy.deepcopy(release)
            for exercise, source in written.items():
                source_notebook.set_solution(notebook, exercise, source)
            path = handed_in[chapter.name] / f"{name}.ipynb"
            path.write_text(source_notebook.to_text(notebook), encoding="utf-8")
        (handed_in[chapter.name] / "oscar.ipynb").write_text("This is my homework as a text file.\n", encoding="utf-8")
    return folder, handed_in


def commonest_mistakes(results: ClassResults, most: int = 5) -> list[str]:
    """Return a line for each of the mistakes that most learners made."""
    return [
        f"  {len(mistake.students)} × {mistake.name} ({mistake.exercise})" for mistake in results.misconceptions[:most]
    ]


def print_overview(results: Sequence[ClassResults]) -> None:
    """Print a table with a row for each chapter: how its submissions ended, and the most common mistake."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("chapter")
    for heading in ("graded", "not graded", "mean points"):
        table.add_column(heading, justify="right")
    table.add_column("the most common mistake")
    for result in results:
        scores = result.scores
        points = f"{mean(scores):.1f} of {result.max_score:g}" if scores else ""
        others = len(result.learners) - len(scores)
        mistakes = [line.strip() for line in commonest_mistakes(result, 1)]
        table.add_row(result.title, str(len(scores)), str(others), points, *mistakes)
    score_table.console().print(table)


def surprises(results: ClassResults, chapter: Chapter) -> list[str]:
    """Return a sentence for each grade that is not as expected. Any such grade is a fault of the grader."""
    ended = {learner.student: learner for learner in results.learners}
    found = []
    for name, written in submissions(chapter).items():
        learner = ended.get(name)
        if learner is None or learner.outcome != Outcome.GRADED:
            why = "is missing" if learner is None else f"is {learner.outcome}: {learner.reason}"
            found.append(f"{name}'s submission {why}.")
            continue
        right = {exercise: {code} for exercise, code in chapter.reference.items()}
        for exercise, alternative in chapter.alternatives():
            right[exercise.name].add(alternative.code)
        for exercise, result in learner.exercises.items():
            code = written.get(exercise)
            most = result.points if code in right[exercise] else 0.0 if code is None else result.points / 2
            if result.earned > most or (code in right[exercise] and result.earned < most):
                found.append(f"{name} got {result.earned:g} of {result.points:g} points for {exercise}.")
    oscar = ended.get("oscar")
    if oscar is None or oscar.outcome != Outcome.UNREADABLE:
        found.append(f"oscar's text file is {'missing' if oscar is None else oscar.outcome}, not {Outcome.UNREADABLE}.")
    return found


def submissions(chapter: Chapter) -> dict[str, Mapping[str, str]]:
    """Return each learner's solutions, by exercise: correct, correct in another way, mistaken and unfinished ones.

    An exercise that a learner's mapping lacks keeps the code of the released notebook. Where a chapter has so many
    exercises that there are not names enough, the last mistaken ones are left out.
    """
    right = dict(chapter.reference)
    names = list(right)
    other_ways: dict[str, str] = {}
    for exercise, alternative in chapter.alternatives():
        other_ways.setdefault(exercise.name, alternative.code)
    learners: list[Mapping[str, str]] = [right, {**right, **other_ways}, right]
    mistaken = [
        [(exercise.name, chapter.mistaken(exercise.name, mistake)) for mistake in exercise.misconceptions]
        for exercise in chapter.exercises.values()
        if exercise.misconceptions
    ]
    # One learner for the first mistake of each exercise; then some who make it and a second one in another exercise.
    learners += [{**right, **dict(mistakes[:1])} for mistakes in mistaken]
    learners += [
        {**right, **dict([mistakes[0], others[-1]])} for mistakes, others in zip(mistaken, mistaken[2:], strict=False)
    ]
    learners += [{**right, **dict(mistakes[:1])} for mistakes in mistaken[1:3]]
    unfinished: list[Mapping[str, str]] = [
        {name: right[name] for name in names[: len(names) // 2]},
        {name: right[name] for name in names if name not in names[1:2]},
        {},
    ]
    learners = learners[: len(_NAMES) - len(unfinished)] + unfinished
    return dict(zip(_NAMES, learners, strict=False))
