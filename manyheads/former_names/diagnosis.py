"""The former name of `manyheads.checking.diagnosis`."""

from manyheads.checking.diagnosis import *  # noqa: F403
