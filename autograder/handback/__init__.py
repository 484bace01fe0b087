"""Returns grades and feedback, in the formats that an LMS imports.

`export` fills grades into an LMS's table, `feedback` makes a page for each learner, `feedback_zip` zips the pages.
"""

__all__ = ["export", "feedback", "feedback_zip"]
