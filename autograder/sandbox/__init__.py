"""Runs a notebook's cells in a sandbox.

`run_cells.RunCells` is nbgrader's `Execute` with a sealed kernel: a fork of a warm process, in its own namespaces.
`bounded` runs functions on learners' files with limits on time and memory; `requirements` checks what a machine lacks.
This file is visible inside the sandbox, and must not import anything.
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
