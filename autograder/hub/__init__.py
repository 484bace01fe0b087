"""A JupyterHub for one class on one machine: what `autograder hub` writes, and the parts that its settings name.

`write` writes the hub's folder. `accounts`, `class_list` and `spawner` are named in the hub's settings, run in the hub,
and need the extra `[hub]`; learners' settings name `validate`. `look` starts a hub in a machine that `throwaway` makes,
for a look.
"""

__all__ = ["accounts", "look", "throwaway", "write"]
