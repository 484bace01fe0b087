"""Reads the learner's source, and runs nothing of it.

`reached` says which statements a name depends on, and `scopes` which names code looks up in the notebook.
`forbidden_names`, `presumed` and `writes` examine them; `magics` translates what only IPython understands.
"""

__all__ = ["forbidden_names", "magics", "presumed", "reached", "scopes", "writes"]
