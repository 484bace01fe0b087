"""The command line: each command turns its arguments into one call of another package and prints the result.

`app.main` is the command `autograder`. An error that the user can fix is a `Problem`, printed as one line.
"""

__all__ = ["app"]
