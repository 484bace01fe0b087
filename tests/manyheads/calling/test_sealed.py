"""Stand-ins are sealed: printing, inspecting or breaking one does not show the solution."""

from __future__ import annotations

import inspect
import traceback
from dataclasses import replace

import pytest
import torch

from manyheads import earlier
from manyheads.calling.sealed import sealed, unsealed
from manyheads.checking import exam_files
from tests.support.real_course import CHAPTERS

LENT = [(chapter, name) for chapter in CHAPTERS for name in chapter.stand_ins]


def lines_of(source: str) -> set[str]:
    """Lines long enough to be unique: `return q @ k.transpose(-2, -1) / math.sqrt(d_head)`, but no import."""
    lines = {line.strip() for line in source.splitlines()}
    return {line for line in lines if len(line) > 40 and not line.startswith(("from ", "import "))}


def test_source_comes_back_whole() -> None:
    source = "def f(x):\n    return 'ö' + x\n"
    assert unsealed(sealed(source)) == source
    assert sealed(sealed(source)) == sealed(source)
    assert (sealed(""), unsealed(""), unsealed(source)) == ("", "", source)


@pytest.mark.slow
def test_no_line_of_a_stand_in_can_be_read_in_learners_files() -> None:
    stored = b"".join(path.read_bytes() for path in sorted(exam_files.FOLDER.iterdir())).decode(errors="replace")
    for chapter, name in LENT:
        assert not [line for line in lines_of(chapter.stand_ins[name]) if line in stored], name


def test_an_exam_shows_its_stand_in_neither_printed_nor_in_its_fields() -> None:
    for exam in exam_files.all_exams().values():
        exam = replace(exam, trials=())  # tensors, which take seconds to print
        shown = f"{exam} {exam!r} {vars(exam)}"
        for line in lines_of(unsealed(exam.stand_in)):
            assert line not in shown, exam.exercise


@pytest.mark.parametrize("name", [name for _, name in LENT])
def test_a_given_stand_in_shows_no_source(name: str) -> None:
    lent = getattr(earlier, name)
    with pytest.raises((OSError, TypeError)):
        inspect.getsource(lent)
    for value in vars(inspect.getmodule(lent)).values():  # the module that it can be imported from
        assert not isinstance(value, str) or "\n" not in value.strip()


def test_a_traceback_through_a_stand_in_shows_none_of_its_lines() -> None:
    with pytest.raises(RuntimeError) as broken:
        earlier.attention(torch.ones(2, 3), torch.ones(2, 5), torch.ones(2, 5))
    told = "".join(traceback.format_exception(broken.value))
    assert "<stand-in for attention>" in told
    [source] = [chapter.stand_ins["attention"] for chapter in CHAPTERS if "attention" in chapter.stand_ins]
    assert not [line for line in lines_of(source) if line in told]


def test_a_question_of_letters_is_not_lent() -> None:
    concealed = [name for chapter in CHAPTERS for name, exercise in chapter.exercises.items() if exercise.conceals]
    assert concealed
    assert not {name for _, name in LENT} & set(concealed)
