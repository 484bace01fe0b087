"""Kernels of all supported ipykernel versions: a missing shortcut only costs time, and `doctor` says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autograder.classroom.results import ClassResults, ExerciseResult, LearnerResult, State
from autograder.cli import doctor
from autograder.cli.demo import surprises
from autograder.course.chapter import REPOSITORY_ROOT
from autograder.outcomes import Outcome
from autograder.realign.newer_python import COLAB
from autograder.sandbox.inside import namespaces
from tests.support.real_course import CHAPTERS

WITHOUT = """
from ipykernel import iostream, kernelapp, kernelbase
del kernelbase.Kernel._publish_status_and_flush
del kernelbase._accepts_parameters
from autograder.sandbox.inside import half_kernel
print("; ".join(half_kernel.SLOWER))
print(half_kernel._Kernel.execute_request is half_kernel.IPythonKernel.execute_request)
print(half_kernel._NoThread("any", "thing", daemon=True) or "no thread")
"""


@pytest.mark.slow
def test_what_a_version_lacks_is_left_to_ipykernel_and_told() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=120)
    lacking, *others = done.stdout.splitlines()
    for part in ("_publish_status_and_flush", "_accepts_parameters"):
        assert part in lacking
    assert others == ["True", "no thread"]


@pytest.mark.slow
def test_all_parts_are_there_in_the_versions_that_are_installed() -> None:
    code = "from autograder.sandbox.inside import half_kernel; print(half_kernel.SLOWER)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"


def test_doctor_reports_a_kernel_that_does_not_start_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("a sealed kernel could not be started: TypeError: an unexpected argument")

    monkeypatch.setattr("autograder.sandbox.kernel.SealedKernel.start_kernel", refuse)
    told = doctor.report([doctor.find_kernel()])
    assert "✗ a sealed kernel: OSError: a sealed kernel could not be started" in told
    assert "pip install 'ipykernel" in told


def test_doctor_tells_a_slower_kernel_as_one_that_works() -> None:
    told = doctor.report([doctor.Layer("a sealed kernel", remark="slower than necessary")])
    assert "✓ a sealed kernel: slower than necessary" in told


UNTOUCHED = """
import mmap
from autograder.sandbox.inside.namespaces import untouched_memory
before = untouched_memory()
asked_for = mmap.mmap(-1, 300 * 2**20, flags=mmap.MAP_PRIVATE)
print(untouched_memory() - before)
for place in range(0, len(asked_for), 4096):
    asked_for[place] = 1
print(untouched_memory() - before)
"""


def test_memory_that_was_only_asked_for_is_known_from_what_is_used() -> None:
    done = subprocess.run([sys.executable, "-c", UNTOUCHED], capture_output=True, text=True, check=True, timeout=120)
    asked_for, used = (int(row) / 2**20 for row in done.stdout.splitlines())
    assert 290 < asked_for < 310
    assert abs(used) < 10
    assert namespaces.untouched_memory() >= 0


def test_the_demo_is_surprised_by_any_grade_that_is_not_as_it_must_be() -> None:
    chapter = CHAPTERS[0]
    points = {name: 2.0 for name in chapter.exercises}
    alternatives = {exercise.name for exercise, _ in chapter.alternatives()}
    assert alternatives

    def results(**changed: LearnerResult) -> ClassResults:
        full = {name: ExerciseResult(2.0, 2.0, State.RIGHT) for name in points}
        learners = {"ada": LearnerResult("ada", Outcome.GRADED, "", 2.0 * len(points), full)}
        learners["oscar"] = LearnerResult("oscar", Outcome.UNREADABLE, "not JSON", None)
        return ClassResults(chapter.name, "", points, tuple({**learners, **changed}.values()), ())

    others = surprises(results(), chapter)
    assert all("is missing" in told for told in others)
    assert not any(told.startswith(("ada", "oscar")) for told in others)

    first = next(iter(points))
    less = {
        **{name: ExerciseResult(2.0, 2.0, State.RIGHT) for name in points},
        first: ExerciseResult(1.0, 2.0, State.PARTLY),
    }
    review = LearnerResult("ada", Outcome.NEEDS_REVIEW, "the kernel did not start", None)
    for ada, words in (
        (review, "needs review: the kernel did not start"),
        (LearnerResult("ada", Outcome.GRADED, "", 0, less), f"ada got 1 of 2 points for {first}"),
    ):
        assert any(words in told for told in surprises(results(ada=ada), chapter))
    # The fourth learner makes the first exercise's first mistake: full marks would be wrong there.
    full = {name: ExerciseResult(2.0, 2.0, State.RIGHT) for name in points}
    sofia = LearnerResult("sofia", Outcome.GRADED, "", 0, full)
    assert any("sofia got 2 of 2 points" in told for told in surprises(results(sofia=sofia), chapter))


def test_doctor_says_where_colabs_python_is_newer_than_the_graders() -> None:
    for here, older in (((3, 11), True), ((3, 12), True), (COLAB, False), ((3, 14), False), ((4, 0), False)):
        assert ("Colab has 3.13" in doctor._python(here)) == older, here
        assert ("needs review" in doctor._python(here)) == older, here
    told = f"Colab itself has Python {COLAB[0]}.{COLAB[1]} "
    assert told in (REPOSITORY_ROOT / "requirements-colab.txt").read_text(encoding="utf-8")
