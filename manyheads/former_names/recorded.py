"""The former name of `manyheads.measuring.recorded`."""

from manyheads.measuring.recorded import *  # noqa: F403
