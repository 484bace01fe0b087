"""Makes the HTML page that shows an instructor what a class misunderstood.

`report.write_report` renders the results of `autograder.classroom.results`. It never judges and changes no grade.
"""

__all__ = ["report"]
