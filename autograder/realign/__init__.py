"""Makes of a submission a notebook that fits the release, and runs nothing of it.

`read_submission` decides whether a file can be graded at all; `realign` puts cells back that were lost, moved, split or
merged, and lists what it did.
"""

__all__ = ["newer_python", "pieces", "read_submission", "realign", "release", "repairs", "schema"]
