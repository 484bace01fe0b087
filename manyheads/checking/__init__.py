"""Compares answers with the right ones and says what is wrong: for the learner's checks and for the judge.

`diagnosis` decides, with the `exam.Exam` of an exercise, and `wording` has the sentences. `exam_files` reads the exams
that learners' checks use. Nothing here runs a learner's code.
"""

__all__ = [
    "comparison",
    "diagnosis",
    "divergence",
    "exam",
    "exam_files",
    "first_wrong_line",
    "labels",
    "milestones",
    "pairs",
    "sizes",
    "stage",
    "wording",
]
