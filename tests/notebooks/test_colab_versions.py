"""The course with Colab's versions: its wheel changes none of them, and every notebook runs from that wheel.

`make colab` makes the environment, `.venv-colab`, from requirements-colab.txt, and runs these tests. The tests make a
second one on top of it, where the set-up cell installs the course as on Colab. This environment's nbclient runs the
notebooks; only their kernel is from the other one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.course.home import read_home
from tests.support.real_course import CHAPTERS, chapters_of_every_run
from tests.support.run_notebook import (
    NOT_COMPILED,
    assert_every_check_passed,
    cells_with_widgets,
    errors,
    is_graded,
    progress_cell,
    read_quicker,
    released,
    solved,
    streams,
)
from tests.support.wheel import build_wheel

ENVIRONMENT = REPOSITORY_ROOT / ".venv-colab"
PYTHON = ENVIRONMENT / "bin" / "python"
HOME = read_home(REPOSITORY_ROOT)
PINNED = dict(
    re.findall(r"^([\w-]+)==([\d.]+)$", (REPOSITORY_ROOT / "requirements-colab.txt").read_text(), re.MULTILINE)
)
AS_ON_COLAB = ("ipykernel", "IPython", "ipywidgets", "matplotlib", "numpy", "safetensors", "traitlets")
WIDGET = "application/vnd.jupyter.widget-view+json"

# The tests of what is drawn and moved. They import nothing of the grader, which has no place on Colab. Of these the
# ones that depend on versions: whether words fit is matplotlib's doing, how controls behave is ipywidgets'.
DRAWING = re.compile(r"^from manyheads\.(widgets\S*|pictures import .*\bstyle\b.*)", re.MULTILINE)
GRADING = re.compile(r"^from (autograder(?!\.course\.chapter )|tests(?!\.support\.figures )|\.)", re.MULTILINE)
DEPENDS_ON_VERSIONS = "EveryWidget or is_readable or long_tokens"
DRAWING_TESTS = [
    path
    for path in sorted((REPOSITORY_ROOT / "tests").rglob("test_*.py"))
    if DRAWING.search(path.read_text(encoding="utf-8")) and not GRADING.search(path.read_text(encoding="utf-8"))
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.colab,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment that `make colab` makes"),
]


@dataclass(frozen=True)
class Runtime:
    """An environment with Colab's versions, after the set-up cell has run in it once.

    Args:
        python: its Python.
        variables: its environment variables, without this environment or working tree.
        before: the packages before the set-up cell ran, by name.
        after: the packages after it.
        set_up: the cell, run.
    """

    python: Path
    variables: Mapping[str, str]
    before: Mapping[str, str]
    after: Mapping[str, str]
    set_up: NotebookNode


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder = tmp_path_factory.mktemp("colab")
    wheel, _ = build_wheel(folder)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder / "over"], check=True, timeout=120)
    python = folder / "over" / "bin" / "python"
    (below,) = ENVIRONMENT.glob("lib/python*/site-packages")
    (above,) = (folder / "over").glob("lib/python*/site-packages")
    (above / "below.pth").write_text(f"{below}\n")
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "OMP_NUM_THREADS", "TMPDIR")}
    variables = {
        **kept,
        "HOME": str(folder),
        "PATH": os.pathsep.join((str(python.parent), os.environ["PATH"])),
        "PYTHONNOUSERSITE": "1",
        **NOT_COMPILED,  # its torch is the one of this environment, where the notebook has compiled
        "PIP_NO_INDEX": "1",  # Colab has all that the course needs
    }
    before = packages(python, variables)
    notebook = nbformat.read(released(CHAPTERS[0]), as_version=4)
    cell = next(cell for cell in notebook.cells if cell.get("id") == "set-up")
    assert cell.source.count(HOME.requirement) == 1
    cell.source = cell.source.replace(HOME.requirement, f"manyheads @ {wheel.as_uri()}")
    run(nbformat.v4.new_notebook(cells=[cell]), folder, python, variables)
    return Runtime(python, variables, before, packages(python, variables), cell)


def packages(python: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of all packages that are installed, by name."""
    command = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=120)
    return {package["name"].lower(): package["version"] for package in json.loads(listed.stdout)}


def run(notebook: NotebookNode, folder: Path, python: Path, variables: Mapping[str, str]) -> NotebookNode:
    """Run `notebook` in a kernel of `python`."""
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Colab's versions",
        "language": "python",
        "env": {**variables, "MANYHEADS_HOME": str(folder / "manyheads")},
    }
    (folder / "kernels" / "colab").mkdir(parents=True)
    (folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(spec))
    manager = AsyncKernelManager(
        kernel_name="colab", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    )
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, km=manager, timeout=240, allow_errors=True, resources=resources)
    client.execute(cleanup_kc=True)  # and the kernel ends
    return notebook


def test_the_kernel_has_colabs_versions_and_the_course_from_its_wheel(tmp_path: Path, runtime: Runtime) -> None:
    code = f"""
import importlib, json
modules = [importlib.import_module(name) for name in {[*AS_ON_COLAB, "torch", "manyheads"]}]
print(json.dumps({{module.__name__: [module.__version__, module.__file__] for module in modules}}))
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])

    (cell,) = run(notebook, tmp_path, runtime.python, runtime.variables).cells

    found = json.loads(streams(cell, "stdout"))
    assert {name: found[name][0] for name in AS_ON_COLAB} == {name: PINNED[name.lower()] for name in AS_ON_COLAB}
    assert Path(found.pop("manyheads")[1]).is_relative_to(runtime.python.parent.parent)
    for _, file in found.values():
        assert Path(file).is_relative_to(ENVIRONMENT)


def test_the_set_up_cell_adds_the_course_and_moves_nothing(runtime: Runtime) -> None:
    assert errors(runtime.set_up) == []
    assert streams(runtime.set_up, "stderr") == ""
    assert "manyheads" not in runtime.before
    added = {name: version for name, version in runtime.after.items() if name not in runtime.before}
    assert added.keys() == {"manyheads"}
    assert {**runtime.before, **added} == runtime.after


def test_the_set_up_cell_says_what_runs_and_how_to_get_a_gpu(runtime: Runtime) -> None:
    said = streams(runtime.set_up, "stdout")
    assert re.search(
        rf"^manyheads {runtime.after['manyheads']} · torch 2\.\S+ · Python 3\.\d+\.\d+$", said, re.MULTILINE
    )
    assert "Running on" in said
    if "Running on the CPU" in said:
        assert "Runtime → Change runtime type → T4 GPU" in said


# Those that depend most on versions: the set-up, torch.compile and SDPA, a real model's weights, processes.
@pytest.mark.timeout(600)
@chapters_of_every_run("01_single_head", "05_gpu", "06_inside_a_real_model", "08_attention_today")
def test_the_solved_notebook_passes_every_check_and_shows_its_widgets(
    chapter: Chapter, tmp_path: Path, runtime: Runtime
) -> None:
    notebook = read_quicker(solved(chapter))

    run(notebook, tmp_path, runtime.python, runtime.variables)

    assert_every_check_passed(chapter, notebook)
    with_widgets = cells_with_widgets(notebook)
    for cell in with_widgets:
        assert any(WIDGET in output.get("data", {}) for output in cell.outputs), cell.source
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    texts = [model["state"].get("value", "") for model in state.values() if model["model_name"] == "HTMLModel"]
    assert sum("</svg>" in text for text in texts) >= len(with_widgets)


@pytest.mark.timeout(600)
def test_the_released_notebook_runs_and_only_its_checks_fail(tmp_path: Path, runtime: Runtime) -> None:
    """For one chapter: a check's message for unwritten code is the same in all."""
    chapter = CHAPTERS[0]
    notebook = nbformat.read(released(chapter), as_version=4)

    run(notebook, tmp_path, runtime.python, runtime.variables)

    for cell in notebook.cells:
        failed = [error.ename for error in errors(cell)]
        assert failed == (["CheckFailed"] if is_graded(cell) else []), cell.source
        assert streams(cell, "stderr") == "", cell.source
    [progress] = progress_cell(notebook).outputs
    assert f"0 of {len(chapter.exercises)} exercises done" in progress.data["text/plain"]
    assert "<table" in progress.data["text/html"]


@pytest.mark.timeout(600)
def test_the_widgets_own_tests_that_depend_on_versions_pass(runtime: Runtime, tmp_path: Path) -> None:
    """These read the lessons, so they run in this working tree."""
    command = [
        str(runtime.python),
        "-m",
        "pytest",
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        "-m",
        "not thorough",
        "-k",
        DEPENDS_ON_VERSIONS,
    ]

    tests = subprocess.run(
        [*command, *map(str, DRAWING_TESTS)],
        cwd=REPOSITORY_ROOT,
        env={**runtime.variables, "PYTHONPATH": str(REPOSITORY_ROOT), "MANYHEADS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert int(re.findall(r"(\d+) passed", tests.stdout)[-1]) >= 60
