"""Measures how many unlisted mistakes a check explains. Prints shares by chapter, and messages to read.

Wrong attempts are made of the reference solutions and of every declared alternative (`mutated.py`), and go through the
learner's checks in this process. Those that pass on the learner's cases are asked the judge's questions of several
seeds as well: what is right there, too, is set aside as equivalent; what is not is a hole in the learner's cases.

With `--written FOLDER`, attempts that people wrote are taken in their place, one a file: `NN/EXERCISE__LABEL.py` or
`NN_EXERCISE__LABEL.py`, with the chapter's number. Where a label begins with `right_`, it must pass.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
import torch.fx.experimental.symbolic_shapes  # torch does at its first gradient; _LONGEST could end within

from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapters
from autograder.course.exams import set_exams
from benchmarks.mutated import mutated
from manyheads.calling import probe
from manyheads.calling.call import Answer
from manyheads.checking import diagnosis, exam_files, first_wrong_line
from manyheads.checking.diagnosis import Finding
from manyheads.checking.exam import Check, Exam
from manyheads.checking.stage import Stage

_LONGEST = 10  # seconds that the code of one attempt may run
_SEEDS = ("a judge's seed", "another judge's seed")
VALUES = ("values", "finite", "gradients")  # stages at which everything is right but for numbers


@dataclass(frozen=True)
class Attempt:
    """One wrong attempt and what the check said. `finding` is None where it passed."""

    chapter: str
    exercise: str
    edit: str
    source: str
    finding: Finding | None
    cause: bool
    by_line: bool
    equivalent: bool
    seconds: float

    @property
    def kind(self) -> str:
        """How far the check explains it."""
        finding = self.finding
        if finding is None:
            return "equivalent" if self.equivalent else "passes though wrong"
        if finding.misconception or finding.stage in ("forbidden", "unsolved"):
            return "named"
        if (finding.message.further or finding.message.right) and finding.stage != "ran":
            return "line" if self.by_line else "relation"
        if finding.stage == Stage.RAN:
            return "exception" if self.cause else "exception, no cause"
        return "located"


def attempts(chapters: list[Chapter], count: int, seed: int) -> Iterator[Attempt]:
    """Make and check `count` attempts, from all exercises alike; a fifth of them have two mistakes."""
    draw = random.Random(seed)
    exams = exam_files.all_exams()
    exercises = [(chapter, name) for chapter in chapters for name in chapter.exercises if not exams[name].conceals]
    seen: set[tuple[str, str]] = set()
    made = tried = 0
    while made < count and tried < 40 * count:
        tried += 1
        chapter, name = draw.choice(exercises)
        sources = [chapter.reference[name], *(way.code for way in chapter.exercises[name].alternatives)]
        source, edit = mutated(draw.choice(sources), draw, edits=1 if draw.random() < 0.8 else 2)
        if source and (name, source) not in seen:
            seen.add((name, source))
            made += 1
            yield checked(chapter, exams[name], source, edit)


def written(chapters: list[Chapter], folder: Path) -> Iterator[Attempt]:
    """Check what people wrote."""
    exams = exam_files.all_exams()
    by_number = {chapter.name[:2]: chapter for chapter in chapters}
    for path in sorted(folder.rglob("*__*.py")):
        exercise, _, label = path.stem.partition("__")
        number = exercise[:2] if exercise[:2].isdecimal() else path.parent.name
        exercise = exercise.removeprefix(f"{number}_")
        if number in by_number:
            try:
                yield checked(by_number[number], exams[exercise], path.read_text(encoding="utf-8"), label)
            except Exception as error:
                print(f"{path} does not define it: {error!r}")


def checked(chapter: Chapter, exam: Exam, source: str, edit: str) -> Attempt:
    """Put one attempt through the learner's check of outputs, which goes as far as that of shapes, and on."""
    given = answers(chapter, exam, source)
    begun = time.process_time()
    finding = diagnosis.forbidden_in(exam, source) or diagnosis.examine(exam, given, Check.OUTPUTS, source)
    by_line = False
    if finding is not None and first_wrong_line.is_unexplained(finding) and first_wrong_line.may_tell(finding, exam):
        with _quietly():
            namespace = chapter.namespace({exam.exercise: source})
            places = first_wrong_line.departing(exam, given)
            calls = [exam.trials[place].call for place in places]
            made = probe.record(namespace[exam.exercise], calls, exam.probe, namespace)
        recorded = first_wrong_line.of_all(given, places, made)
        further = first_wrong_line.explained(finding, exam, given, recorded)
        finding, by_line = further, further is not finding
    seconds = time.process_time() - begun
    cause = any(answer.failure is not None and bool(answer.failure.cause) for answer in given)
    equivalent = finding is None and all(
        diagnosis.examine(other, answers(chapter, other, source), Check.OUTPUTS) is None
        for other in (set_exams(chapter, seed)[exam.exercise] for seed in _SEEDS)
    )
    return Attempt(chapter.name, exam.exercise, edit, source, finding, cause, by_line, equivalent, seconds)


def answers(chapter: Chapter, exam: Exam, source: str) -> list[Answer]:
    """Run the attempt in place of the reference solution, and return its answer to each case."""
    with _quietly():
        target = chapter.namespace({exam.exercise: source}).get(exam.exercise)
        return [probe.run(target, trial.call, exam.probe, exam.forbids) for trial in exam.trials]


@contextlib.contextmanager
def _quietly() -> Generator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), _at_most(_LONGEST):
        yield


@contextlib.contextmanager
def _at_most(seconds: int) -> Generator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"ran longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def table(rows: list[Attempt]) -> str:
    """Return the shares by chapter and in all: of wrong attempts, and of those whose numbers alone are wrong."""
    kinds = ["named", "relation", "line", "exception", "exception, no cause", "located"]
    lines = ["| chapter | wrong attempts | " + " | ".join(kinds) + " | wrong numbers | of these named | explained |"]
    lines += ["|---" * (len(kinds) + 5) + "|"]
    for chapter in [*sorted({row.chapter for row in rows}), "all"]:
        wrong = [row for row in rows if row.finding is not None and chapter in (row.chapter, "all")]
        numbers = [row for row in wrong if row.finding is not None and row.finding.stage in VALUES]
        shares = [_share(sum(row.kind == kind for row in wrong), len(wrong)) for kind in kinds]
        named = sum(row.kind == "named" for row in numbers)
        explained = sum(row.kind in ("named", "relation", "line") for row in numbers)
        figures = [len(wrong), *shares, len(numbers), _share(named, len(numbers)), _share(explained, len(numbers))]
        lines.append(f"| {chapter} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def main() -> int:
    """Make the attempts and print the table. Return 1 where one passes though it is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="how many attempts to make")
    parser.add_argument("--chapter", default="", help="the beginning of a chapter's name")
    parser.add_argument("--exercise", default="", help="an exercise's name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--written", type=Path, metavar="FOLDER", help="attempts that people wrote, in place of made ones"
    )
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N messages with the edits behind them")
    parser.add_argument("--kind", default="", help="show only these: named, relation, line, located, …")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    read = read_chapters(REPOSITORY_ROOT / "solutions")
    chapters = [chapter for chapter in read if chapter.name.startswith(arguments.chapter)]
    if arguments.written:
        made = written(chapters, arguments.written)
    else:
        made = attempts(chapters, arguments.count, arguments.seed)
    rows, right = list[Attempt](), list[Attempt]()
    for attempt in made:
        if arguments.exercise in ("", attempt.exercise):
            (right if arguments.written and attempt.edit.startswith("right_") else rows).append(attempt)
    shown = [row for row in rows if row.kind.startswith(arguments.kind) and row.finding is not None]
    for row in random.Random(arguments.seed).sample(shown, min(arguments.show, len(shown))):
        assert row.finding is not None
        print(f"{'=' * 100}\n{row.exercise} [{row.kind}]  {row.edit}\n\n{row.finding.message}\n")
    print(table(rows))
    counts = Counter(row.kind for row in rows)
    stages = Counter(row.finding.stage for row in rows if row.kind == "located" and row.finding is not None)
    print(f"\nlocated only, by stage: {dict(stages.most_common())}")
    holes = [row for row in rows if row.kind == "passes though wrong"]
    print(f"{counts['equivalent']} are equivalent, such as:")
    for row in [row for row in rows if row.kind == "equivalent"][:5]:
        print(f"  {row.exercise}: {row.edit}")
    print(f"{len(holes)} pass the learner's cases and fail the judge's:")
    for row in holes:
        print(f"  {row.exercise}: {row.edit}")
    refused = [row for row in right if row.finding is not None or not row.equivalent]
    for row in refused:
        by = "" if row.finding is not None else " by a judge"
        print(f"right, and refused{by}: {row.exercise}: {row.edit}\n{row.finding.message if row.finding else ''}")
    if arguments.written:
        print(f"{len(right)} right ones, {len(refused)} refused")
    took = sorted(row.seconds for row in rows if row.finding is not None)
    if took:
        median, most = took[len(took) // 2] * 1e3, took[-1] * 1e3
        print(f"examining a wrong attempt takes, in CPU time: median {median:.0f} ms, at most {most:.0f} ms")
    return 1 if holes or refused else 0


if __name__ == "__main__":
    sys.exit(main())
