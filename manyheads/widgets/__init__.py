"""The pictures of the course that a learner can move. Lessons import them from here; each has a module of its own,
whose drawing functions can be called without any widget."""

from .head_map import head_map
from .mask_painter import mask_painter
from .scaling import scaling_explorer

__all__ = ["head_map", "mask_painter", "scaling_explorer"]
