"""The command line: one clear line for a user's error, and the whole way from class to report."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from autograder.classroom.class_folder import ClassFolder, in_use
from autograder.classroom.results import ClassResults, ExerciseResult, LearnerResult, State
from autograder.cli.score_table import print_to
from tests.support.toy import TOY, HandIn, Here, Said


def autograder(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autograder", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def refusal(said: Said) -> str:
    """Return the error line of a refused command."""
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    [line] = said.err.strip().splitlines()
    return line


@pytest.fixture
def without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make PATH empty, and return the old one."""
    before = os.environ["PATH"]
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["grade", "{tmp}/nowhere"], "does not exist"),
        (["grade", "{tmp}"], "is not a class folder"),
        (["grade", "{class}", "99_other"], "has no assignment '99_other'; it has: 00_rows"),
        (["report", "{tmp}/nowhere"], "does not exist"),
        (["collect", "{class}", TOY, "{tmp}/nothing"], "does not exist"),
        (["collect", "{class}", TOY, "{class}/gradebook.db"], "neither a folder nor a zip"),
        (["collect", "{class}", "99_other", "{tmp}"], "has no assignment"),
        (["collect", "{class}", TOY, "{class}"], "is the class folder itself"),
        (["grade", "{class}/gradebook.db"], "is a file"),
        (["new-class", "{class}"], "exists and is not empty"),
        (["new-class", "{class}/gradebook.db/x"], "Not a directory"),
        (["demo", "{class}"], "was not made by this command"),
    ],
)
def test_a_users_error_is_one_clear_line_and_exit_code_2(
    toy_class: ClassFolder, tmp_path: Path, here: Here, arguments: list[str], says: str
) -> None:
    filled = [argument.format(tmp=tmp_path, **{"class": toy_class.root}) for argument in arguments]
    assert says in refusal(here(*filled))


def test_a_demo_class_that_another_command_works_in_is_not_replaced(toy_class: ClassFolder, here: Here) -> None:
    (toy_class.root / ".made-by-demo").touch()
    with in_use(toy_class):
        assert "another command is working in" in refusal(here("demo", toy_class.root))
    assert (toy_class.root / "gradebook.db").is_file()


@pytest.mark.slow
def test_a_users_error_ends_the_process_with_that_code(tmp_path: Path) -> None:
    done = autograder("grade", tmp_path / "nowhere")
    assert "does not exist" in refusal(Said(done.returncode, done.stdout, done.stderr))


@pytest.mark.slow
def test_a_command_that_does_not_exist_is_refused() -> None:
    done = autograder("frobnicate")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("asked", [["--help"], ["-h"], []])
def test_help_has_the_commands_in_groups_and_fits_a_terminal(
    here: Here, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = here(*asked)
    text = said.out + said.err
    places = [
        text.index(f" {word} ") for word in ("Teach a class,", "new-class", "collect", "grade", "report", "export")
    ]
    assert places == sorted(places)
    assert text.index("Write chapters") < text.index(" build  ")
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "..." not in text.replace("[ARGS]...", "")


def test_each_command_that_takes_a_class_has_an_example(here: Here) -> None:
    for command in ("new-class", "collect", "grade", "report", "feedback", "export"):
        said = here(command, "-h")
        assert f"autograder {command} class" in said.out, command


def test_the_version_is_the_packages(here: Here) -> None:
    assert here("--version").out == f"autograder {importlib.metadata.version('manyheads')}\n"


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("number", [3, 8])
def test_a_table_fits_the_terminal_and_no_word_in_it_is_broken(width: int, number: int) -> None:
    words = ("attention_scores", "SingleHeadAttention", "compare_head_counts", "head_specialisation")
    points = {f"{words[place % 4]}{place}": 3.0 for place in range(number)}
    row = LearnerResult(
        "srinivasa47", "graded", "", 3.0, {name: ExerciseResult(3, 3, State.CARRIED) for name in points}
    )
    console = Console(width=width, file=io.StringIO(), record=True)
    print_to(console, ClassResults(TOY, "Rows", points, (row,), ()))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    assert text.count("✓* 3") == number
    for name in points:
        parts = re.split(r"(?<=_)(?=[^_])|(?<=[a-z])(?=[A-Z])", name)
        assert name in text or all(re.search(rf"(?<!\w){part}(?!\w)", text) for part in parts), text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["--help"], {"torch", "distributed", "nbgrader", "nbformat"}),
        (["collect", "{class}", TOY, "{tmp}/handed-in"], {"torch", "distributed", "rfc3987_syntax"}),
        (["export", "{class}", TOY], {"distributed", "rfc3987_syntax"}),
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
        "import sys\nfrom autograder.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print()\n    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *filled], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.splitlines()[-1].split()
    assert "autograder.cli.app" in imported
    assert without & set(imported) == set()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (".judge-seed", "", "is empty"),
        ("nbgrader_config.py", "1 / 0", "ZeroDivisionError"),
        (f"solutions/{TOY}/exercises/row_sums.py", "EXERCISE = [", "row_sums.py cannot be read: SyntaxError"),
    ],
)
def test_a_damaged_class_folder_is_one_clear_line_too(
    toy_class: ClassFolder, hand_in: HandIn, here: Here, file: str, content: str, says: str
) -> None:
    hand_in(toy_class, "ada", {})
    (toy_class.root / file).write_text(content)
    assert says in refusal(here("grade", toy_class.root))


@pytest.mark.slow
def test_words_of_a_learners_file_are_shown_as_they_are(toy_class: ClassFolder, hand_in: HandIn, here: Here) -> None:
    path = hand_in(toy_class, "ada", {})
    path.rename(path.with_name("[bold]loud[red].ipynb"))
    done = here("grade", toy_class.root)
    assert done.code == 0, done.err
    assert "1 unreadable." in done.out
    assert "there is only [bold]loud[red].ipynb" in " ".join(done.out.split())


@pytest.mark.slow
@pytest.mark.sandbox
def test_from_hand_in_to_report_by_commands_alone(toy_class: ClassFolder, hand_in: HandIn, here: Here) -> None:
    hand_in(toy_class, "ada", {"scale_rows": "def scale_rows(x, factors): return x * factors[:, None]"})
    graded = autograder("grade", toy_class.root, "--workers", 1)
    assert graded.returncode == 0, graded.stderr
    assert "✓ 3" in graded.stdout
    assert "1 graded." in graded.stdout
    assert f"Grading {TOY}: 1 of 1" in graded.stderr
    again = here("grade", toy_class.root)
    assert "1 unchanged, not graded again." in again.out
    assert again.err == "", "nothing to do is no bar"
    report = here("report", toy_class.root)
    assert report.code == 0, report.err
    page = Path(report.out.removeprefix("Report: ").strip())
    assert "ada" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_without_a_sandbox_nothing_runs_unless_told_and_then_the_warning_stays(
    toy_class: ClassFolder, hand_in: HandIn, here: Here, without_bubblewrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(toy_class, "ada", {"scale_rows": "def scale_rows(x, factors): return x * factors[:, None]"})
    line = refusal(here("grade", toy_class.root))
    assert "program bwrap is not installed" in line
    assert "apt install bubblewrap" in line
    assert "--no-sandbox" in line
    assert not toy_class.record_path("ada", TOY).exists()

    told = here("grade", toy_class.root, "--no-sandbox")
    assert told.code == 0, told.err
    assert "WARNING" in told.err
    assert "without the sandbox" in told.out
    assert "ada" in told.out.split("WARNING")[1]
    monkeypatch.setenv("PATH", without_bubblewrap)
    later = here("grade", toy_class.root)  # nothing new is run; what was, was not sealed
    assert "without the sandbox" in later.out
    here("report", toy_class.root)
    assert "Graded without the sandbox" in (toy_class.root / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.sandbox
def test_doctor_says_what_is_there(here: Here) -> None:
    well = here("doctor")
    assert well.code == 0, well.out
    assert "✗" not in well.out
    for word in (
        "bubblewrap",
        "namespaces",
        "/proc",
        "limits",
        "a sealed kernel",
        "GPU",
        "memory",
        "weights",
        "torch",
        "nbgrader",
    ):
        assert word in well.out


def test_doctor_fails_where_grading_would_refuse(here: Here, without_bubblewrap: str) -> None:
    ill = here("doctor")
    assert ill.code == 1
    assert "✗ bubblewrap" in ill.out
    assert "apt install bubblewrap" in ill.out


@pytest.mark.slow
@pytest.mark.thorough
def test_the_demo_grades_a_class_of_the_first_chapter_and_reports_it(tmp_path: Path, here: Here) -> None:
    done = here("demo", tmp_path / "demo")
    assert done.code == 0, done.err
    assert "01_single_head" in done.out
    rows = [line for line in done.out.splitlines() if re.match(r" \w+ +[✓◐✗·–]", line)]
    assert len(rows) >= 12
    assert "Grading 01_single_head: " in done.err
    mistakes = re.findall(r"^  (\d+) × (.*)$", done.out, re.MULTILINE)
    assert ("3", "forgot to scale (attention_scores)") in mistakes
    assert [int(count) for count, _ in mistakes] == sorted((int(count) for count, _ in mistakes), reverse=True)
    feedback = Path(re.findall("such as (.*)", done.out)[0])
    assert "Feedback for" in feedback.read_text(encoding="utf-8")
    assert "1 unreadable" in done.out
    assert "unreadable: the file is not JSON" in done.out
    report = Path(done.out.split("Report: ")[1].strip())
    page = report.read_text(encoding="utf-8")
    assert "forgot to scale" in page
