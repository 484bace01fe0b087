"""The fork server starts as a fork instead of a new Python, whatever this Python's start method is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

START = """
import os
from autograder.sandbox import fork_server
command = ["python", "-X", "utf8", "-c", {code!r}, *{arguments!r}]
os.waitpid(fork_server._fork("python", command, []), 0)
"""


def test_arguments_that_follow_the_code_are_data(tmp_path: Path) -> None:
    """Python 3.13.15 and 3.14.8 pass the command's own arguments on: an argument is not run as code."""
    written, evil = tmp_path / "written", tmp_path / "evil"
    code = f"import pathlib, sys; pathlib.Path({str(written)!r}).write_text(repr(sys.argv))"
    arguments = ["grade", "-c", f"open({str(evil)!r}, 'w')"]
    start = START.format(code=code, arguments=arguments)
    subprocess.run([sys.executable, "-c", start], check=True, timeout=120)
    assert ast.literal_eval(written.read_text()) == ["-c", *arguments]
    assert not evil.exists()
