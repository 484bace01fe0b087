"""An unnamed mistake of a class becomes a draft declaration with the smallest possible edit."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
import torch

from autograder.classroom.class_folder import ClassFolder
from autograder.course.chapter import Chapter
from autograder.report.draft_misconception import _align_names, draft, edit_between
from autograder.report.wrong_code import CodeSample, Unrecognised, _vocabulary, anonymous
from autograder.run.grade import grade
from tests.support.real_course import CHAPTERS
from tests.support.toy import TOY, HandIn, Here

REFERENCE = '''def attention_scores(q, k):
    """Return how well each query fits each key."""
    d_head = q.shape[-1]  # the width
    return q @ k.transpose(-2, -1) / math.sqrt(d_head)'''


WIDTH = "d_head = q.shape[-1]\n "


@pytest.mark.parametrize(
    ("wrong", "replace", "by"),
    [
        (f"{WIDTH}return q @ k.transpose(-2, -1) / math.sqrt(d_head + 1)", "d_head", ""),
        ("d_head = q.shape[-2]\n return q @ k.transpose(-2, -1) / math.sqrt(d_head)", "1", "2"),
        ("name_1 = q.shape[-1]\n return q @ k.transpose(-2, -1) / math.log(name_1)", "math.sqrt", "math.log"),
        (
            f"{WIDTH}return q @ k.transpose(-2, -1) * math.sqrt(d_head)",
            "q @ k.transpose(-2, -1) / math.sqrt(d_head)",
            "",
        ),
        ("d_head = q.shape[-1]\n s = q @ k.mT\n return s / math.sqrt(d_head)", None, ""),
        ("this is no Python", None, ""),
    ],
)
def test_the_edit_is_the_smallest_part_that_differs_and_occurs_once(wrong: str, replace: str | None, by: str) -> None:
    source = f"def attention_scores(q, k):\n {wrong}"
    found = edit_between(REFERENCE, source)
    if replace is None:
        assert found is None
        return
    assert found is not None
    assert REFERENCE.count(found.replace) == 1
    assert len(found.replace) <= len("q @ k.transpose(-2, -1) / math.sqrt(d_head)")
    assert replace in found.replace
    assert by in found.by
    made = REFERENCE.replace(found.replace, found.by)
    names = {"q": torch.randn(2, 3, 5), "k": torch.randn(2, 4, 5)}
    results = []
    for code in (made, source):
        namespace: dict[str, Any] = {"math": math}
        exec(code, namespace)
        results.append(namespace["attention_scores"](**names))
    assert torch.equal(*results)


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.thorough) for start in (1, 2, 3))])
def test_most_known_mistakes_are_drafted_as_an_edit_that_makes_them(start: int) -> None:
    """If there is a draft for a declared mistake, as a learner would write it, it gives the same code, names apart."""
    drafted = 0
    declared = [(chapter, *pair) for chapter in CHAPTERS for pair in chapter.misconceptions()][start::4]
    for chapter, exercise, mistake in declared:
        vocabulary = _vocabulary(chapter)
        wrong = anonymous(chapter.mistaken(exercise.name, mistake), exercise.name, vocabulary)
        reference = chapter.reference[exercise.name]
        edit = edit_between(reference, wrong) if wrong else None
        if edit is None:
            continue
        drafted += 1
        assert reference.count(edit.replace) == 1
        made = anonymous(reference.replace(edit.replace, edit.by), exercise.name, vocabulary)
        ours, theirs = ast.parse(made), ast.parse(wrong)
        _align_names(ours, theirs)
        assert ast.dump(ours) == ast.dump(theirs), mistake.name
    assert drafted * 2 > len(declared)


def test_code_that_differs_everywhere_is_quoted_and_the_edit_left_open() -> None:
    chapter = CHAPTERS[0]
    sample = CodeSample(("def attention_scores(q, k):", "    return torch.einsum('…', q, k)"), (False, True), 2, 3)
    text = draft(chapter, Unrecognised("attention_scores", "", ("ada", "bo", "cleo")), sample)
    assert "# 3 learners in attention_scores\n" in text
    assert "#     def attention_scores(q, k):\n" in text
    assert 'replace="…"' in text


@pytest.mark.slow
def test_the_command_drafts_what_a_class_got_wrong(
    toy_class: ClassFolder, hand_in: HandIn, here: Here, toy: Chapter
) -> None:
    right = dict(toy.reference)
    assert "the course's" not in here("misconception", toy_class.root, TOY).out
    for student in ("ada", "bo"):
        hand_in(
            toy_class, student, {**right, "scale_rows": "def scale_rows(x, factors): return x * factors[:, None] ** 2"}
        )
    hand_in(toy_class, "cleo", {**right, "scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"})
    grade(toy_class, TOY, workers=1, progress=False)
    done = here("misconception", toy_class.root, TOY)
    assert done.code == 0, done.err
    assert "# 2 learners in scale_rows" in done.out
    assert "by='factors[:, None] ** 2'," in done.out
    assert done.out.count("Misconception(") == 1, "what cleo did has a name"
    other = here("misconception", toy_class.root, TOY, "nothing")
    assert other.code == 2
    assert "has no exercise 'nothing'" in other.err
