"""Converts a chapter's lesson into notebooks: nbgrader's source with solutions, and the release without them.

Used by `autograder build` and the demo class. The same chapter always gives the same bytes: cell ids are computed from
the lesson.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..problems import Problem
from .chapter import Chapter, neighbours
from .contents_page import minutes
from .home import BADGE, OPEN_IN_COLAB, Home
from .markdown import about, laid_out

EXERCISE_PREFIX, GRADE_PREFIX = "# exercise: ", "# grade: "
LINKS_ID = "other-chapters"  # of the cell with links to the chapters before and after
MAX_BYTES = 150_000  # size of a released notebook

_PICTURE = re.compile(r"!\[([^\]]*)\]\((pictures/[\w.-]+)\)")
_MIME_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_METADATA: dict[str, Any] = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_SET_UP = """\
# Run this cell first. Where the course is missing, as on Colab, it is installed:
# that takes some seconds, and no restart.
try:
    import manyheads
except ModuleNotFoundError:
    %pip install --quiet "{requirement}"
    import manyheads

manyheads.setup()"""

_COMMENT = re.compile(r"^#.*\n", re.MULTILINE)
_ADDRESS = re.compile(re.escape(_COMMENT.sub("", _SET_UP)).replace(r"\{requirement\}", r"[\w ./@:+-]*"))


def solved_notebook(chapter: Chapter, repository: str, tag: str) -> NotebookNode:
    """Return nbgrader's source notebook: all cells of the lesson, with solutions and without outputs.

    Args:
        repository: "owner/name" of the fork that set-up cells install from.
        tag: the tag or branch that they install.
    """
    home = Home(repository, tag)
    cells = [_set_up_cell(home)]
    for index, cell in enumerate(chapter.cells):
        if cell.cell_type == "markdown":
            cells.append(_markdown_cell(chapter.folder, cell.source, index))
        else:
            cells.append(_code_cell(cell, index))
    # The title with the badge comes first, then the set-up cell.
    cells[0], cells[1] = cells[1], cells[0]
    title = next((cell for cell in cells if cell.cell_type == "markdown" and cell.source.startswith("# ")), None)
    if title is not None:
        points = sum(cell.points for cell in chapter.graded_cells)
        badge = home.badge(chapter.name, _embedded(OPEN_IN_COLAB, BADGE, BADGE.read_bytes()))
        heading, _, rest = title.source.partition("\n")
        below = about(len(chapter.exercises), points, minutes(chapter))
        title.source = "\n\n".join([heading, badge, below, rest.strip("\n")])
    links = _links(chapter, home)
    if links:
        cells.append(new_markdown_cell(links, id=LINKS_ID))
    return new_notebook(cells=cells, metadata=_METADATA)


def released_notebook(solved: NotebookNode) -> NotebookNode:
    """Return the learners' notebook: `solved` after the same steps as in `nbgrader generate_assignment`."""
    from nbgrader import preprocessors as steps  # slow import (1 s), needed only here

    notebook: Any = nbformat.from_dict(solved)
    resources: Any = {}
    in_order: tuple[Any, ...] = (
        steps.LockCells,
        steps.ClearSolutions,
        steps.ClearOutput,
        steps.CheckCellMetadata,
        steps.ComputeChecksums,
        steps.ClearHiddenTests,
        steps.ClearMarkScheme,
        steps.ComputeChecksums,
        steps.CheckCellMetadata,
    )
    for step in in_order:
        notebook, resources = step().preprocess(notebook, resources)
    return notebook


def to_text(notebook: NotebookNode) -> str:
    """Return the text of the notebook's file, with sorted keys."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT, sort_keys=True).rstrip("\n") + "\n"


def read_text(path: Path) -> NotebookNode:
    """Read a notebook that this module wrote."""
    return nbformat.read(path, as_version=4)


def grade_id(cell: NotebookNode) -> str:
    """Return nbgrader's id of a cell, or "". A learner's file may contain any value there."""
    data = cell.metadata.get("nbgrader")
    name = data.get("grade_id") if isinstance(data, dict) else None
    return name if isinstance(name, str) else ""


def cell_metadata(name: str, points: float | None) -> dict[str, Any]:
    """Return nbgrader's metadata of the cell `name`: of a graded cell if it has points, else of an exercise."""
    metadata: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": name,
        "cell_type": "code",
        "solution": points is None,
        "grade": points is not None,
        "locked": points is not None,
        "task": False,
    }
    return metadata if points is None else {**metadata, "points": points}


def is_set_up(source: str) -> bool:
    """Return whether a cell is the released set-up cell, with any URL and any comment: those of older releases too."""
    return _ADDRESS.fullmatch(_COMMENT.sub("", source.strip())) is not None


def exercise_cell(notebook: NotebookNode, exercise: str) -> NotebookNode:
    """Return the cell of `exercise`."""
    return next(cell for cell in notebook.cells if grade_id(cell) == exercise)


def set_solution(notebook: NotebookNode, exercise: str, source: str) -> None:
    """Write `source` into the cell of `exercise`, below its marker comment."""
    exercise_cell(notebook, exercise).source = f"{EXERCISE_PREFIX}{exercise}\n{source}"


def _set_up_cell(home: Home) -> NotebookNode:
    source = _SET_UP.format(requirement=home.requirement)
    return new_code_cell(source, id="set-up", metadata={"cellView": "form"})


def _markdown_cell(folder: Path, source: str, index: int) -> NotebookNode:
    def embed(match: re.Match[str]) -> str:
        alt, relative = match.groups()
        path = folder / relative
        if not path.is_file() or path.suffix not in _MIME_TYPES:
            raise Problem(f"{folder.name}: the lesson shows {relative}, but there is no such picture")
        content = path.read_bytes()
        if path.suffix == ".svg":
            from .dark_pictures import with_dark_colours  # imports matplotlib, needed only here

            content = with_dark_colours(content.decode()).encode()
        return _embedded(alt, path, content)

    return new_markdown_cell(_PICTURE.sub(embed, laid_out(source)), id=_cell_id("text", index, source))


def _links(chapter: Chapter, home: Home) -> str:
    """Return the links to the chapters before and after, or "". Links between files do not work on Colab."""
    before, after = neighbours(chapter.folder)
    return "\n\n".join(
        f"{arrow} [{title}](../{name}/{name}.ipynb) · [on Colab]({home.on_colab(name)})"
        for arrow, (name, title) in (("**Next:**", after), ("**Before:**", before))
        if name
    )


def _embedded(alt: str, picture: Path, content: bytes) -> str:
    """Return an HTML element with `content` in it, which JupyterLab, VS Code and Colab all show.

    JupyterLab shows no SVG attachment, Colab no attachment and no file beside the notebook, and VS Code no SVG as a
    picture of Markdown's own.
    """
    data = base64.b64encode(content).decode()
    return f'<img alt="{html.escape(alt)}" src="data:{_MIME_TYPES[picture.suffix]};base64,{data}">'


def _code_cell(cell: NotebookNode, index: int) -> NotebookNode:
    metadata = cell.metadata
    if "exercise" in metadata:
        name = metadata["exercise"]
        return _graded(f"{EXERCISE_PREFIX}{name}\n{cell.source}", name)
    if "check" in metadata:
        name = metadata["check"]
        return _graded(f"{GRADE_PREFIX}{name}\n{cell.source}", name.replace(".", "-"), points=metadata["points"])
    # The source of a quiz contains its answers, so it is hidden in JupyterLab and on Colab.
    folded = {"jupyter": {"source_hidden": True}, "cellView": "form"} if metadata.get("role") == "quiz" else {}
    return new_code_cell(cell.source, id=_cell_id("code", index, cell.source), metadata=folded)


def _graded(source: str, name: str, points: float | None = None) -> NotebookNode:
    return new_code_cell(source, id=name, metadata={"nbgrader": cell_metadata(name, points)})


def _cell_id(kind: str, index: int, source: str) -> str:
    return f"{kind}-{index:03d}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
