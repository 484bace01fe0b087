"""nbgrader's Validate, as learners of a hub have it: it runs what the checks need."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from autograder.classroom.person import Person
from autograder.course.notebooks import set_solution
from autograder.hub import write
from autograder.hub.validate import leave_out
from tests.support.nbgrader_command import nbgrader
from tests.support.real_course import CHAPTERS
from tests.support.run_notebook import progress_cell, released, solved


def test_trainings_are_left_out_and_what_the_learner_changed_or_wrote_runs() -> None:
    chapter = CHAPTERS[-1]
    notebook = nbformat.read(solved(chapter), as_version=4)
    trainings = [cell for cell in notebook.cells if "train(" in cell.source and "nbgrader" not in cell.metadata]
    assert trainings
    changed, own = progress_cell(notebook), new_code_cell("print(torch.__version__)")
    changed.source += "  # again"
    notebook.cells.append(own)
    leave_out(released(chapter).parents[1])(notebook)
    skipped = [cell for cell in notebook.cells if "skip-execution" in cell.metadata.get("tags", ())]
    assert all(cell in skipped for cell in trainings)
    assert changed not in skipped
    assert own not in skipped
    assert not any("nbgrader" in cell.metadata or cell.source == chapter.imports for cell in skipped)


@pytest.mark.slow
def test_validate_runs_no_demonstration_and_says_in_a_line_what_is_not_written(
    built_toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, chapter = tmp_path / "hub", CHAPTERS[0]
    write.write_hub(root, [Person("ada")], ["grace"], built_toy / "solutions", write.Share(2048, 1))
    notebook = nbformat.read(released(chapter), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata or cell.source == chapter.imports]
    notebook.cells.append(new_code_cell("open('demonstrated', 'w').close()"))
    out = root / "exchange" / "many-heads" / "outbound" / chapter.name
    out.mkdir(parents=True)
    nbformat.write(notebook, out / f"{chapter.name}.ipynb")
    set_solution(notebook, "project", chapter.reference["project"])
    nbformat.write(notebook, tmp_path / "own.ipynb")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(root / "learners"))

    done = nbgrader(tmp_path, "validate", "own.ipynb", home=tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"VALIDATION FAILED ON {len(chapter.graded_cells) - 2} CELL(S)!" in done.stdout
    assert "✗ causal_mask.shapes: not written yet" in done.stdout
    assert not (tmp_path / "demonstrated").exists()
