"""`benchmarks/gpu.py` works without a GPU, as far as that can be tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell

from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.course.exams import VISIBLE_SEED, set_exams
from autograder.course.lesson_cells import lesson_cells, solved_cells
from autograder.course.notebooks import set_solution
from autograder.problems import Problem
from benchmarks import gpu
from benchmarks.on_gpu import backends, checks, learning, memory, rounding, solved, stopwatch
from benchmarks.on_gpu.findings import Findings
from manyheads.calling.call import Call
from manyheads.notebook import NOTHING_SHOWN
from tests.support.real_course import CHAPTERS, chapters
from tests.support.toy import TOY

CPU = torch.device("cpu")
NOT_THERE = ("nbgrader", "distributed", "dask", "jupytext", "rapidfuzz", "typer", "jinja2")


@pytest.mark.slow
def test_a_part_needs_nothing_of_the_graders(tmp_path: Path) -> None:
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in NOT_THERE)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\n{hidden}", encoding="utf-8")
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", "--pretend", "--out", out, "--parts", "checks.02_why_many_heads"],
        cwd=REPOSITORY_ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    [part] = document["parts"]
    assert document["pretend"]
    assert part["how"] == "as it should be"
    assert len(part["findings"]) > 20
    assert all(found["ok"] for found in part["findings"])


@pytest.mark.slow
def test_a_part_that_hangs_or_crashes_does_not_stop_the_next(tmp_path: Path) -> None:
    stages = [gpu.Stage(0, ("machine",)), gpu.Stage(60, ("no_such_part",))]
    outcomes = list(gpu.run(stages, "cpu", tmp_path))
    assert [one.how for one in outcomes] == ["stopped at its limit", "crashed, status 1"]
    assert "no_such_part" in (tmp_path / "no_such_part.log").read_text(encoding="utf-8")


def test_the_limits_add_up_to_six_minutes() -> None:
    assert sum(stage.limit for stage in gpu.STAGES) <= 360


def test_parts_are_chosen_by_name_or_kind() -> None:
    assert [stage.parts for stage in gpu.chosen(["checks.05_gpu", "timing"])] == [("checks.05_gpu",), ("timing",)]
    assert gpu.chosen(["checks"])[0].parts == tuple(f"checks.{name}" for name in gpu.CHAPTERS)
    assert gpu.chosen([]) == list(gpu.STAGES)


def test_what_was_found_is_on_the_disk_at_once_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    findings = Findings(path)
    findings.add("one", True, number=3)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"what": "two", "o')
    again = Findings(path)
    assert again.has("one")
    assert not again.has("two")
    assert gpu.read_findings(path) == [{"what": "one", "ok": True, "note": "", "number": 3}]


@pytest.mark.slow
@pytest.mark.parametrize("part", [backends, rounding, memory, stopwatch, learning])
def test_parts_find_nothing_wrong_on_a_cpu(part: ModuleType, tmp_path: Path) -> None:
    findings = Findings(tmp_path / "part.jsonl")
    part.run(findings, CPU)
    assert findings.ok


@pytest.mark.slow
def test_a_solved_notebook_is_saved_with_its_outputs(
    built_toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solved, "REPOSITORY_ROOT", built_toy)
    findings = Findings(tmp_path / "part.jsonl")
    solved.run(findings, CPU, TOY)
    assert "outputs" in (tmp_path / f"{TOY}.ipynb").read_text(encoding="utf-8")
    found = gpu.read_findings(tmp_path / "part.jsonl")
    assert any(one["ok"] for one in found)
    # Learners' fixtures are the real course's, so no check knows the toy's exercises: each of them is found to fail.
    assert all(("# grade: " in one["what"]) is not one["ok"] for one in found)


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_everything_is_as_it_should_be_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/gpu.py", "--pretend", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
def test_in_a_solved_notebook_each_check_that_passes_is_found_to_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = CHAPTERS[0]
    notebook = nbformat.read(chapter.folder / f"{chapter.name}.ipynb", as_version=4)
    imports = next(cell for cell in notebook.cells if cell.source == chapter.imports)
    notebook.cells = [imports, *(cell for cell in notebook.cells if "nbgrader" in cell.metadata)]
    set_solution(notebook, "causal_mask", "def causal_mask(seq):\n    raise NotImplementedError()")
    notebook.cells.append(new_code_cell(f"print({NOTHING_SHOWN[0]!r}, 'it is written.')"))
    path = tmp_path / "solutions" / chapter.name / f"{chapter.name}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    monkeypatch.setattr(solved, "REPOSITORY_ROOT", tmp_path)
    solved.run(Findings(tmp_path / "part.jsonl"), CPU, chapter.name)
    found = gpu.read_findings(tmp_path / "part.jsonl")
    assert len(found) == len(notebook.cells)
    wrong = [one["what"].partition(": ")[2] for one in found if not one["ok"]]
    assert wrong[:-1] == ["# grade: causal_mask.shapes", "# grade: causal_mask.outputs"]
    assert "print" in wrong[-1]


def test_a_wrong_answer_and_a_mistake_without_its_name_are_found(toy: Chapter) -> None:
    name, exam = next(iter(set_exams(toy, VISIBLE_SEED).items()))
    right = next(checks.candidates(toy, exam))
    answers = checks.ask(exam, right.target(), CPU)
    mistaken = next(one for one in checks.candidates(toy, exam) if one.mistake)
    wrong = checks.ask(exam, mistaken.target(), CPU)
    assert checks.judge(exam, right, answers, moved=False) == (True, "")
    assert checks.judge(exam, mistaken, wrong, moved=False) == (True, "")
    assert not checks.judge(exam, right, wrong, moved=False)[0]
    assert not checks.judge(exam, mistaken, answers, moved=False)[0], f"{name} passes with a mistake"


def test_all_tensors_of_a_call_move_except_those_on_the_pretend_device() -> None:
    meta = torch.device("meta")
    call: Any = checks.there(Call({"x": [torch.ones(2)], "y": {"a": torch.ones(3)}, "where": CPU, "n": 4}), meta)
    assert call.inputs["x"][0].is_meta
    assert call.inputs["y"]["a"].is_meta
    assert (call.inputs["where"], call.inputs["n"]) == (CPU, 4)
    pretend = torch.ones(2, device=meta)
    assert checks.there(Call({"x": pretend}), CPU).inputs["x"] is pretend


@chapters
def test_the_solved_notebook_gives_the_lessons_cells(chapter: Chapter) -> None:
    lesson, read = (
        Chapter(chapter.folder, tuple(cells), chapter.exercises)
        for cells in (chapter.cells, solved_cells(chapter.folder / f"{chapter.name}.ipynb"))
    )
    assert read.imports == lesson.imports
    assert read.reference == lesson.reference
    assert read.graded_cells == lesson.graded_cells


def test_without_jupytext_an_unbuilt_lesson_is_reported(toy_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(Problem, match="install jupytext, or build 00_rows"):
        lesson_cells(toy_root / "solutions" / TOY / "lesson.py")
