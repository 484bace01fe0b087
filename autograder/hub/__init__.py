"""A JupyterHub for one class on one machine: what `autograder hub` writes, and the parts that its settings name.

`write` writes the hub's folder. The hub itself imports `accounts`, `class_list` and `spawner`, which need the extra
`[hub]`; `throwaway` starts a hub for a look, without a change to the machine. Nothing here runs or grades a notebook.
"""

__all__ = ["accounts", "class_list", "spawner", "throwaway", "write"]
