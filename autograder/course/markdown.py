"""Lays out a lesson's Markdown for notebooks: what JupyterLab, VS Code, Colab and GitHub all show in the same way.

A section's minutes get a line of their own below its heading, so that headings stay short in the table of contents.
What learners are asked to do is a block quote, which every one of them sets apart.
"""

from __future__ import annotations

import re

_HEADING = re.compile(r"^(#+ .+?)[ \t]+(<sub>[^<\n]+</sub>)[ \t]*$", re.MULTILINE)
_TASK = re.compile(r"^\*\*Your turn\.\*\*.*?(?=\n+(?:<details>|#+ )|\s*\Z)", re.MULTILINE | re.DOTALL)


def laid_out(source: str) -> str:
    """Return a Markdown cell's source as notebooks have it. What is laid out already stays as it is."""
    source = _HEADING.sub(r"\1\n\n\2", source)
    return _TASK.sub(lambda match: _quoted(match[0]), source)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def about(exercises: int, points: float, minutes: int) -> str:
    """Return the line below a chapter's title: how many exercises it has, and how long it takes.

    The minutes of a lesson's sections are those of somebody who makes few mistakes. In trials with two mistakes in each
    exercise, it took half as long again and more.
    """
    work = f"{exercises} exercise{'s' if exercises != 1 else ''}, {points:g} point{'s' if points != 1 else ''}"
    return f"*{work}. Takes {minutes} minutes if all goes well, {round(1.6 * minutes, -1):.0f} with detours.*"
