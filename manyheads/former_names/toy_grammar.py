"""The former name of `manyheads.models.toy_grammar`."""

from manyheads.models.toy_grammar import *  # noqa: F403
