"""Kills a grading run at random moments, and compares what it leaves with an undisturbed run.

    python -m tests.support.kill_trials [--submissions 100] [--trials 20] [--seed N]

Each trial grades the same class from nothing. At a random moment it kills, by SIGKILL, a worker, a worker's warm
process, or the command itself. If the command was killed, it is run again. Then the gradebook and the records must be
those of the undisturbed run, and no process may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.record import read_record
from autograder.course.build import build
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.run.grade import grade
from tests.support.processes import is_alive
from tests.support.toy import TOY, TOY_COURSE

WORKER, WARM, COMMAND = VICTIMS = ("a worker", "a warm process", "the command")
_WRONG = "def scale_rows(x, factors): return x + factors[:, None]"


def make_class(root: Path, submissions: int) -> ClassFolder:
    """Make a class of the toy course in which a third is right, a third mistaken, a third unfinished."""
    course = shutil.copytree(TOY_COURSE, root / "course")
    build(course)
    folder = new_class(root / "class", course / "solutions")
    right = dict(folder.chapter(TOY).reference)
    written = [right, {**right, "scale_rows": _WRONG}, {"scale_rows": right["scale_rows"]}]
    for number in range(submissions):
        notebook = read_text(folder.root / "release" / TOY / f"{TOY}.ipynb")
        for exercise, source in written[number % 3].items():
            set_solution(notebook, exercise, source)
        path = folder.notebook(f"learner{number:03d}", TOY)
        path.parent.mkdir(parents=True)
        path.write_text(to_text(notebook), encoding="utf-8")
    return folder


def state(folder: ClassFolder) -> Mapping[str, Any]:
    """Return everything that a run leaves, without times: grades, comments, penalties, records."""
    kept: dict[str, Any] = {}
    with Gradebook(folder.gradebook_url) as gradebook:
        for submission in gradebook.assignment_submissions(TOY):
            [notebook] = submission.notebooks
            kept[str(submission.student_id)] = (
                submission.score,
                sorted((g.name, g.auto_score, g.manual_score, g.needs_manual_grade) for g in notebook.grades),
                sorted((c.name, c.auto_comment, c.manual_comment) for c in notebook.comments),
                notebook.late_submission_penalty,
            )
    for student in folder.students(TOY):
        record = read_record(folder.record_path(student, TOY))
        assert record is not None, f"{student} has no record"
        kept[f"{student}'s record"] = (record.outcome, record.reason, record.verdicts, record.repairs, record.sealed)
    return kept


def start(folder: ClassFolder) -> psutil.Popen:
    """Give the command."""
    command = [sys.executable, "-m", "autograder", "grade", str(folder.root), TOY]
    log = (folder.root.parent / "log").open("ab")
    with log:
        return psutil.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True
        )


def find(victim: str, command: psutil.Popen) -> psutil.Process | None:
    """Return a process to kill, None if there is none of that kind yet."""
    if victim == COMMAND:
        return command
    children = {child: " ".join(child.cmdline()) for child in command.children(recursive=True)}
    if victim == WARM:  # or what holds it, or one submission's init; not a learner's own process
        found = [child for child, words in children.items() if "autograder.sandbox.inside.zygote" in words]
        found = [child for child in found if (parent := child.parent()) and parent.name() != child.name()]
        # and the first that it has forked, which makes the namespaces
        forks = [child.children() for child in found if child.name() != "bwrap"]
        found += [min(children, key=psutil.Process.create_time) for children in forks if children]
    else:  # a fork of the fork server, with its command line, which can be the command's
        parents = {child: child.parent() for child in children}
        found = [child for child, parent in parents.items() if parent and children[child] == children.get(parent) != ""]
        servers = (" ".join(command.cmdline()), "multiprocessing.forkserver")
        found = [child for child in found if any(server in children[child] for server in servers)]
    return random.choice(found) if found else None


def trial(folder: ClassFolder, victim: str, after: int) -> str:
    """Grade, kill `victim` once that many records are there, and repeat the command until it succeeds.

    Returns:
        What happened, in a line.
    """
    records = folder.root / "outcomes"
    waiting = threading.Event()
    runs = 0
    killed = False
    seen: set[psutil.Process] = set()
    while True:
        runs += 1
        assert runs < 10, (folder.root.parent / "log").read_text()[-2000:]
        command = start(folder)
        while command.poll() is None:
            if not killed and len(list(records.rglob("*.json"))) >= after:
                try:
                    process = find(victim, command)
                    seen.update(command.children(recursive=True))
                    if process is not None:
                        process.kill()
                        killed = True
                except psutil.NoSuchProcess:
                    pass  # it has ended by itself: another one
            waiting.wait(0.01)
        if command.returncode == 0:
            break
    assert killed, f"{victim} was never there"
    _, left = psutil.wait_procs(seen, timeout=20)
    left = [process for process in left if is_alive(process)]
    assert not left, f"left behind: {left}"
    return f"killed {victim} after {after} of {len(folder.students(TOY))}; the command was given {runs} times"


def undo(folder: ClassFolder, blank: Path) -> None:
    """Reset the class to its state before grading."""
    for name in ("outcomes", "autograded"):
        shutil.rmtree(folder.root / name, ignore_errors=True)
    for beside in folder.root.glob("gradebook.db*"):
        beside.unlink()
    shutil.copy(blank, folder.root / "gradebook.db")


def run_trials(root: Path, submissions: int, victims: list[tuple[str, int]], tell: Any) -> None:
    """Make a class, grade it undisturbed, then once for each of `victims` (who, after how many records)."""
    folder = make_class(root, submissions)
    blank = shutil.copy(folder.root / "gradebook.db", root / "blank.db")
    grade(folder, TOY, workers=4, progress=False)
    undisturbed = state(folder)
    assert len(undisturbed) == 2 * submissions
    for victim, after in victims:
        undo(folder, Path(blank))
        tell(trial(folder, victim, after))
        now = state(folder)
        other = [name for name in undisturbed.keys() | now.keys() if undisturbed.get(name) != now.get(name)]
        assert not other, f"not as undisturbed: {other}"


def main() -> None:
    """Run the trials and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    victims = [
        (VICTIMS[number % len(VICTIMS)], random.randrange(arguments.submissions - 10))
        for number in range(arguments.trials)
    ]
    with tempfile.TemporaryDirectory(prefix="kill-trials-") as scratch:
        run_trials(Path(scratch), arguments.submissions, victims, lambda line: print(line, flush=True))
    print(f"{arguments.trials} trials, each time the same gradebook and the same records as undisturbed")


if __name__ == "__main__":
    main()
