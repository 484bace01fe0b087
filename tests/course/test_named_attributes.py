"""What a lesson reads off a learner's layer is what its exercise names: all else may have any name."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import pytest
from torch import nn

from autograder.course.chapter import Chapter
from autograder.course.exams import VISIBLE_SEED, set_exams
from tests.support.real_course import CHAPTERS, chapters


def _named(chapter: Chapter, exercise: str) -> set[str]:
    """Return the attributes that an exercise's class must have: its parameters, and those that its docstring lists."""
    own = chapter.namespace()[exercise]
    lists = " ".join(part for part in (inspect.getdoc(own) or "").split("\n\n") if part.startswith("Its "))
    state = [name for trial in set_exams(chapter, VISIBLE_SEED)[exercise].trials for name in trial.call.state or ()]
    return {name.split(".")[0] for name in state} | set(re.findall(r"\w+", lists)) | set(dir(own))


CLASSES = {
    name: _named(chapter, name)
    for chapter in CHAPTERS
    for name in chapter.exercises
    if isinstance(own := chapter.namespace()[name], type) and issubclass(own, nn.Module)
}


def _asked(source: str) -> Iterator[tuple[str, str]]:
    """Yield (class, attribute) for each attribute that a cell reads of an object of a learner's class."""
    tree, kinds = ast.parse(source), dict[str, str]()
    for node in ast.walk(tree):
        match node:
            case (
                ast.arg(arg=name, annotation=ast.Name(id=kind))
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=kind)))
            ) if kind in CLASSES:
                kinds[name] = kind
            case _:
                pass
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in kinds:
            yield kinds[node.value.id], node.attr


def test_what_a_cell_asks_is_found() -> None:
    source = (
        "def of(layer: MultiHeadAttention):\n    return layer.num_heads\nfast = FastMultiHeadAttention(8, 2)\nfast.w_q"
    )
    assert set(_asked(source)) == {("MultiHeadAttention", "num_heads"), ("FastMultiHeadAttention", "w_q")}
    assert "w_q" in CLASSES["FastMultiHeadAttention"]
    assert "num_heads" in CLASSES["GroupedQueryAttention"]
    assert "num_heads" not in CLASSES["MultiHeadAttention"]


@pytest.mark.slow
@chapters
def test_a_lesson_reads_only_attributes_that_its_exercises_name(chapter: Chapter) -> None:
    code = [cell.source for cell in chapter.cells if cell.cell_type == "code" and "%pip" not in cell.source]
    asked = {pair for source in code for pair in _asked(source)}
    assert [f"{kind}.{name}" for kind, name in sorted(asked) if name not in CLASSES[kind]] == []
