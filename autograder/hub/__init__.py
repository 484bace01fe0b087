"""A JupyterHub for one class on one machine: what `autograder hub` writes, and the parts that its settings name.

`write` writes the hub's folder. `accounts`, `class_list` and `spawner` are named in the hub's settings, run in the hub,
and need the extra `[hub]`; `throwaway` starts a hub for a look, without a change to the machine. Nothing here runs or
grades a notebook.
"""

__all__ = ["accounts", "throwaway", "write"]
