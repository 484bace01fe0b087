"""Turns a chapter into a notebook for the site: the lesson with the outputs of its own cells, exercises as stubs.

The outputs come from the solved notebook, the exercises from the released one: no solution is on a page.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..course.chapter import Chapter
from ..course.home import OPEN_IN_COLAB, Home
from ..course.notebooks import EXERCISE_PREFIX, GRADE_PREFIX, LINKS_ID, grade_id, is_set_up, released_notebook

# What a page can show, best first. A widget needs a kernel: its still picture is in an output of its own.
_SHOWN = ("text/html", "image/svg+xml", "image/png", "text/markdown", "text/latex", "text/plain")
_EMBEDDED = re.compile(r'<img alt="([^"]*)" src="data:image/(svg|png)(?:\+xml)?;base64,([^"]+)">')
_NEEDS_A_KERNEL = "application/vnd.jupyter.widget-view+json"


def lesson_page(
    chapter: Chapter,
    solved: NotebookNode,
    outputs: Mapping[str, Sequence[Any]],
    home: Home,
    pictures: MutableMapping[str, bytes],
) -> NotebookNode:
    """Return a chapter's page.

    Args:
        solved: its solved notebook.
        outputs: the outputs of that notebook's cells by cell id; a cell that is missing has none.
        home: where the notebooks are, for the links that open them.
        pictures: gets the contents of the pictures that the page shows, by their paths in the site's source.
    """
    released = {cell.id: cell for cell in released_notebook(solved).cells}
    heading, _, rest = solved.cells[0].source.partition("\n")
    rest = "\n".join(line for line in rest.splitlines() if not line.startswith(f'[<img alt="{OPEN_IN_COLAB}"'))
    top = f"{heading}\n\n{_ways_to_open(chapter, home)}\n{rest}"
    cells = [new_markdown_cell(_with_files(top, chapter, pictures), id=solved.cells[0].id)]
    for cell in solved.cells[1:]:
        if cell.id == LINKS_ID or (cell.cell_type == "code" and is_set_up(cell.source)):
            continue
        if cell.cell_type == "markdown":
            cells.append(new_markdown_cell(_with_files(cell.source, chapter, pictures), id=cell.id))
        else:
            cells.append(_code_cell(cell, released[cell.id], outputs.get(cell.id, ())))
    return new_notebook(cells=cells, metadata={"kernelspec": solved.metadata.kernelspec})


def _with_files(source: str, chapter: Chapter, pictures: MutableMapping[str, bytes]) -> str:
    """Return a Markdown cell's source with links to files in place of embedded pictures; `pictures` gets those."""

    def file(match: re.Match[str]) -> str:
        alt, kind, content = match.groups()
        picture = base64.b64decode(content)
        path = f"pictures/{chapter.name}-{hashlib.sha256(picture).hexdigest()[:8]}.{kind}"
        pictures[path] = picture
        return f"![{html.unescape(alt)}](../{path})"

    return _EMBEDDED.sub(file, source)


def _code_cell(solved: NotebookNode, released: NotebookNode, outputs: Sequence[Any]) -> NotebookNode:
    if released.source.startswith(EXERCISE_PREFIX):
        return _tagged(released.source.partition("\n")[2], solved.id, "exercise")
    if grade_id(released) or released.source.startswith(GRADE_PREFIX):
        return _tagged(released.source.partition("\n")[2], solved.id, "check")
    if solved.source.startswith("check."):
        return _tagged(solved.source, solved.id, "check")  # what it shows is about the learner
    quiz = bool(solved.metadata.get("jupyter", {}).get("source_hidden"))
    cell = _tagged(solved.source, solved.id, *(["remove-input"] if quiz else []))
    cell.outputs = [shown for output in outputs if (shown := _shown(output)) is not None]
    return cell


def _tagged(source: str, identity: str, *tags: str) -> NotebookNode:
    return new_code_cell(source, id=identity, metadata={"tags": list(tags)})


def _shown(output: Any) -> Any:
    """Return an output as a page shows it, None if it does not."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    if output.output_type not in ("display_data", "execute_result") or _NEEDS_A_KERNEL in output.data:
        return None
    kind = next((kind for kind in _SHOWN if kind in output.data), None)
    if kind is None or not output.data[kind]:
        return None
    return from_dict({**output, "data": {kind: output.data[kind]}})


def _ways_to_open(chapter: Chapter, home: Home) -> str:
    path = f"notebooks/{chapter.name}/{chapter.name}.ipynb"
    repository, tag = home.repository, quote(home.tag, safe="")
    return (
        f"[Open in Colab]({home.on_colab(chapter.name)}) · "
        f"[Open in Binder](https://mybinder.org/v2/gh/{repository}/{tag}?labpath={quote(path, safe='')}) · "
        f"[Download the notebook](https://github.com/{repository}/raw/{home.tag}/{path})\n\n"
        "*On this page you read the lesson. In the notebook you write the exercises, and each is checked at once.*\n"
    )
