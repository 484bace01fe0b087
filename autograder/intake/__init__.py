"""Collects submitted files: decides who owns each file, and which of a learner's files is graded.

`collect` does this for a folder or a zip. If a file's owner is not certain, the file is assigned to nobody and listed
with the reason.
"""

__all__ = ["choose_file", "collect", "collected", "read_names", "source_files", "worth"]
