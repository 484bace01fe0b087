"""Makes the HTML page that shows an instructor what a class misunderstood.

`report.write_report` renders the results of `autograder.classroom.results`, and `draft_misconception` drafts names for
mistakes that have none. Nothing here judges or changes a grade.
"""

__all__ = ["draft_misconception", "report"]
