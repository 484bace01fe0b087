"""The former name of `manyheads.pictures.relation_map`."""

from ..pictures.relation_map import *  # noqa: F403
