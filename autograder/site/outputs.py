"""Runs a chapter's solved notebook for its outputs, and keeps them until the chapter or `manyheads` changes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat import NotebookNode

from manyheads.whole_file import whole_file

from ..course.notebooks import to_text
from ..problems import Problem

_TIMEOUT = 1800  # seconds for a cell: a minute's training takes many on a busy machine


def outputs_of(name: str, solved: NotebookNode, root: Path, cache: Path, *, run: bool) -> dict[str, list[Any]]:
    """Return the outputs of a solved notebook's cells by cell id.

    Args:
        name: the chapter's name.
        root: the repository's root, whose `manyheads` runs.
        cache: the folder of kept outputs.
        run: whether to run the notebook if its outputs are not kept. If not, they are missing.

    Raises:
        Problem: if a cell of the notebook fails.
    """
    kept = cache / f"{name}-{_digest(solved, root)[:24]}.ipynb"
    if kept.is_file():
        ran: Any = nbformat.read(kept, as_version=4)
    elif run:
        ran = _run(name, solved, cache)
        with whole_file(kept) as beside:
            beside.write_text(to_text(ran), encoding="utf-8")
        for older in cache.glob(f"{name}-*.ipynb"):
            if older != kept:
                older.unlink()
    else:
        return {}
    return {cell.id: list(cell.outputs) for cell in ran.cells if cell.cell_type == "code"}


def _run(name: str, solved: NotebookNode, cache: Path) -> NotebookNode:
    from jupyter_client.manager import AsyncKernelManager  # slow imports, needed only here
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook: Any = nbformat.from_dict(solved)
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory() as empty:  # so that a page does not depend on what ran before it
            manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{empty}/kernel")
            (Path(empty) / "here").mkdir()
            resources = {"metadata": {"path": f"{empty}/here"}}
            client = NotebookClient(notebook, km=manager, timeout=_TIMEOUT, resources=resources)
            environment = {**os.environ, "MANYHEADS_HOME": f"{empty}/home"}
            client.execute(env=environment, cleanup_kc=True)  # and the kernel ends
    except CellExecutionError as error:
        raise Problem(f"{name}: a cell of the solved notebook fails, so the site cannot show it:\n{error}") from error
    return notebook


def _digest(solved: NotebookNode, root: Path) -> str:
    digest = hashlib.sha256(to_text(solved).encode())
    for path in sorted((root / "manyheads").rglob("*")):
        if path.suffix in (".py", ".js", ".safetensors", ".json", ".txt") and path.is_file():
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
