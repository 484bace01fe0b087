"""Turns TeX into MathML, which browsers show by themselves: a page needs neither a script nor a network for it.

latex2mathml reads the TeX. Of what it makes, only the elements and attributes named here reach a page, so a formula can
neither link, load nor leave its place, whoever wrote it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from xml.etree.ElementTree import Element

# fmt: off
_ELEMENTS = frozenset((
    "math", "menclose", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mphantom", "mprescripts", "mroot", "mrow",
    "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
))
# fmt: on
_FLAG = r"true|false"
_ATTRIBUTES = {  # with a pattern for the allowed values
    "accent": _FLAG,
    "accentunder": _FLAG,
    "displaystyle": _FLAG,
    "fence": _FLAG,
    "form": r"prefix|infix|postfix",
    "largeop": _FLAG,
    "linethickness": r"0",
    "movablelimits": _FLAG,
    "separator": _FLAG,
    "stretchy": _FLAG,
    "symmetric": _FLAG,
    "width": r"[0-2](?:\.\d+)?em",
}
_LONGEST = 2000  # characters; a lesson's formulas have a tenth of that
_MACRO = re.compile(r"\\(?:newcommand|def)\b")  # of which a few characters could become gigabytes


@lru_cache(maxsize=1024)  # a class's pages have the lesson's formulas in common
def mathml(tex: str, *, block: bool) -> str:
    """Return a formula as MathML, or as TeX in `<code>` if it cannot be converted.

    No attribute is in quotes, so the result does no harm in the value of another attribute either.

    Args:
        tex: TeX without its dollar signs.
        block: whether it has a line of its own.
    """
    from latex2mathml.converter import convert_to_element  # reads a table of symbols: a third of a second

    try:
        if len(tex) > _LONGEST or _MACRO.search(tex):
            raise ValueError("not converted")
        row = "".join(map(_written, convert_to_element(tex.strip(), display="block" if block else "inline")))
    except Exception:  # malformed TeX raises many kinds of exceptions
        return f"<code>{html.escape(tex)}</code>"
    return f"<math display={'block' if block else 'inline'}>{row}</math>"


def _written(element: Element) -> str:
    inner = html.escape(html.unescape(element.text or "")) + "".join(map(_written, element))
    if element.tag not in _ELEMENTS:
        return inner
    return f"<{element.tag}{''.join(_attributes(element))}>{inner}</{element.tag}>"


def _attributes(element: Element) -> Iterator[str]:
    for name, value in element.attrib.items():
        if name in _ATTRIBUTES and re.fullmatch(_ATTRIBUTES[name], value):
            yield f" {name}={value}"
