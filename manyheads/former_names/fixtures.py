"""The former name of `manyheads.checking.exam_files`."""

from manyheads.checking.exam_files import *  # noqa: F403
