"""The former name of `manyheads.models.wordpiece`."""

from manyheads.models.wordpiece import *  # noqa: F403
