"""Makes what learners wrote safe for a browser: Markdown and HTML, for every page that shows their work.

`markdown2html`, `clean_html` and `strip_files_prefix` replace nbconvert's filters of the same names, with which
nbgrader's templates render Markdown and HTML; `autograder.class_folder.configure` sets them. `prose` is for our own
pages.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Mapping
from typing import Any

import nh3
from jinja2 import pass_context
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.token import STANDARD_TYPES

from .formulas import mathml

# fmt: off
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


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """Render Markdown as safe HTML. Formulas stay TeX, for MathJax."""
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return _rendered(source, renderer)


def prose(source: str, attachments: Mapping[str, Any] | None = None) -> Markup:
    """Render Markdown as safe HTML, with formulas as MathML: the page needs no script for them and no network."""
    renderer = _WithFormulas(escape=False, attachments=dict(attachments or {}), exclude_anchor_links=True)
    return Markup(renderer.with_formulas(_rendered(source, renderer)))


class _WithFormulas(IPythonRenderer):
    """Leaves a place for each formula, so that MathML need not be among the tags that a learner may use.

    A learner cannot know the name of a place.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._name = secrets.token_hex(16)
        self._formulas: list[str] = []

    def inline_math(self, body: str) -> str:
        """Called for `$…$`."""
        return self._place(mathml(body, block=False))

    def block_math(self, body: str) -> str:
        """Called for `$$…$$`."""
        return self._place(mathml(body, block=True))

    def latex_environment(self, name: str, body: str) -> str:
        """Called for `\\begin{name}…\\end{name}`."""
        return self._place(mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True))

    def with_formulas(self, page: str) -> str:
        """Return `page` with the formulas in their places."""
        return re.sub(rf"{self._name}-(\d+)-", lambda place: self._formulas[int(place[1])], page)

    def _place(self, formula: str) -> str:
        self._formulas.append(formula)
        return f"{self._name}-{len(self._formulas) - 1}-"


def _rendered(source: str, renderer: IPythonRenderer) -> str:
    if len(source) > _LONGEST_PROSE or sum(map(source.count, _MATH)) > _MOST_MATH:
        return _as_text(source)
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
    return without_tex_commands(cleaned)


def without_tex_commands(text: str) -> str:
    """Return TeX without commands that load, link or position content."""
    return _TEX.sub(r"\1", text)


def strip_files_prefix(text: str) -> str:
    """Return `text` unchanged: nbconvert's filter would change URLs after they were checked."""
    return text


def _allowed(tag: str, name: str, value: str) -> str | None:
    if name == "class":  # nh3 has already removed classes that are not allowed
        return value
    pattern = _ATTRIBUTES.get((tag, name))
    return value if pattern is not None and re.fullmatch(pattern, value, re.DOTALL) else None


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
    return f"<pre>{html.escape(without_tex_commands(text))}</pre>"
