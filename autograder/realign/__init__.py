"""Realigns submissions with the released notebook, without running any of their code.

`read_submission` decides whether a file can be graded at all; `realign` restores cells that were lost, moved, split or
merged, and lists the repairs.
"""

__all__ = ["newer_python", "pieces", "read_submission", "realign", "release", "repairs", "schema"]
