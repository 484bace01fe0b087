"""Modules under the names that they had before: notebooks and courses which were written then still import them.

`manyheads` finds these files as its own: `manyheads.style` is `former_names/style.py`. Nothing in this repository
imports them.
"""

__all__: list[str] = []
