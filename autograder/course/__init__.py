"""Reads a chapter's folder, as its author wrote it, and makes notebooks, exams and fixtures from it.

`chapter.read_chapter` reads a chapter; `exams.set_exams` draws its cases and computes the answers; `build` writes the
derived files. `autograder.declare` has the public names for declaring exercises.
"""

__all__ = ["build", "bundle", "chapter", "declare", "exams", "families", "home", "notebooks"]
