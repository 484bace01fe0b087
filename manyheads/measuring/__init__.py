"""Measures the time and the memory that attention layers take.

`measure` times the `contestants` against each other, and `memory` weighs them. `recorded` keeps what was measured on
other machines.
"""

__all__ = ["contestants", "measure", "memory", "recorded"]
