"""Takes in what learners handed in: decides of every file whose it is, and whether it is the one to grade.

`collect` does it for a folder or a zip. Where it is not certain whose a file is, nobody gets it, and the instructor is
told why.
"""

__all__ = ["choose_file", "collect", "collected", "read_names", "source_files", "worth"]
