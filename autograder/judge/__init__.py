"""Decides, outside the learner's process, whether what their code answers is right.

`judge.Judge` asks and compares; a `verdict.Verdict` is what it says of one graded cell. `learner_source` and
`needed_cells` read what the learner wrote, and run nothing.
"""

__all__ = ["interview", "judge", "learner_source", "needed_cells", "verdict"]
