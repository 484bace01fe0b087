"""The pictures of the course that a learner can move. Lessons import them from here; each has a module of its own,
whose drawing functions can be called without any widget."""

from .head_map import head_map
from .one_or_many import one_or_many
from .one_sentence import sentence_explorer
from .scaling import scaling_explorer

__all__ = ["head_map", "one_or_many", "scaling_explorer", "sentence_explorer"]
