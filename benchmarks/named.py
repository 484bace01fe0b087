"""How many of the known mistakes do learners' checks name, with this Python and this torch? Printed as a line of JSON.

The stored answers were made with one version. Each mistake is made again here, and the check must recognise it.
`make pythons` runs this with each version; it ends with 1 where one is not named.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from autograder.course.chapter import REPOSITORY_ROOT, read_chapters
from manyheads.calling import probe
from manyheads.checking import diagnosis, exam_files
from manyheads.checking.exam import Check


def main() -> int:
    """Make each mistake and print who was not named. Return 1 if there is one."""
    exams, made, unnamed = exam_files.all_exams(), 0, []
    for chapter in read_chapters(REPOSITORY_ROOT / "solutions"):
        for exercise, mistake in chapter.misconceptions():
            source, exam = chapter.mistaken(exercise.name, mistake), exams[exercise.name]
            target = chapter.namespace({exercise.name: source})[exercise.name]
            answers = [probe.run(target, trial.call, exam.probe, exam.forbids) for trial in exam.trials]
            found = (diagnosis.examine(exam, answers, check, source) for check in Check)
            made += 1
            if mistake.name not in {finding.misconception for finding in found if finding}:
                unnamed.append(f"{exercise.name}: {mistake.name}")
    told = {"python": platform.python_version(), "torch": torch.__version__, "mistakes": made, "not named": unnamed}
    print(json.dumps(told, ensure_ascii=False))
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
