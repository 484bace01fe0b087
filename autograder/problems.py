"""The one exception that ends a command with a clear line and exit code 2."""


class Problem(Exception):
    """Something the person at the command line can mend. Its text says what is wrong and what to do."""
