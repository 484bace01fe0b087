"""Runs a class's submissions through nbgrader's steps, several at a time, on this machine or a cluster.

`grade` has the loop, which runs in the only process that writes the gradebook. `cluster` starts or connects to workers;
`job` runs in a worker, for one submission.
"""

__all__ = ["cluster", "grade"]
