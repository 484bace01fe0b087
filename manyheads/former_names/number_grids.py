"""The former name of `manyheads.pictures.number_grids`."""

from manyheads.pictures.number_grids import *  # noqa: F403
