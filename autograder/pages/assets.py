"""The style sheets and scripts of pages, as texts. Imports nothing of grading, so that the board starts quickly."""

from __future__ import annotations

from importlib.resources import files

from markupsafe import Markup


def asset(package: str, name: str) -> Markup:
    """Return a style sheet or script from a package's templates. A style sheet begins with the one that all share."""
    text = files(package).joinpath("templates", name).read_text(encoding="utf-8")
    if name.endswith(".css"):
        text = files("autograder.pages").joinpath("templates", "look.css").read_text(encoding="utf-8") + text
    return Markup(text)
