"""Exam files contain exactly the exams, in as little space as possible."""

from __future__ import annotations

import json

from autograder.course.chapter import Chapter
from autograder.course.exams import VISIBLE_SEED, set_exams
from manyheads.checking import comparison, exam_files


def test_exams_come_back_as_they_were_written(toy: Chapter) -> None:
    exams = set_exams(toy, VISIBLE_SEED)
    document, tensors = exam_files.pack(list(exams.values()))

    back = exam_files.unpack(json.loads(json.dumps(document)), tensors)

    assert [exam.exercise for exam in back] == list(exams)
    for exam, read in zip(exams.values(), back, strict=True):
        assert read.hints == exam.hints
        for trial, trial_read in zip(exam.trials, read.trials, strict=True):
            assert trial_read.wrong.keys() == trial.wrong.keys()
            for name, answer in trial.wrong.items():
                assert comparison.same(exam, trial, answer, trial_read.wrong[name]), f"{exam.exercise}, {name}"
                assert trial_read.wrong[name].parameters == answer.parameters


def test_of_a_wrong_answer_only_what_is_wrong_is_written(toy: Chapter) -> None:
    document, _ = exam_files.pack(list(set_exams(toy, VISIBLE_SEED).values()))

    trials = [trial for exam in document["exams"] for trial in exam["trials"]]
    wrong = [(trial["right"], answer) for trial in trials for answer in trial["wrong"].values()]

    assert wrong
    for right, answer in wrong:
        assert answer
        assert all(right[field] != value for field, value in answer.items())
