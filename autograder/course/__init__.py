"""The author's side: reads a chapter's folder and makes notebooks, exams and fixtures of it.

`chapter.read_chapter` reads one; `exams.set_exams` draws its cases and answers them; `build` writes all that is
derived. `autograder.declare` has the words that exercises are declared in.
"""

__all__ = ["build", "bundle", "chapter", "declare", "exams", "families", "home", "notebooks"]
