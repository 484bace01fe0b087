"""Shows an instructor what a class misunderstood, as one HTML page.

`report.write_report` only shows what `autograder.classroom.results` gathered: it never judges and changes no grade.
"""

__all__ = ["report"]
