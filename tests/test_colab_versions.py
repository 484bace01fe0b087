"""The course under the versions that Colab has: every solved notebook runs, and the widgets' own tests pass.

`make colab-env` makes the environment, `.venv-colab`, from requirements-colab.txt. The notebooks are driven by this
environment's nbclient; only their kernel is that one's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from autograder.build import REPOSITORY_ROOT
from autograder.chapter import Chapter

from .conftest import chapters
from .test_notebooks import cells_with_widgets, errors, streams

ENVIRONMENT = REPOSITORY_ROOT / ".venv-colab"
PYTHON = ENVIRONMENT / "bin" / "python"
PINNED = dict(
    re.findall(r"^([\w-]+)==([\d.]+)$", (REPOSITORY_ROOT / "requirements-colab.txt").read_text(), re.MULTILINE)
)
AS_ON_COLAB = ("ipykernel", "IPython", "ipywidgets", "matplotlib", "numpy", "safetensors", "traitlets")
WIDGET = "application/vnd.jupyter.widget-view+json"

# The tests of what is drawn and moved. They import nothing of the grader, which has no place on Colab.
DRAWING = re.compile(r"^from manyheads(\.widgets\S*| import .*\bstyle\b.*)", re.MULTILINE)
GRADING = re.compile(r"^from (autograder\.build|\.conftest) ", re.MULTILINE)
DRAWING_TESTS = [
    path
    for path in sorted(Path(__file__).parent.glob("test_*.py"))
    if DRAWING.search(path.read_text(encoding="utf-8")) and not GRADING.search(path.read_text(encoding="utf-8"))
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment that `make colab-env` makes"),
]


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of what runs there: this working tree, and nothing of this environment."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "OMP_NUM_THREADS", "TMPDIR")}
    path = os.pathsep.join((str(PYTHON.parent), os.environ["PATH"]))
    return {**kept, "HOME": str(home), "PATH": path, "PYTHONPATH": str(REPOSITORY_ROOT), "PYTHONNOUSERSITE": "1"}


def run(notebook: NotebookNode, folder: Path, surroundings: Mapping[str, str]) -> NotebookNode:
    """Run `notebook` in a kernel of Colab's versions."""
    spec = {
        "argv": [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Colab's versions",
        "language": "python",
        "env": {**surroundings, "MANYHEADS_HOME": str(folder / "manyheads")},
    }
    (folder / "kernels" / "colab").mkdir(parents=True)
    (folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(spec))
    manager = AsyncKernelManager(
        kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    )
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, km=manager, timeout=240, allow_errors=True, resources=resources).execute()
    return notebook


def test_the_kernel_has_colabs_versions_and_nothing_of_this_environment(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    code = f"""
import importlib, json
modules = [importlib.import_module(name) for name in {[*AS_ON_COLAB, "torch"]}]
print(json.dumps({{module.__name__: [module.__version__, module.__file__] for module in modules}}))
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])

    (cell,) = run(notebook, tmp_path, surroundings).cells

    found = json.loads(streams(cell, "stdout"))
    assert {name: found[name][0] for name in AS_ON_COLAB} == {name: PINNED[name.lower()] for name in AS_ON_COLAB}
    for _, file in found.values():
        assert Path(file).is_relative_to(ENVIRONMENT)


@pytest.mark.timeout(600)
@chapters
def test_the_solved_notebook_runs_and_shows_its_widgets(
    chapter: Chapter, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    notebook = nbformat.read(chapter.folder / f"{chapter.name}.ipynb", as_version=4)

    run(notebook, tmp_path, surroundings)

    for cell in notebook.cells:
        assert errors(cell) == [], cell.source
        assert streams(cell, "stderr") == "", cell.source
    with_widgets = cells_with_widgets(notebook)
    for cell in with_widgets:
        assert any(WIDGET in output.get("data", {}) for output in cell.outputs), cell.source
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    pictures = [model for model in state.values() if model["model_name"] == "ImageModel"]
    assert len(pictures) >= len(with_widgets)
    for picture in pictures:
        assert picture["buffers"][0]["data"].startswith("iVBOR")  # a PNG


@pytest.mark.timeout(600)
def test_the_widgets_own_tests_pass(surroundings: dict[str, str], tmp_path: Path) -> None:
    command = [str(PYTHON), "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", "-W", "ignore", "-m", "not slow"]

    tests = subprocess.run(
        [*command, *map(str, DRAWING_TESTS)],
        cwd=REPOSITORY_ROOT,
        env={**surroundings, "MANYHEADS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert tests.returncode == 0, tests.stdout + tests.stderr
