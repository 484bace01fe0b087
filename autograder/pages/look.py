"""The look that the report and the feedback pages share: symbols of results, and what templates may use.

A page is one file that loads nothing. Its content security policy allows only its own style and script, by their
hashes, so text that a learner wrote cannot run in it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ..classroom.csv_table import number
from ..classroom.results import State
from ..safe_text import clean


@dataclass(frozen=True)
class Badge:
    """How pages show one state of an exercise: never by colour alone.

    Args:
        symbol: one or two characters, readable on a projector.
        words: the state in words.
        meaning: its line in the legend.
    """

    symbol: str
    words: str
    meaning: str

    @property
    def css(self) -> str:
        return f"state-{self.words.replace(' ', '-')}"


STATES = {
    State.RIGHT: Badge("✓", "right", "every check passed"),
    State.CARRIED: Badge("✓*", "carried", "right, judged with a working version of what it builds on"),
    State.PARTLY: Badge("◐", "partly", "some checks passed"),
    State.WRONG: Badge("✗", "wrong", "no check passed"),
    State.UNWRITTEN: Badge("○", "not written", "unchanged from the released notebook"),
    State.UNKNOWN: Badge("–", "not judged", "grading did not reach it"),
}


def policy(style: str, script: str = "") -> str:
    """Return the content security policy: nothing is loaded, and only this style and script are allowed."""

    def only(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" if text else "'none'"

    return (
        f"default-src 'none'; script-src {only(script)}; style-src {only(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def environment(package: str) -> Environment:
    """Return an environment for a package's templates that escapes and cleans every text they insert."""
    made = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Cleans every text that the template inserts, whoever wrote it.
        finalize=lambda value: clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": number,
        "things": lambda count, noun: f"{count} {noun}{'' if count == 1 else 's'}",
        "breakable": _breakable,
    }
    made.filters.update(filters)
    shared: dict[str, Any] = {"STATES": STATES}
    made.globals.update(shared)
    return made


def coloured(source: str) -> list[str]:
    """Return Python code as HTML, a string for each line."""
    text = io.StringIO()
    HtmlFormatter(nowrap=True).format(PythonLexer(stripnl=False).get_tokens(source), text)
    return text.getvalue().split("\n")


def _breakable(name: str) -> Markup:
    """Allow line breaks between the words of a long Python name."""
    return Markup("<wbr>").join(re.split(r"(?<=_)(?=[^_])|(?<=[a-z])(?=[A-Z])", clean(name)))
