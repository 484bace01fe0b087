"""What lies in a class folder, a module for each thing: settings, roster, receipts, gradebook, records, results.

`class_folder.ClassFolder` knows where everything lies. Nothing here runs, reads or judges a notebook.
"""

__all__ = [
    "agreement",
    "class_folder",
    "csv_table",
    "gradebook",
    "history",
    "identity",
    "layouts",
    "graded_points",
    "person",
    "receipts",
    "record",
    "results",
    "roster",
    "roster_join",
    "roster_rows",
    "times",
]
