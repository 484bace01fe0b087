"""The package for Gradescope, unpacked and run in folders laid out as Gradescope's; GitHub Classroom's workflow."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from autograder.classroom.class_folder import ClassFolder
from autograder.course.chapter import Chapter
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.places import github_classroom, gradescope_run
from autograder.places.gradescope_package import package
from autograder.problems import Problem
from autograder.sandbox.other_user import LEARNER
from tests.support.processes import is_alive
from tests.support.toy import TOY

WRONG = "def scale_rows(x, factors): return x + factors[:, None]"
METADATA = {
    "id": 123456,
    "created_at": "2026-11-26T14:22:32.365935-07:00",
    "assignment": {"id": 25828, "title": "Rows", "total_points": "9.0", "group_submission": False},
    "submission_method": "upload",
    "users": [{"email": "ada@example.org", "id": 1234, "name": "Ada Lovelace"}],
    "previous_submissions": [],
}


@pytest.fixture(scope="module")
def packed(built_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(TOY, tmp_path_factory.mktemp("packed") / "autograder.zip", built_toy / "solutions")


@pytest.fixture(scope="module")
def image(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`/autograder` after Gradescope has built the image."""
    root = tmp_path_factory.mktemp("gradescope") / "autograder"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(root / "source")
    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    (root / "run_autograder").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "gradescope", "--prepare"],
        env=environment(root, PYTHONPATH=str(root / "source")),  # the packed modules, and no other
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def environment(root: Path, **more: str) -> dict[str, str]:
    """The contents of Gradescope's container, with this Python instead of the one that `setup.sh` would install."""
    inside = {"AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable}
    return {**os.environ, **inside, **more}


@pytest.fixture
def submitted(image: Path, tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """A fresh container of the image with a submission of the given files in it."""

    def submitted(files: Mapping[str, str]) -> Path:
        root = shutil.copytree(image, tmp_path / "autograder")
        (root / "submission").mkdir()
        for name, text in files.items():
            (root / "submission" / name).write_text(text, encoding="utf-8")
        (root / "results").mkdir()
        (root / "submission_metadata.json").write_text(json.dumps(METADATA))
        config = root / "class" / "nbgrader_config.py"
        assert config.is_file()
        return root

    return submitted


def run(root: Path, *before: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [*before, str(root / "run_autograder")]
    return subprocess.run(command, cwd=root, env=environment(root, **more), capture_output=True, text=True, timeout=280)


def results(root: Path) -> dict[str, Any]:
    return json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))


@pytest.fixture
def notebook(image: Path) -> Callable[[Mapping[str, str]], str]:
    def notebook(solutions: Mapping[str, str]) -> str:
        found = read_text(image / "class" / "release" / TOY / f"{TOY}.ipynb")
        for exercise, source in solutions.items():
            set_solution(found, exercise, source)
        return to_text(found)

    return notebook


def test_the_package_has_what_gradescope_asks_for_at_its_root(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        for script in ("setup.sh", "run_autograder"):
            assert archive.getinfo(script).external_attr >> 16 & stat.S_IXUSR
            done = subprocess.run(["bash", "-n"], input=archive.read(script), capture_output=True)
            assert done.returncode == 0, done.stderr
    assert {f"solutions/{TOY}/exercises/{name}.py" for name in ("__init__", "_shared", "row_sums")} <= set(names)
    assert "manyheads/calling/probe.py" in names
    assert "autograder/places/templates/gradescope/setup.sh" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("/", "tests/"))]


def test_a_package_is_the_same_again_and_a_chapter_that_is_not_there_is_named(
    packed: Path, built_toy: Path, tmp_path: Path
) -> None:
    again = package(TOY, tmp_path / "again.zip", built_toy / "solutions")
    assert again.read_bytes() == packed.read_bytes()
    with pytest.raises(Problem, match=f"has no chapter '99_none'; it has: {TOY}"):
        package("99_none", tmp_path / "x.zip", built_toy / "solutions")


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.thorough
def test_a_right_submission_gets_every_point(
    submitted: Callable[[Mapping[str, str]], Path],
    notebook: Callable[[Mapping[str, str]], str],
    toy: Chapter,
) -> None:
    root = submitted({f"{TOY}.ipynb": notebook(toy.reference)})
    done = run(root)
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(root)
    assert (found["score"], found["output"], found["stdout_visibility"]) == (9, "", "hidden")
    assert [(test["name"], test["score"], test["max_score"], test["status"]) for test in found["tests"]] == [
        ("scale_rows", 3, 3, "passed"),
        ("row_sums", 3, 3, "passed"),
        ("RowLayer", 3, 3, "passed"),
    ]
    assert {(test["output_format"], test["visibility"]) for test in found["tests"]} == {("text", "visible")}
    assert "The submission ran in the sandbox" in done.stdout


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_mistake_is_named_with_its_hint_and_a_damaged_notebook_is_repaired(
    submitted: Callable[[Mapping[str, str]], Path],
    notebook: Callable[[Mapping[str, str]], str],
    toy: Chapter,
) -> None:
    data = json.loads(notebook({**toy.reference, "scale_rows": WRONG}))
    data["cells"] = [cell for cell in data["cells"] if "# grade: RowLayer.shapes" not in "".join(cell["source"])]
    root = submitted({"homework (2).ipynb": json.dumps(data), "notes.txt": "mine"})
    done = run(root)
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(root)
    assert found["score"] == 7
    tests = {test["name"]: test for test in found["tests"]}
    assert (tests["scale_rows"]["score"], tests["scale_rows"]["status"]) == (1, "failed")
    assert "if you added the factors" in tests["scale_rows"]["output"]
    hint = next(m.hint for _, m in toy.misconceptions() if m.name == "added the factors")
    assert hint in tests["scale_rows"]["output"]
    assert "working version" in tests["row_sums"]["output"]
    assert "notebook was repaired" in found["output"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({f"{TOY}.ipynb": "my homework"}, "'unreadable': the file is not JSON"),
        ({"essay.pdf": "%PDF"}, "Found only: essay.pdf"),
        ({}, "No files were submitted"),
        ({"a.ipynb": "1", "b.ipynb": "2"}, "several notebooks"),
    ],
)
@pytest.mark.sandbox
def test_an_ungradable_file_is_explained_above_the_tests(
    submitted: Callable[[Mapping[str, str]], Path], files: Mapping[str, str], says: str
) -> None:
    root = submitted(files)
    gradescope_run.run(gradescope_run.Layout(root))
    found = results(root)
    assert says in found["output"]
    assert found["score"] == 0
    assert [test["max_score"] for test in found["tests"]] == [3, 3, 3]


@pytest.fixture
def no_sandbox(tmp_path: Path) -> str:
    """A PATH without bubblewrap."""
    (tmp_path / "bin").mkdir()
    for name in ("bash", "env"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    return str(tmp_path / "bin")


SPY = """
import os, pathlib
found = {}
for name in ("source", "class", "results", "submission_metadata.json", "class/.judge-seed"):
    path = pathlib.Path(ROOT, name)
    try:
        found[name] = os.listdir(path) if path.is_dir() else path.read_text()
    except OSError as error:
        found[name] = type(error).__name__
try:
    pathlib.Path(ROOT, "results", "results.json").write_text('{"score": 100}')
    found["forged"] = True
except OSError as error:
    found["forged"] = type(error).__name__
print("SPY", os.getuid(), sorted(set(map(str, found.values()))))
if os.fork() == 0:
    os.setsid()
    while True: pass
"""


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_without_a_sandbox_the_submission_is_another_user_who_sees_no_solutions(
    submitted: Callable[[Mapping[str, str]], Path],
    notebook: Callable[[Mapping[str, str]], str],
    no_sandbox: str,
    toy: Chapter,
) -> None:
    root = submitted({})
    spy = SPY.replace("ROOT", repr(str(root)))
    text = notebook({**toy.reference, "row_sums": f"{toy.reference['row_sums']}\n{spy}"})
    (root / "submission" / f"{TOY}.ipynb").write_text(text)
    # Everybody may see this Python, as in Gradescope's container. It is in root's own folder on some machines.
    for folder in (root, *root.parents[:2]):
        folder.chmod(0o755)
    base = Path(sys.base_prefix)
    view = [shutil.which("bwrap") or "", "--dev-bind", "/", "/"]
    if base.is_relative_to("/root"):
        view += ["--perms", "0755", "--tmpfs", "/root"]
        for place in {base, base.resolve(), *(p for p in (base.parent, base.parent.parent) if p != Path("/root"))}:
            view += ["--ro-bind", str(place), str(place)]
    done = run(root, *view, "--", PATH=no_sandbox)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ran as another user" in done.stdout
    folder = ClassFolder(root / "class")
    autograded = folder.autograded("learner", TOY).read_text()
    assert f"SPY {LEARNER} ['PermissionError']" in autograded
    assert results(root)["score"] == 9
    assert not [p for p in psutil.process_iter(["uids"]) if p.info["uids"].real == LEARNER and is_alive(p)]


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_grader_fault_is_not_a_zero(
    submitted: Callable[[Mapping[str, str]], Path], notebook: Callable[[Mapping[str, str]], str]
) -> None:
    root = submitted({f"{TOY}.ipynb": notebook({})})
    (root / "class" / "nbgrader_config.py").write_text("1 / 0")
    done = run(root)
    assert done.returncode == 1
    assert "not the learner's fault" in done.stdout
    assert not (root / "results" / "results.json").exists()


def test_the_github_workflow_keeps_the_token_from_learners_code(built_toy: Path, tmp_path: Path) -> None:
    path = github_classroom.write(TOY, tmp_path / "grade.yml", built_toy / "solutions")
    workflow = yaml.safe_load(path.read_text())
    steps = workflow["jobs"]["grade"]["steps"]
    with_token = [step["name"] for step in steps if "secrets." in json.dumps(step)]
    assert with_token == ["Fetch the learners' repositories"]
    assert workflow["permissions"] == {"contents": "read"}
    for step in steps:  # nothing that a person types is pasted into a command
        assert "${{" not in step.get("run", "")
        done = subprocess.run(["bash", "-n"], input=step.get("run", ""), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    grading = next(step["run"] for step in steps if step.get("name") == "Grade")
    for command in ("collect", "grade", "export", "feedback", "report"):
        assert f'autograder {command} "$class" {TOY}' in grading
    with pytest.raises(Problem, match="exists and differs"):
        github_classroom.write(TOY, _changed(path), built_toy / "solutions")


def _changed(path: Path) -> Path:
    path.write_text(path.read_text() + "# mine\n")
    return path
