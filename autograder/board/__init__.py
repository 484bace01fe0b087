"""The board: a small web service that shows live, during a lesson, how far a class is and which mistake is common.

`serve.serve` runs it, `after_class` summarises its record. It learns an exercise, a check, what the check found and a
random alias; never code, and never a name, unless a learner asks for help.
"""

__all__ = ["after_class", "serve", "state"]
