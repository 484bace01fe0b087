"""The command line: each command turns its arguments into one call of another room, and prints what came back.

`app.main` is the command `autograder`. Trouble that a user can mend is a `Problem`, told in one line.
"""

__all__ = ["app"]
