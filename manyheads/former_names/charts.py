"""The former name of `manyheads.pictures.charts`."""

from manyheads.pictures.charts import *  # noqa: F403
