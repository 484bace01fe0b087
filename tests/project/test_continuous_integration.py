"""GitHub and pre-commit run this project's own commands, with its Pythons, and only learners' tests elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from autograder.course.chapter import REPOSITORY_ROOT

WORKFLOW: Any = yaml.safe_load((REPOSITORY_ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
HOOKS: Any = yaml.safe_load((REPOSITORY_ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
COLLECT = """
import runpy, sys

class WithoutGrader:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nbgrader", "distributed", "sqlalchemy", "typer", "psutil"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutGrader())
sys.path.insert(0, ".ci")
import pytest, learners
sys.exit(pytest.main(["--noconftest", "--collect-only", "-qq", *map(str, learners.learners_tests())]))
"""


def commands(job: str) -> str:
    return "\n".join(step.get("run", "") for step in WORKFLOW["jobs"][job]["steps"])


def test_every_python_that_make_pythons_tries_runs_all_tests() -> None:
    tried = (REPOSITORY_ROOT / "benchmarks" / "pythons.py").read_text(encoding="utf-8")
    [listed] = re.findall(r"^PYTHONS = \((.*)\)$", tried, re.MULTILINE)
    assert WORKFLOW["jobs"]["all"]["strategy"]["matrix"]["python"] == re.findall(r"[\d.]+", listed)
    assert ".ci/run" in commands("all").splitlines()


def test_what_make_test_leaves_out_runs_in_other_jobs() -> None:
    makefile = (REPOSITORY_ROOT / "Makefile").read_text(encoding="utf-8")
    [left_out] = re.findall(r'-m "(.*)"$', makefile.partition("all-tests: ")[2], re.MULTILINE)
    marks = {mark.removeprefix("not ") for mark in left_out.split(" and ")}
    assert marks == {"colab", "thorough"}
    for mark in marks:
        assert re.search(rf'-m "?{mark}\b', makefile.partition(f"\n{mark}: ")[2].partition("\n\n")[0]), mark
    assert "make colab" in commands("all") + (REPOSITORY_ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert commands("thorough").endswith("make thorough")


def test_learners_get_the_two_lines_of_the_readme() -> None:
    readme = (REPOSITORY_ROOT / "README.md").read_text(encoding="utf-8")
    [made, installed] = re.findall(r"^(python -m venv \.venv|\.venv/bin/pip install \S+) +#", readme, re.MULTILINE)
    lines = commands("learners").replace("${{ matrix.bin }}", ".venv/bin").splitlines()
    assert lines[lines.index(made) + 1] == installed


def test_no_job_may_write_to_the_repository() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert [name for name, job in WORKFLOW["jobs"].items() if "permissions" in job] == []


def test_every_hook_is_a_program_of_the_development_environment() -> None:
    hooks = [hook for repository in HOOKS["repos"] for hook in repository["hooks"]]
    pages = [(REPOSITORY_ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "README.md")]
    assert len(hooks) == 5
    for hook in hooks:
        assert hook["language"] == "system"
        program, subcommand = hook["entry"].split()[:2]
        assert any(
            f"{place} {subcommand}" in page
            for page in pages
            for place in (program, program.replace(".venv/bin", "$(BIN)"))
        )


@pytest.mark.slow
def test_learners_tests_need_nothing_of_the_grader() -> None:
    done = subprocess.run([sys.executable, "-c", COLLECT], cwd=REPOSITORY_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
