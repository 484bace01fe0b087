"""The contents of a class folder, one module each: settings, roster, receipts, gradebook, records, results.

`class_folder.ClassFolder` has the paths. Nothing here runs, reads or judges a notebook.
"""

__all__ = [
    "agreement",
    "class_folder",
    "csv_table",
    "gradebook",
    "graded_points",
    "history",
    "identity",
    "layouts",
    "person",
    "receipts",
    "record",
    "results",
    "roster",
    "roster_join",
    "roster_rows",
    "times",
]
