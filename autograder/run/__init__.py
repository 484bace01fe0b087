"""Takes a class's submissions through nbgrader's steps, several at a time, on this machine or a cluster.

`grade` is the loop and the only process that touches the gradebook. `cluster` opens the workers; `job` is what one of
them does with one submission.
"""

__all__ = ["cluster", "grade"]
