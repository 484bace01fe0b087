"""Drafts the declaration of a mistake that a class made and that has no name yet.

The draft is an edit of the reference solution, taken from the most common code behind the wrong answers: the smallest
part in which the two differ. An author gives it a name and a hint; `make check` then proves that it is told apart.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..classroom.class_folder import ClassFolder
from ..classroom.results import class_results
from ..course.chapter import Chapter
from ..problems import Problem
from .wrong_code import CodeSample, Unrecognised, code_samples, unrecognised

_LONGEST = 100  # characters of an edit: a longer one is more than one mistake
_REPLACED = re.compile(r"\bname_\d+\b|\bnumber\b|…")  # what `wrong_code.anonymous` puts for a learner's own words


@dataclass(frozen=True)
class Edit:
    """One replacement in the reference solution's cell: `replace` occurs in it exactly once."""

    replace: str
    by: str


def drafts(folder: ClassFolder, assignment: str, exercise: str | None = None) -> list[str]:
    """Return a draft for each kind of wrong answer that no known mistake explains, the most common first.

    Args:
        exercise: only this exercise; None for all.

    Raises:
        Problem: if the chapter has no such exercise.
    """
    chapter = folder.chapter(assignment)
    if exercise is not None and exercise not in chapter.exercises:
        raise Problem(f"{assignment} has no exercise {exercise!r}; it has: {', '.join(chapter.exercises)}")
    results = class_results(folder, assignment)
    samples = code_samples(folder, results)
    return [
        draft(chapter, wrong, samples.get((wrong.exercise, wrong.group)))
        for wrong in unrecognised(results)
        if exercise in (None, wrong.exercise)
    ]


def edit_between(reference: str, wrong: str) -> Edit | None:
    """Return the smallest edit that makes a wrong solution of the reference; None if they differ in several places.

    Args:
        reference: the source of the exercise's cell, without docstrings or comments being removed.
        wrong: the source of a wrong solution, in the layout of `wrong_code.anonymous`.
    """
    try:
        ours, theirs = _definitions(reference), _definitions(wrong)
    except SyntaxError:
        return None
    _align_names(ours, theirs)
    best: Edit | None = None
    for right, given in _differing(ours, theirs):
        source = ast.get_source_segment(reference, right)
        if not source or reference.count(source) != 1 or len(source) > _LONGEST:
            continue
        if _REPLACED.search(ast.unparse(given)):
            continue
        for by in (ast.unparse(given), f"({ast.unparse(given)})"):  # between other operators it may need parentheses
            if _makes(reference.replace(source, by), theirs):
                best = Edit(source, by)
                break
    return best


def _definitions(source: str) -> ast.Module:
    """Parse source, and keep its functions and classes without docstrings and annotations."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body = [statement for statement in node.body if not _is_text(statement)] or node.body
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return tree


def _makes(source: str, wanted: ast.Module) -> bool:
    try:
        return ast.dump(_definitions(source)) == ast.dump(wanted)
    except SyntaxError:
        return False


def _align_names(ours: ast.Module, theirs: ast.Module) -> None:
    """Give variables of the wrong solution the reference's names, where they are bound in the same order."""

    def bound(tree: ast.Module) -> list[str]:
        names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        return list(dict.fromkeys(names))

    one, other = bound(ours), bound(theirs)
    if len(one) != len(other):
        return
    renamed = dict(zip(other, one, strict=True))
    for node in ast.walk(theirs):
        if isinstance(node, ast.Name):
            node.id = renamed.get(node.id, node.id)


def _differing(right: ast.AST, given: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, ast.AST]]:
    """Yield pairs of nodes that contain the one difference between two trees, from the largest to the smallest."""
    if isinstance(right, ast.stmt | ast.expr):
        yield right, given
    if type(right) is not type(given):
        return
    differing = []
    for (_, one), (_, other) in zip(ast.iter_fields(right), ast.iter_fields(given), strict=True):
        ones = one if isinstance(one, list) else [one]
        others = other if isinstance(other, list) else [other]
        if len(ones) != len(others):
            return
        differing += [pair for pair in zip(ones, others, strict=True) if _text(pair[0]) != _text(pair[1])]
    if len(differing) == 1 and all(isinstance(node, ast.AST) for node in differing[0]):
        yield from _differing(*differing[0])


def _text(node: object) -> str:
    return ast.dump(node) if isinstance(node, ast.AST) else repr(node)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def draft(chapter: Chapter, wrong: Unrecognised, sample: CodeSample | None) -> str:
    """Return the draft of a `Misconception`, as lines for the exercise's file.

    The name and the hint are left open. So is the edit, with the code as a comment, where the code differs from the
    reference solution in more than one place.
    """
    edit = None
    code: tuple[str, ...] = ()
    if sample is not None:
        code = sample.lines
        edit = edit_between(chapter.reference[wrong.exercise], sample.source) if not sample.cut else None
    lines = [f"# {len(wrong.students)} learners in {wrong.exercise}{f': {wrong.group}' if wrong.group else ''}"]
    if edit is None:
        lines += [f"#     {line}" for line in code]
    lines += [
        "Misconception(",
        '    "…",  # in the past tense, completing "This is what comes out if you …"',
        f"    replace={edit.replace!r}," if edit else '    replace="…",  # text that occurs once in the lesson\'s cell',
        f"    by={edit.by!r}," if edit else '    by="…",',
        '    hint="…",  # the consequence, then the direction, never the code',
        "),",
    ]
    return "\n".join(lines)
