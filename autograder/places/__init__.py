"""Packs the same judge for other places that grade: Gradescope and GitHub Classroom.

`gradescope_package` and `github_classroom` write what is uploaded there. `gradescope_run` is what runs in Gradescope's
container for each submission.
"""

__all__ = ["github_classroom", "gradescope_package", "gradescope_run"]
