"""Calls the learner's code, in the learner's own process, and records the answers.

`probe.run` carries out a `call.Call` and returns its `call.Answer`; `wire` carries both from one process to another.
Nothing here knows a right answer.
"""

__all__ = ["call", "cause", "forbidden_calls", "frames", "pretend_hardware", "probe", "sealed", "steps", "wire"]
