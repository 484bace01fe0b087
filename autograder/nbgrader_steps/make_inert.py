"""Makes learners' text and outputs safe for a browser: for feedback, the formgrader's pages and JupyterLab.

`autograder.class_folder.configure` uses it in two places of a class's configuration. `MakeInert` is the step that
removes active content from the outputs of an autograded notebook. The functions replace nbconvert's filters of the same
names, with which nbgrader's templates render Markdown and HTML.
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
INERT = "inert"  # the resource set if `autograder.nbgrader_steps.untrusted` has made the notebook inert already
_TAGS = frozenset((
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong",
    "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
))
# fmt: on
_DROPPED = {"script", "style", "template", "noscript", "iframe", "object", "embed", "title", "textarea", "xmp", "svg"}
_ATTRIBUTES = {  # with a pattern for the allowed values
    ("a", "href"): r"(?:https?://|mailto:|#)[^\x00-\x20]*+",
    ("a", "title"): r".*+",
    # Only images within the page: opening the page would request any URL, of this server or another.
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
# Only the classes of highlighted code: some classes of the page's style sheet would cover the whole window.
_CLASSES = {*filter(None, STANDARD_TYPES.values()), "highlight", "hl-ipython3", "hl-python"}
# Content that TeX or markup positions outside of this box is clipped, so it cannot cover the page.
_BOX = '<div style="contain: content; overflow: auto">{}</div>'
# TeX commands that load, link, or position content anywhere on the page. MathJax's safe mode blocks most, not all.
_TEX = re.compile(r"\\(require|href|url|class|cssId|style|unicode|mmlToken|bbox|includegraphics|def|newcommand|let)\b")
# Characters of HTML and of Markdown; longer texts are shown unrendered.
_LONGEST, _LONGEST_PROSE = 200_000, 50_000
_MOST_TAGS, _DEEPEST, _MOST_FORMATS = 60_000, 300, 30
# Delimiters that start a formula: each costs a search for its end in the rest of the text. No cell of a lesson has a
# tenth as many.
_MATH, _MOST_MATH = ("\\begin{", "\\\\(", "\\\\[", "$$"), 300
_TAG = re.compile(r"<(/?)([A-Za-z]\w*)")
_VOID = ("br", "hr", "img", "input", "wbr", "col")
# If these are not closed, a browser reopens them in every following paragraph.
_FORMATS = frozenset(["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"])
_SHOWN = ("text/html", "text/markdown", "text/latex", "image/svg+xml", "image/png", "image/jpeg", "text/plain")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
_LARGEST = 5000  # pixels of a picture's side


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Render Markdown as safe HTML."""
    if len(source) > _LONGEST_PROSE or sum(map(source.count, _MATH)) > _MOST_MATH:
        return _as_text(source)
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    try:
        rendered = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # malformed text can raise many kinds of exceptions
        return _as_text(source)
    return harmless_html(rendered)


def clean_html(element: Any) -> str:
    """Return HTML without scripts and external content, in a box that clips it."""
    text = element.decode(errors="replace") if isinstance(element, bytes) else str(element)
    return _BOX.format(harmless_html(text))


def harmless_html(text: str) -> str:
    """Return HTML without scripts, external content, and classes of the surrounding page."""
    if len(text) > _LONGEST or not _is_quick(text):
        return _as_text(text)
    cleaned = nh3.clean(
        text.encode(errors="replace").decode(),  # replaces lone surrogates
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
    """Return `text` unchanged: nbconvert's filter would change URLs after they were checked."""
    return text


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
    if name == "class":  # nh3 has already removed classes that are not allowed
        return value
    pattern = _ATTRIBUTES.get((tag, name))
    return value if pattern is not None and re.fullmatch(pattern, value, re.DOTALL) else None


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else text if isinstance(text, str) else str(text)


def _is_quick(text: str) -> bool:
    """Whether HTML can be parsed quickly: the time grows with the number of tags times their depth."""
    depth = deepest = number = 0
    formats = most_formats = 0  # open formatting tags
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
