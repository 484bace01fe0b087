"""The former name of `manyheads.models.minilm`."""

from manyheads.models.minilm import *  # noqa: F403
