"""The stages of a check. Records are read without torch, so nothing here imports it."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """What decided a check, for learners' checks and the judge's verdicts.

    From `RAN` to `GRADIENT` they are the comparisons, in their order. `FORBIDDEN` is the use of a forbidden name.
    Only a verdict has `PASSED`, and `TIMEOUT` or `CRASHED` if the cell was not reached.
    """

    PASSED = "passed"
    UNSOLVED = "unsolved"
    FORBIDDEN = "forbidden"
    RAN = "ran"
    PARAMETERS = "parameters"
    TYPE = "type"
    COUNT = "count"
    SHAPE = "shape"
    DTYPE = "dtype"
    DEVICE = "device"
    UNTOUCHED = "untouched"
    FINITE = "finite"
    VALUES = "values"
    GRADIENT = "gradient"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
