"""The former name of `manyheads.pictures.model_pictures`."""

from manyheads.pictures.model_pictures import *  # noqa: F403
