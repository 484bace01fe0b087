"""Finds the code behind wrong answers: for each known mistake, the most common code that made it.

Instructors show the report to a class, so the code is rewritten until it does not reveal its author: comments and
docstrings are removed; strings and names that neither the lesson nor Python uses are replaced. No code runs here.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import keyword
import math
import re
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path

from ..classroom.class_folder import ClassFolder
from ..classroom.results import ClassResults, State
from ..course.chapter import Chapter, read_chapter
from ..course.notebooks import EXERCISE_PREFIX
from ..notebook.lines import lines_of
from ..sandbox.bounded import BoundedProcess, OutOfBounds

_MOST_LINES = 30
_LONGEST_SOURCE = 20_000  # characters; limits the time for parsing
_MAGIC = re.compile(r"^[ \t]*+[%!?].*$", re.MULTILINE)
_REPLACED = "…"


@dataclass(frozen=True)
class Unrecognised:
    """Wrong answers of one kind that no known mistake explains.

    Args:
        exercise: the exercise.
        group: what the answers have in common, "" if nothing is known of them.
        students: who gave them, sorted.
    """

    exercise: str
    group: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class CodeSample:
    """The most common code behind one wrong answer.

    Args:
        lines: the code, made anonymous.
        differs: for each line, whether it does not occur in the reference solution.
        wrote_it: how many learners wrote this code, apart from names, comments and layout.
        of: how many learners gave this answer with code that could be parsed.
        cut: how many lines were left out at the end.
    """

    lines: tuple[str, ...]
    differs: tuple[bool, ...]
    wrote_it: int
    of: int
    cut: int = 0

    @property
    def source(self) -> str:
        return "\n".join(self.lines)


def code_samples(folder: ClassFolder, results: ClassResults) -> dict[tuple[str, str], CodeSample]:
    """Return the most common code by (exercise, mistake); if no known one fits, it is the answers' group."""
    chapter = folder.chapter(results.assignment)
    vocabulary = _vocabulary(chapter)
    written: dict[tuple[str, str], list[str]] = {}
    with BoundedProcess() as bounded:
        for learner in results.learners:
            wrong = {
                exercise: result.misconceptions or (result.group,)
                for exercise, result in learner.exercises.items()
                if result.state in (State.WRONG, State.PARTLY)
            }
            path, codes = folder.autograded(learner.student, results.assignment), dict[str, str]()
            if wrong:
                with contextlib.suppress(OutOfBounds):  # then the report lacks this learner's code
                    codes = bounded(_codes, path, tuple(wrong), chapter.folder)
            for exercise, code in codes.items():
                for mistake in wrong[exercise]:
                    written.setdefault((exercise, mistake), []).append(code)
    reference = {name: anonymous(source, name, vocabulary) for name, source in chapter.reference.items()}
    return {key: _commonest(codes, reference[key[0]]) for key, codes in written.items()}


def _codes(path: Path, exercises: Sequence[str], chapter_folder: Path) -> dict[str, str]:
    """Return the anonymous code of `exercises` in the graded submission at `path`, by exercise."""
    vocabulary, cells = _vocabulary(read_chapter(chapter_folder)), _exercise_cells(path)
    codes = {exercise: anonymous(cells.get(exercise, ""), exercise, vocabulary) for exercise in exercises}
    return {exercise: code for exercise, code in codes.items() if code}


def anonymous(source: str, exercise: str, vocabulary: frozenset[str]) -> str:
    """Return the definition of `exercise` in a standard layout, without names and strings that its author chose.

    Args:
        source: the learner's cell.
        exercise: the function or class to return.
        vocabulary: words that are not replaced. Other names become `name_1`, `name_2`, …, other strings "…".

    Returns:
        The code, "" if the cell cannot be parsed or does not define the exercise.
    """
    if len(source) > _LONGEST_SOURCE:
        return ""
    try:
        tree = ast.parse(_MAGIC.sub("", source))
        definitions = [node for node in tree.body if not isinstance(node, ast.Expr)]
        if not any(_name_of(node) == exercise for node in definitions):
            return ""
        module = ast.Module(_needed(definitions, exercise), type_ignores=[])
        return ast.unparse(ast.fix_missing_locations(_Anonymiser(vocabulary).visit(module)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # learners' code can raise any of these in ast
        return ""


class _Anonymiser(ast.NodeTransformer):
    """Replaces names and strings that are not in the vocabulary, and long numbers."""

    def __init__(self, vocabulary: frozenset[str]) -> None:
        self.vocabulary = vocabulary
        self._names: dict[str, str] = {}
        self._number = count(1)

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [statement for statement in node.body if not _is_text(statement)] or [ast.Pass()]
        for field, value in ast.iter_fields(node):
            if isinstance(value, str) and not isinstance(node, ast.Constant):
                words = ".".join(map(self._word, value.split(".")))  # a module's name may have dots
                setattr(node, field, words)
            elif isinstance(value, list) and value and all(isinstance(name, str) for name in value):
                setattr(node, field, [self._word(name) for name in value])  # the names of global and nonlocal
        return super().visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bytes) or (isinstance(value, str) and value not in self.vocabulary):
            return ast.Constant(_REPLACED)
        if isinstance(value, int | float | complex) and not isinstance(value, bool) and _is_long(value):
            return ast.Name("number", ast.Load())
        return ast.Constant(value)  # drops the prefix `u`

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant(_REPLACED)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if type(node).__name__ == "TemplateStr":  # Python 3.14
            return ast.Constant(_REPLACED)
        return super().generic_visit(node)

    def _word(self, word: str) -> str:
        if word in self.vocabulary:
            return word
        if word not in self._names:
            self._names[word] = f"name_{next(self._number)}"
        return self._names[word]


def _needed(definitions: list[ast.stmt], exercise: str) -> list[ast.stmt]:
    """Return the definitions of `exercise` and of everything in the cell that it uses, in the cell's order."""
    indices: dict[str, list[int]] = {}
    for index, node in enumerate(definitions):
        indices.setdefault(_name_of(node), []).append(index)
    needed, wanted = set[int](), [exercise]
    while wanted:
        for index in indices.pop(wanted.pop(), ()):
            needed.add(index)
            wanted += [inner.id for inner in ast.walk(definitions[index]) if isinstance(inner, ast.Name)]
    return [definitions[index] for index in sorted(needed)]


def _name_of(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_long(value: complex) -> bool:
    """Whether a number has enough digits to identify a person: a student number, a date of birth."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    digits = re.sub(r"e[+-]?\d+|\D", "", repr(value)).strip("0")
    return len(digits) > 4


def _commonest(codes: list[str], reference: str) -> CodeSample:
    counts: dict[str, int] = {}
    for code in codes:
        counts[code] = counts.get(code, 0) + 1
    code = min(counts, key=lambda code: (-counts[code], len(code), code))
    lines = lines_of(code)
    known = {line.strip() for line in lines_of(reference)}
    differs = [line.strip() not in known for line in lines]
    if sum(differs) * 2 > len(lines):  # a different approach: highlighting most lines would not help
        differs = [False] * len(lines)
    shown = slice(_MOST_LINES)
    return CodeSample(
        tuple(lines[shown]), tuple(differs[shown]), counts[code], len(codes), max(0, len(lines) - _MOST_LINES)
    )


def _exercise_cells(path: Path) -> dict[str, str]:
    """Return the source of each exercise's cell in a graded submission, by name; empty if it cannot be read."""
    found: dict[str, str] = {}
    try:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])  # a list of lines, or one string
                first_line = source.partition("\n")[0]
                name = cell["metadata"].get("nbgrader", {}).get("grade_id") or first_line.removeprefix(EXERCISE_PREFIX)
                found[name] = source
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return found


@lru_cache(maxsize=16)
def _vocabulary(chapter: Chapter) -> frozenset[str]:
    """Return the words that the chapter, Python and torch use."""
    import torch

    own = [chapter.imports, *chapter.reference.values(), *chapter.earlier.values()]
    own += [chapter.mistaken(exercise.name, mistake) for exercise, mistake in chapter.misconceptions()]
    own += [alternative.code for _, alternative in chapter.alternatives()]
    own += [exercise.stand_in for exercise in chapter.exercises.values() if exercise.stand_in]
    words = {*keyword.kwlist, *dir(builtins), *dir(math), "einops", "rearrange", "numpy", "np", "F", "functional"}
    for module in (torch, torch.Tensor, torch.nn, torch.nn.Module, torch.nn.functional, torch.linalg):
        words |= set(dir(module))
    return frozenset({*words, *chapter.exercises, *_words(own)})


def _words(sources: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for source in sources:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME:
                found.add(token.string)
            elif token.type == tokenize.STRING and not token.string.startswith(("f", "F")):
                found.add(str(ast.literal_eval(token.string)))
    return found


def unrecognised(results: ClassResults) -> list[Unrecognised]:
    """Return the wrong answers that no known mistake explains, by what they have in common; the most common first."""
    found: dict[tuple[str, str], list[str]] = {}
    for learner in results.learners:
        for exercise, result in learner.exercises.items():
            if result.state in (State.WRONG, State.PARTLY) and not result.misconceptions:
                found.setdefault((exercise, result.group), []).append(learner.student)
    groups = [Unrecognised(exercise, group, tuple(students)) for (exercise, group), students in found.items()]
    return sorted(groups, key=lambda one: -len(one.students))
