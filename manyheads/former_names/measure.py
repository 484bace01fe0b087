"""The former name of `manyheads.measuring.measure`."""

from manyheads.measuring.measure import *  # noqa: F403
