"""Which source counts as a learner's for an exercise: what it reads, and not what happens to have the same name."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from autograder.course.chapter import Chapter
from autograder.course.notebooks import set_solution, solved_notebook
from autograder.judge.learner_source import ready_made, sources
from manyheads.source.forbidden_names import forbidden_name
from tests.support.real_course import chapters


def source_of(*cells: str) -> str:
    notebook = nbformat.v4.new_notebook(cells=list(map(new_code_cell, cells)))
    return sources(notebook, ["attend"])["attend"]


@pytest.mark.parametrize(
    "attend",
    [
        "def attend(q):\n    return helper(q)",
        "def attend(q, by=helper):\n    return by(q)",
        "@helper\ndef attend(q):\n    return q",
        "class attend(helper):\n    pass",
        "def attend(q):\n    def inner(helper):\n        return helper\n    return inner(helper)",
        "def attend(q):\n    global helper\n    helper += 1\n    return q",
        "helper += 1\ndef attend(q):\n    return q",
        "attend = lambda q: [helper for _ in q]",
        "class attend:\n    helper = 1\n    def forward(self, q):\n        return helper(q)",
    ],
)
def test_what_an_exercise_reads_from_another_cell_is_its_own(attend: str) -> None:
    assert "import the_trick" in source_of("def helper(q):\n    import the_trick\n    return q", attend)


@pytest.mark.parametrize(
    "attend",
    [
        "def attend(q):\n    helper = q\n    return helper",
        "def attend(helper):\n    return helper",
        "def attend(q):\n    return [helper for helper in q]",
        "def attend(q):\n    for helper in q:\n        pass\n    return helper",
        "def attend(q):\n    with open(q) as helper:\n        return helper",
        "attend = lambda helper: helper",
        "class attend:\n    def forward(self, helper):\n        self.helper = helper\n        return self.helper",
    ],
)
def test_a_local_name_is_not_the_helper_of_that_name(attend: str) -> None:
    assert "the_trick" not in source_of("def helper(q):\n    import the_trick\n    return q", attend)


@pytest.mark.slow
@chapters
def test_a_right_way_uses_nothing_forbidden_in_the_whole_lesson(chapter: Chapter) -> None:
    for exercise, alternative in chapter.alternatives():
        notebook = solved_notebook(chapter, "some-school/fork", "v1")
        set_solution(notebook, exercise.name, alternative.code)
        source = sources(notebook, list(chapter.exercises))[exercise.name]
        label = f"{exercise.name}, {alternative.name}"
        assert ready_made(source, chapter.earlier) is None, label
        assert forbidden_name(source, exercise.forbids, exercise.name) is None, label
