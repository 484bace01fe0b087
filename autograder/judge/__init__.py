"""Decides, outside the learner's process, whether the answers of their code are right.

`judge.Judge` asks and compares, and makes a `verdict.Verdict` for each graded cell. `learner_source` and `needed_cells`
read the learner's source and never run it.
"""

__all__ = ["interview", "judge", "learner_source", "needed_cells", "verdict"]
