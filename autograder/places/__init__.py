"""Packages the judge for other platforms: Gradescope and GitHub Classroom.

`gradescope_package` and `github_classroom` write the files that instructors upload. `gradescope_run` runs in
Gradescope's container for each submission.
"""

__all__ = ["github_classroom", "gradescope_package", "gradescope_run"]
