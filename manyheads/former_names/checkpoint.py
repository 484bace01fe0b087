"""The former name of `manyheads.models.checkpoint`."""

from manyheads.models.checkpoint import *  # noqa: F403
