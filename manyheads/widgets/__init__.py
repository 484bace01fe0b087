"""The course's interactive pictures. Lessons import them from here; each has a module of its own, whose drawing
functions work without a widget."""

from .block_walk import block_walk
from .cache_size import cache_explorer
from .head_map import head_map
from .head_viewer import head_viewer, model_head_viewer
from .loss_curves import loss_curves
from .mask_painter import mask_painter
from .next_token import next_token_explorer
from .one_sentence import sentence_explorer
from .position_clocks import position_clocks
from .projection_explorer import projection_explorer
from .rotary_clocks import rotary_clocks
from .scaling import scaling_explorer
from .training_race import one_or_many

__all__ = [
    "block_walk",
    "cache_explorer",
    "head_map",
    "head_viewer",
    "loss_curves",
    "mask_painter",
    "model_head_viewer",
    "next_token_explorer",
    "one_or_many",
    "position_clocks",
    "projection_explorer",
    "rotary_clocks",
    "scaling_explorer",
    "sentence_explorer",
]
