"""Finds and reads the files in which a chapter declares its exercises.

They are a package `exercises/` with a module for each exercise or, for a small chapter, the single file `exercises.py`.
Either defines `EXERCISES`. Used by `autograder.course.chapter`. Reading the files runs them: the chapter's author wrote
them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..problems import Problem, one_line

if TYPE_CHECKING:  # it imports torch
    from .declare import Exercise

FILE, PACKAGE, _LISTS = "exercises.py", "exercises", "__init__.py"


def exercise_files(chapter: Path) -> list[Path]:
    """Return the files that declare the exercises of the folder `chapter`. The first one is the module to import.

    Raises:
        Problem: if there are none, or both a file and a package.
    """
    file, package = chapter / FILE, chapter / PACKAGE
    if not (package / _LISTS).is_file():
        if not file.is_file():
            raise Problem(f"{chapter} is not a chapter: it has neither {PACKAGE}/{_LISTS} nor {FILE}")
        return [file]
    if file.is_file():
        raise Problem(f"{chapter} declares its exercises twice, in {PACKAGE}/ and in {FILE}; delete one of them")
    others = (path for path in package.rglob("*.py") if not _is_hidden(path.relative_to(package)))
    return [package / _LISTS, *sorted(path for path in others if path != package / _LISTS)]


def _is_hidden(path: Path) -> bool:
    """Whether the path has a hidden part, such as JupyterLab's .ipynb_checkpoints."""
    return any(part.startswith(".") for part in path.parts)


def read_exercises(chapter: Path) -> list[Exercise]:
    """Import the declarations in the folder `chapter` again, and return the exercises.

    Raises:
        Problem: if the files are missing, cannot be imported, or define no `EXERCISES`.
    """
    first, *others = exercise_files(chapter)
    # A unique name for each folder, so that modules of other chapters, or of a class's copy, are not confused.
    name = f"exercises_of_{chapter.name}_{hashlib.sha256(bytes(first)).hexdigest()[:16]}"
    _forget(name)
    spec = importlib.util.spec_from_file_location(name, first)
    if spec is None or spec.loader is None:
        raise Problem(f"{first} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for relative imports within the package
    try:
        spec.loader.exec_module(module)
        return list(module.EXERCISES)
    except Exception as error:
        _forget(name)
        raise Problem(f"{_blamed(error, [first, *others])} cannot be read: {one_line(error)}") from error


def _forget(name: str) -> None:
    """Remove the package that was imported as `name`, and its modules, from `sys.modules`."""
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]


def _blamed(error: Exception, files: list[Path]) -> Path:
    """Return the innermost file of `files` in the traceback of `error`; by default, the first file."""
    if isinstance(error, SyntaxError) and error.filename is not None and Path(error.filename) in files:
        return Path(error.filename)
    found, trace = files[0], error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        found = file if file in files else found
        trace = trace.tb_next
    return found
