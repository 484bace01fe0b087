"""Hands grades and feedback back, in the forms that an LMS takes.

`export` writes grades into an LMS's own table, `feedback` makes a page for each learner, `feedback_zip` packs those.
"""

__all__ = ["export", "feedback", "feedback_zip"]
