"""Whatever stops a run, finished work is saved, the next run continues, and the result is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.record import read_record
from autograder.classroom.results import class_results
from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.outcomes import Outcome
from autograder.run.grade import grade
from tests.support import kill_trials
from tests.support.toy import TOY, HandIn

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("victim", "after"),
    [
        (kill_trials.COMMAND, 3),
        pytest.param(kill_trials.WORKER, 2, marks=pytest.mark.thorough),
        pytest.param(kill_trials.WARM, 4, marks=pytest.mark.thorough),
    ],
)
def test_killed_anywhere_the_gradebook_is_that_of_an_undisturbed_run(tmp_path: Path, victim: str, after: int) -> None:
    """One trial each; `tests.support.kill_trials` makes twenty, with a hundred submissions each."""
    told: list[str] = []
    kill_trials.run_trials(tmp_path, 8, [(victim, after)], told.append)
    assert len(told) == 1


def test_a_run_that_is_stopped_by_hand_says_what_was_done(tmp_path: Path, interruptible: None) -> None:
    folder = kill_trials.make_class(tmp_path, 9)
    for student in folder.students(TOY)[3:]:  # they take longer than this test to notice that some are done
        notebook = read_text(folder.notebook(student, TOY))
        set_solution(
            notebook, "scale_rows", f"import time\ntime.sleep(3)\n{folder.chapter(TOY).reference['scale_rows']}"
        )
        folder.notebook(student, TOY).write_text(to_text(notebook), encoding="utf-8")
    command = kill_trials.start(folder)
    while len(list((folder.root / "outcomes").rglob("*.json"))) < 2:
        assert command.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.05)
    os.killpg(command.pid, signal.SIGINT)  # as a terminal sends it, to workers too
    assert command.wait() == 130
    told = (tmp_path / "log").read_text()
    assert "Stopped." in told
    assert "of 9 submissions of 00_rows are graded and saved; the same command continues with the rest." in told
    assert "Traceback" not in told
    grade(folder, TOY, workers=4, progress=False)
    assert {learner.outcome for learner in class_results(folder, TOY).learners} == {Outcome.GRADED}


def test_a_score_given_by_hand_stays_through_every_regrade(
    toy_class: ClassFolder, hand_in: HandIn, toy: Chapter
) -> None:
    hand_in(toy_class, "ada", dict(toy.reference))
    grade(toy_class, TOY, workers=1, progress=False)
    with Gradebook(toy_class.gradebook_url) as gradebook:
        by_hand: Any = gradebook.find_grade("scale_rows-outputs", TOY, TOY, "ada")
        by_hand.manual_score = 0.5
        by_hand.notebook.comments[0].manual_comment = "half a point"
        gradebook.db.commit()
    before = read_record(toy_class.record_path("ada", TOY))

    assert grade(toy_class, TOY, workers=1, progress=False).unchanged == 1
    assert grade(toy_class, TOY, workers=1, regrade=True, progress=False).outcomes == {Outcome.GRADED: 1}

    with Gradebook(toy_class.gradebook_url) as gradebook:
        kept = gradebook.find_grade("scale_rows-outputs", TOY, TOY, "ada")
        assert (kept.manual_score, kept.auto_score, kept.score) == (0.5, 2, 0.5)
        assert "half a point" in [comment.manual_comment for comment in kept.notebook.comments]
        assert kept.notebook.assignment.score == 7.5
    after = read_record(toy_class.record_path("ada", TOY))
    assert before is not None
    assert after is not None
    assert before.verdicts == after.verdicts, "grading twice gives the same verdicts"


# A class in a folder of a few megabytes, on a file system of its own.
SCENARIO = """
import json, os, subprocess, sys
from pathlib import Path
root = Path({root!r})
command = [sys.executable, "-m", "autograder", "grade", str(root / "class"), "00_rows", "--no-sandbox"]

def run():
    done = subprocess.run(command, capture_output=True, text=True)
    return {{"code": done.returncode, "told": done.stdout + done.stderr}}

results = []
filler = root / "filler"
with filler.open("wb") as file:
    while True:
        try:
            file.write(bytes({left}))
            file.flush()
        except OSError:
            break
os.truncate(filler, filler.stat().st_size - {left})
results.append(run())
filler.unlink()
results.append(run())
print(json.dumps(results))
"""


def in_its_own(root: Path, source: str, *mounts: str) -> list[dict[str, object]]:
    """Run a program that sees the class on a small file system, and return what it prints."""
    command = ["bwrap", "--dev-bind", "/", "/", *mounts, "--", sys.executable, "-c", textwrap.dedent(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=REPOSITORY_ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.thorough
def test_a_full_disk_stops_the_run_and_the_next_one_makes_it_good(tmp_path: Path) -> None:
    original = kill_trials.make_class(tmp_path / "original", 2)
    scene = tmp_path / "scene"
    scene.mkdir()
    copied = f"import shutil; shutil.copytree({str(original.root)!r}, {str(scene / 'class')!r})\n"
    taken_out = f"shutil.copytree({str(scene / 'class')!r}, {str(tmp_path / 'outside')!r}, dirs_exist_ok=True)\n"
    source = copied + SCENARIO.format(root=str(scene), left=20_000)
    source = source.replace("print(json.dumps(results))", f"{taken_out}print(json.dumps(results))")
    (tmp_path / "outside").mkdir()
    full, after = in_its_own(scene, source, "--size", str(24 * 2**20), "--tmpfs", str(scene))
    told = str(full["told"])
    assert "No space left" in told or "disk is full" in told
    # Where not even the outcome can be written, the run ends; else those that could not be saved wait for the next.
    assert "of 2 submissions of 00_rows are graded and saved" in told if full["code"] == 2 else "needs review" in told
    assert "Traceback" not in told
    assert after["code"] == 0, after
    grade(original, TOY, workers=4, progress=False)
    made_good = dict(kill_trials.state(ClassFolder(tmp_path / "outside")))
    expected = dict(kill_trials.state(original))
    for name in (name for name in expected if name.endswith("record")):
        made_good[name], expected[name] = made_good[name][:-1], expected[name][:-1]  # one of them was not sealed
    assert made_good == expected


def test_a_gradebook_that_cannot_be_written_stops_the_run_before_anything_runs(tmp_path: Path) -> None:
    folder = kill_trials.make_class(tmp_path, 2)
    gradebook = str(folder.root / "gradebook.db")
    source = f"""
        import json, subprocess, sys
        command = [sys.executable, "-m", "autograder", "grade", {str(folder.root)!r}, "00_rows", "--no-sandbox"]
        done = subprocess.run(command, capture_output=True, text=True)
        print(json.dumps([{{"code": done.returncode, "told": done.stdout + done.stderr}}]))
    """
    [ran] = in_its_own(tmp_path, source, "--ro-bind", gradebook, gradebook)
    assert ran["code"] == 2
    assert "cannot be written, so nothing is graded" in str(ran["told"])
    assert not (folder.root / "outcomes").exists()
    grade(folder, TOY, workers=4, progress=False)
    assert {learner.outcome for learner in class_results(folder, TOY).learners} == {Outcome.GRADED}
