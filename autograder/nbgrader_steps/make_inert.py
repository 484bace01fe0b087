"""Makes what a learner wrote and showed inert, before a browser draws it: feedback, the formgrader's page, JupyterLab.

`autograder.class_folder.configure` enters it in a class's configuration in two places. `MakeInert` is the step that
leaves in an autograded notebook only outputs that show something and do nothing. The functions take the place of
nbconvert's filters of the same names, through which nbgrader's templates put prose and HTML on a page.
"""

from __future__ import annotations

import html
import re
from typing import Any

import nh3
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from pygments.token import STANDARD_TYPES

from ..safe_text import without_controls

# fmt: off
INERT = "inert"  # a resource that says that `autograder.nbgrader_steps.untrusted` has made the notebook inert
_TAGS = frozenset((
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong",
    "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
))
# fmt: on
_DROPPED = {"script", "style", "template", "noscript", "iframe", "object", "embed", "title", "textarea", "xmp", "svg"}
_ATTRIBUTES = {  # with what each may hold
    ("a", "href"): r"(?:https?://|mailto:|#)[^\x00-\x20]*+",
    ("a", "title"): r".*+",
    # Only what the page itself holds: an address, of this server or another, would be asked for when it is opened.
    ("img", "src"): r"data:image/(?:png|jpeg|gif|svg\+xml);base64,[A-Za-z0-9+/=\s]*+",
    ("img", "alt"): r".*+",
    ("img", "title"): r".*+",
    ("img", "width"): r"\d{1,4}%?",
    ("img", "height"): r"\d{1,4}",
    ("ol", "start"): r"\d{1,6}",
    ("details", "open"): r".*+",
    **{(tag, name): r"\d{1,3}" for tag in ("td", "th") for name in ("colspan", "rowspan")},
}
_ALLOWED = {tag: {name for of, name in _ATTRIBUTES if of == tag} for tag in _TAGS}
# Those of highlighted code, and no other: the page's own style sheet has some that cover the whole window.
_CLASSES = {*filter(None, STANDARD_TYPES.values()), "highlight", "hl-ipython3", "hl-python"}
# What shows outside of its box lies under the page's own text, wherever TeX or markup has moved it to.
_BOX = '<div style="contain: content; overflow: auto">{}</div>'
# TeX that loads, links, or places things anywhere on the page. MathJax's safe mode refuses most of it, not all.
_TEX = re.compile(r"\\(require|href|url|class|cssId|style|unicode|mmlToken|bbox|includegraphics|def|newcommand|let)\b")
# Characters of HTML and of prose that are read; longer ones are shown as text.
_LONGEST, _LONGEST_PROSE = 200_000, 50_000
_MOST_TAGS, _DEEPEST, _MOST_FORMATS = 60_000, 300, 30
# What begins a formula, whose end is then looked for in all that follows; no lesson has a tenth as many in a cell.
_MATH, _MOST_MATH = ("\\begin{", "\\\\(", "\\\\[", "$$"), 300
_TAG = re.compile(r"<(/?)([A-Za-z]\w*)")
_VOID = ("br", "hr", "img", "input", "wbr", "col")
# A browser opens these again after each paragraph that they were not closed in.
_FORMATS = frozenset(["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"])
_SHOWN = ("text/html", "text/markdown", "text/latex", "image/svg+xml", "image/png", "image/jpeg", "text/plain")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_LARGEST = 5000  # pixels of a picture's side


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Return prose as HTML that shows it and does nothing else."""
    if len(source) > _LONGEST_PROSE or sum(map(source.count, _MATH)) > _MOST_MATH:
        return _as_text(source)
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    try:
        rendered = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # it is a learner's text, and many things can be wrong with it
        return _as_text(source)
    return harmless_html(rendered)


def clean_html(element: Any) -> str:
    """Return HTML without anything that acts or loads, in a box that it cannot leave."""
    text = element.decode(errors="replace") if isinstance(element, bytes) else str(element)
    return _BOX.format(harmless_html(text))


def harmless_html(text: str) -> str:
    """Return HTML without anything that acts, loads, or has a meaning on the page that it comes to stand in."""
    if len(text) > _LONGEST or not _is_quick(text):
        return _as_text(text)
    cleaned = nh3.clean(
        text.encode(errors="replace").decode(),  # half a surrogate pair is nothing that can be shown
        tags=set(_TAGS),
        clean_content_tags=_DROPPED,
        attributes=_ALLOWED,
        attribute_filter=_allowed,
        allowed_classes=dict.fromkeys(("div", "span"), _CLASSES),
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )
    return _TEX.sub(r"\1", cleaned)


def strip_files_prefix(text: str) -> str:
    """Return `text` as it is: nbconvert's filter would make another address of one that was found harmless."""
    return text


class MakeInert(NbGraderPreprocessor):
    """Leaves in a graded notebook only outputs that show something and do nothing."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` with every output harmless."""
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
        formula = output.data.pop("text/latex", None)  # as HTML it stays in its box
        if formula is not None:
            output.data.setdefault("text/html", html.escape(formula))
        output.data.setdefault("text/plain", "[something that cannot be shown here]")
    return output


def _harmless(name: str, text: str) -> str | None:
    if name in ("image/png", "image/jpeg"):
        return text if _BASE64.fullmatch(text) else None
    if name == "text/html":
        return harmless_html(text) or None
    if name == "text/latex":
        return _TEX.sub(r"\1", without_controls(text))
    return text if name == "image/svg+xml" else without_controls(text)


def _sizes(metadata: Any) -> dict[str, int]:
    if not isinstance(metadata, dict):
        return {}
    return {
        name: value
        for name in ("width", "height")
        if type(value := metadata.get(name)) is int and 0 < value <= _LARGEST
    }


def _allowed(tag: str, name: str, value: str) -> str | None:
    if name == "class":  # what is left of it are classes that are allowed
        return value
    pattern = _ATTRIBUTES.get((tag, name))
    return value if pattern is not None and re.fullmatch(pattern, value, re.DOTALL) else None


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else text if isinstance(text, str) else str(text)


def _is_quick(text: str) -> bool:
    """Return whether HTML can be read in little time: that takes its tags times their depth."""
    depth = deepest = number = 0
    formats = most_formats = 0  # open ones
    for found in _TAG.finditer(text):
        closes, name = found[1], found[2].lower()
        number += 1
        depth = max(0, depth - 1) if closes else depth + (name not in _VOID)
        deepest = max(deepest, depth)
        if name in _FORMATS:
            formats = max(0, formats - 1) if closes else formats + 1
            most_formats = max(most_formats, formats)
    return number <= _MOST_TAGS and deepest <= _DEEPEST and most_formats <= _MOST_FORMATS


def _as_text(text: str) -> str:
    return f"<pre>{html.escape(_TEX.sub(lambda found: found[1], text))}</pre>"
