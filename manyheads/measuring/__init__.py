"""Measures the time and the memory that attention layers take.

`measure` times the `contestants` and compares them; `memory` measures their memory. `recorded` has measurements from
other machines.
"""

__all__ = ["contestants", "measure", "memory", "recorded"]
