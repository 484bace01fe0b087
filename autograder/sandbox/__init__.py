"""Runs a notebook's cells where they can hurt nobody.

`run_cells.RunCells` is nbgrader's `Execute` with a sealed kernel under it: a fork of a warm process, in namespaces of
its own. `bounded` reads what learners wrote with little time and memory; `requirements` says what a machine lacks. This
file is shown inside the sandbox, and imports nothing.
"""

__all__ = [
    "bounded",
    "fork_server",
    "kernel",
    "limits",
    "mailbox",
    "other_user",
    "requirements",
    "run_cells",
    "warm_process",
]
