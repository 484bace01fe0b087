"""The former name of `manyheads.models.ready_heads`."""

from manyheads.models.ready_heads import *  # noqa: F403
