"""Finds modules that solutions import and that are not installed here, such as a file beside the notebook.

Only the notebook is graded. A solution in another file, or one that needs a package of the learner's machine, is not
wrong, so such a submission needs review.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Collection, Iterator
from functools import lru_cache

from nbformat import NotebookNode

from ..judge.learner_source import sources
from ..notebook.outline import parse


def missing_module(notebook: NotebookNode, exercises: Collection[str]) -> tuple[str, str] | None:
    """Return an exercise and a missing module that its solution imports, or None.

    Modules that the notebook writes itself (`%%writefile`), and imports within `try` with a handler, do not count.
    """
    made = {name for cell in notebook.cells for name in _written_files(cell.source)}
    everywhere = [name for cell in notebook.cells if cell.cell_type == "code" for name in _starred(cell.source)]
    for exercise, source in sources(notebook, exercises).items():
        for module in (*_imported(source), *everywhere):
            if module not in made and not _is_here(module):
                return exercise, module
    return None


def _imported(source: str) -> Iterator[str]:
    """Yield the top-level names of all modules that `source` imports, in functions too."""
    tree = parse(source)
    waiting: list[ast.AST] = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Try) and node.handlers:  # it handles the missing module
            waiting += [*node.handlers, *node.orelse, *node.finalbody]
            continue
        waiting += ast.iter_child_nodes(node)


def _starred(source: str) -> Iterator[str]:
    """Yield the modules of a cell's star imports, which any exercise may need."""
    tree = parse(source) if "*" in source and "import" in source else None
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom) and node.module and not node.level and node.names[0].name == "*":
            yield node.module.partition(".")[0]


def _written_files(source: str) -> Iterator[str]:
    """Yield the module that a cell writes to a file, if it does."""
    first_line = source.lstrip().partition("\n")[0].split()
    if first_line[:1] in (["%%writefile"], ["%%file"]) and first_line[-1].endswith(".py"):
        yield first_line[-1].rpartition("/")[2].removesuffix(".py")


@lru_cache(maxsize=512)
def _is_here(module: str) -> bool:
    if module in sys.modules or module in sys.stdlib_module_names:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False
