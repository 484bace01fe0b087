"""The nbgrader step that removes active content from the outputs of an autograded notebook.

Feedback, the formgrader's pages and JupyterLab show these outputs. What else a notebook contains is made safe where a
page is made of it (`autograder.pages.safe_html`).
"""

from __future__ import annotations

import html
import re
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from ..pages.safe_html import harmless_html, without_tex_commands
from ..safe_text import without_controls

INERT = "inert"  # the resource set if `autograder.nbgrader_steps.untrusted` has made the notebook inert already
_SHOWN = ("text/html", "text/markdown", "text/latex", "image/svg+xml", "image/png", "image/jpeg", "text/plain")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_LARGEST = 5000  # pixels of a picture's side


class MakeInert(NbGraderPreprocessor):
    """Removes active content from the outputs of a graded notebook."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` with safe outputs."""
        if INERT in resources:
            return nb, resources
        nb.metadata.pop("widgets", None)
        for cell in nb.cells:
            cell.pop("attachments" if cell.cell_type == "code" else "outputs", None)
            if cell.cell_type == "code":
                cell.outputs = [_inert(output) for output in cell.outputs]
        return nb, resources


def _inert(output: NotebookNode) -> NotebookNode:
    kind = output.output_type
    if kind == "stream":
        output.text = without_controls(_joined(output.text))
    elif kind == "error":
        output.ename, output.evalue = without_controls(output.ename), without_controls(output.evalue)
        output.traceback = [without_controls(line) for line in output.traceback]
    else:
        sizes = {name: _sizes(output.metadata.get(name)) for name in ("image/png", "image/jpeg")}
        output.metadata = NotebookNode({name: found for name, found in sizes.items() if found})
        shown = {name: _harmless(name, _joined(output.data[name])) for name in _SHOWN if name in output.data}
        output.data = NotebookNode({name: text for name, text in shown.items() if text is not None})
        formula = output.data.pop("text/latex", None)  # shown as HTML, so that the box clips it
        if formula is not None:
            output.data.setdefault("text/html", html.escape(formula))
        output.data.setdefault("text/plain", "[an output that cannot be shown here]")
    return output


def _harmless(name: str, text: str) -> str | None:
    if name in ("image/png", "image/jpeg"):
        return text if _BASE64.fullmatch(text) else None
    if name == "text/html":
        return harmless_html(text) or None
    if name == "text/latex":
        return without_tex_commands(without_controls(text))
    return text if name == "image/svg+xml" else without_controls(text)


def _sizes(metadata: Any) -> dict[str, int]:
    if not isinstance(metadata, dict):
        return {}
    return {
        name: value
        for name in ("width", "height")
        if type(value := metadata.get(name)) is int and 0 < value <= _LARGEST
    }


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else text if isinstance(text, str) else str(text)
