"""The former name of `manyheads.measuring.memory`."""

from manyheads.measuring.memory import *  # noqa: F403
