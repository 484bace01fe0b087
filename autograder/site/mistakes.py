"""Writes the pages of named mistakes: for each exercise what its checks can recognise, with the hints."""

from __future__ import annotations

from ..course.chapter import Chapter

TOP = """\
# {title}: mistakes that the checks name

What went wrong, in the words of the check: it says this, with the hint, when an answer is exactly what the mistake
gives. The exercises are those of [the chapter]({page}).
"""


def mistakes_page(chapter: Chapter, page: str) -> str:
    """Return the Markdown of a chapter's page.

    Args:
        page: the link to the chapter's own page.
    """
    parts = [TOP.format(title=chapter.title, page=page)]
    for exercise in chapter.exercises.values():
        if exercise.conceals or not exercise.misconceptions:
            continue  # hints for a multiple choice give its answer away
        parts.append(f"## `{exercise.name}`\n")
        for mistake in exercise.misconceptions:
            parts.append(f"### You {_text(mistake.name)}\n\n{_text(mistake.hint)}\n")
    return "\n".join(parts)


def _text(words: str) -> str:
    """Escape what Markdown would read as markup. Hints are plain text, in which `code` is marked as in Markdown."""
    return "".join(f"\\{letter}" if letter in "*_<>[]$\\" else letter for letter in words)
