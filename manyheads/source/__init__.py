"""Reads the learner's source, and runs nothing of it.

`reached` says which statements a name depends on. `forbidden_names` and `presumed` judge what stands in them; `magics`
takes out what IPython alone understands.
"""

__all__ = ["forbidden_names", "magics", "presumed", "reached"]
