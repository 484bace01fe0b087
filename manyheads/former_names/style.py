"""The former name of `manyheads.pictures.style`."""

from manyheads.pictures.style import *  # noqa: F403
