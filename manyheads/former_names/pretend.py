"""The former name of `manyheads.calling.pretend_hardware`."""

from manyheads.calling.pretend_hardware import *  # noqa: F403
