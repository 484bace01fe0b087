"""The command line as its user meets it: one clear line for a slip, and the whole road from class to report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.class_folder import ClassFolder
from autograder.cli import main

from .conftest import TOY, HandIn


def autograder(
    *arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograder", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Give a command that is refused, in this process, and return the line that it says."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    [line] = said.err.strip().splitlines()
    return line


@pytest.fixture
def without_bubblewrap(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has no program but Python's own."""
    (tmp_path / "bin").mkdir()
    return {**os.environ, "PATH": str(tmp_path / "bin")}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["grade", "{tmp}/nowhere"], "there is no folder"),
        (["grade", "{tmp}"], "is no class folder"),
        (["grade", "{class}", "99_other"], "has no assignment '99_other'; it has: 00_rows"),
        (["report", "{tmp}/nowhere"], "there is no folder"),
        (["collect", "{class}", TOY, "{tmp}/nothing"], "there is no"),
        (["collect", "{class}", TOY, "{class}/gradebook.db"], "neither a folder nor a zip"),
        (["collect", "{class}", "99_other", "{tmp}"], "has no assignment"),
        (["collect", "{class}", TOY, "{class}"], "is the class folder itself"),
        (["grade", "{class}/gradebook.db"], "is a file"),
        (["new-class", "{class}"], "exists and is not empty"),
        (["new-class", "{class}/gradebook.db/x"], "Not a directory"),
        (["demo", "{class}"], "was not made by this command"),
    ],
)
def test_a_slip_is_one_clear_line_and_exit_code_2(
    toy_class: ClassFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    filled = [argument.format(tmp=tmp_path, **{"class": toy_class.root}) for argument in arguments]
    assert says in refusal(capsys, *filled)


@pytest.mark.slow
def test_a_slip_ends_the_process_with_that_code(tmp_path: Path) -> None:
    done = autograder("grade", tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.strip().splitlines()
    assert "there is no folder" in line


def test_a_command_that_does_not_exist_is_refused() -> None:
    done = autograder("frobnicate")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["--help"], {"torch", "distributed", "nbgrader", "nbformat"}),
        (["collect", "{class}", TOY, "{tmp}/handed-in"], {"torch", "distributed"}),
        (["export", "{class}", TOY], {"distributed"}),
    ],
)
def test_a_command_imports_what_it_needs_and_no_more(
    toy_class: ClassFolder, tmp_path: Path, arguments: list[str], without: set[str]
) -> None:
    handed_in = tmp_path / "handed-in" / "ada"
    handed_in.mkdir(parents=True)
    shutil.copy(toy_class.root / "release" / TOY / f"{TOY}.ipynb", handed_in)
    filled = [argument.format(tmp=tmp_path, **{"class": toy_class.root}) for argument in arguments]
    code = (
        "import sys\nfrom autograder.cli import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print()\n    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *filled], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.splitlines()[-1].split()
    assert "autograder.cli" in imported
    assert without & set(imported) == set()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (".judge-seed", "", "is empty"),
        ("nbgrader_config.py", "1 / 0", "ZeroDivisionError"),
        (f"solutions/{TOY}/exercises.py", "EXERCISES = [", "cannot be read: SyntaxError"),
    ],
)
def test_a_damaged_class_folder_is_one_clear_line_too(
    toy_class: ClassFolder,
    hand_in: HandIn,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: str,
    says: str,
) -> None:
    hand_in(toy_class, "ada", {})
    (toy_class.root / file).write_text(content)
    assert says in refusal(capsys, "grade", toy_class.root)


@pytest.mark.slow
def test_words_of_a_learners_file_are_shown_as_they_are(toy_class: ClassFolder, hand_in: HandIn) -> None:
    path = hand_in(toy_class, "ada", {})
    path.write_text(path.read_text().replace('"outputs": []', '"outputs": [{"output_type": "[/x] [bold]loud"}]'))
    done = autograder("grade", toy_class.root)
    assert done.returncode == 0, done.stderr
    assert "1 unreadable." in done.stdout
    assert "ada · unreadable: the notebook is damaged" in done.stdout


@pytest.mark.slow
def test_from_hand_in_to_report_by_commands_alone(toy_class: ClassFolder, hand_in: HandIn) -> None:
    hand_in(toy_class, "ada", {"scale_rows": "def scale_rows(x, factors): return x * factors[:, None]"})
    graded = autograder("grade", toy_class.root, "--workers", 1)
    assert graded.returncode == 0, graded.stderr
    assert "✓ 3" in graded.stdout
    assert "1 graded." in graded.stdout
    assert "1/1" in graded.stderr  # the progress bar
    again = autograder("grade", toy_class.root)
    assert "1 had not changed and kept their grade." in again.stdout
    report = autograder("report", toy_class.root)
    assert report.returncode == 0, report.stderr
    page = Path(report.stdout.removeprefix("Report: ").strip())
    assert "ada" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_without_a_sandbox_nothing_runs_unless_told_and_then_the_warning_stays(
    toy_class: ClassFolder, hand_in: HandIn, without_bubblewrap: dict[str, str]
) -> None:
    hand_in(toy_class, "ada", {"scale_rows": "def scale_rows(x, factors): return x * factors[:, None]"})
    refused = autograder("grade", toy_class.root, env=without_bubblewrap)
    assert refused.returncode == 2
    assert refused.stdout == ""
    [line] = refused.stderr.strip().splitlines()
    assert "no program bwrap" in line
    assert "apt install bubblewrap" in line
    assert "--no-sandbox" in line
    assert not toy_class.record_path("ada", TOY).exists()

    told = autograder("grade", toy_class.root, "--no-sandbox", env=without_bubblewrap)
    assert told.returncode == 0, told.stderr
    assert "WARNING" in told.stderr
    assert "without the sandbox" in told.stdout
    assert "ada" in told.stdout.split("WARNING")[1]
    later = autograder("grade", toy_class.root)  # nothing new is run; what was, was not sealed
    assert "without the sandbox" in later.stdout
    autograder("report", toy_class.root)
    assert "Graded without the sandbox" in (toy_class.root / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_doctor_says_what_is_there_and_fails_where_grading_would_refuse(without_bubblewrap: dict[str, str]) -> None:
    well = autograder("doctor")
    assert well.returncode == 0, well.stdout
    assert "✗" not in well.stdout
    for word in ("bubblewrap", "namespaces", "/proc", "limits", "GPU", "memory", "weights", "torch", "nbgrader"):
        assert word in well.stdout
    ill = autograder("doctor", env=without_bubblewrap)
    assert ill.returncode == 1
    assert "✗ bubblewrap" in ill.stdout
    assert "apt install bubblewrap" in ill.stdout


@pytest.mark.slow
def test_the_demo_grades_a_class_of_the_first_chapter_and_reports_it(tmp_path: Path) -> None:
    done = autograder("demo", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert "01_single_head" in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("│") and "learner" not in line]
    assert len(rows) >= 12
    assert "1 unreadable" in done.stdout
    assert "unreadable: the file is not JSON" in done.stdout
    report = Path(done.stdout.split("Report: ")[1].strip())
    page = report.read_text(encoding="utf-8")
    assert "forgot to scale" in page
