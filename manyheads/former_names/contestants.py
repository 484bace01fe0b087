"""The former name of `manyheads.measuring.contestants`."""

from manyheads.measuring.contestants import *  # noqa: F403
