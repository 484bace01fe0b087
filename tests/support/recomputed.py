"""Computes again what is said of an attempt's lines, with none of what made it.

Its syntax tree is rewritten so that every expression hands over its value, with the number of its statement's line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from autograder.course.chapter import Chapter
from manyheads.calling import probe
from manyheads.calling.call import Answer
from manyheads.checking.comparison import first_divergence
from manyheads.checking.exam import Check, Exam, Trial
from manyheads.checking.milestones import Milestone

PART, WHOLE = "part", "whole"  # of a statement's value


@dataclass(frozen=True)
class Seen:
    """A value that a line made."""

    function: str
    line: int
    expression: int
    kind: str
    value: Tensor


_seen: list[Seen] = []


def seen(function: str, line: int, expression: int, kind: str, value: Any) -> Any:
    """Store a value, and return it. Rewritten code calls this."""
    tensors = [value] if isinstance(value, Tensor) else list(value) if isinstance(value, (list, tuple)) else []
    tensors = [one for one in tensors if isinstance(one, Tensor) and not one.is_meta]
    for one in tensors:
        _seen.append(Seen(function, line, expression, kind, one.detach().clone()))
    if len(tensors) > 1 and len({one.shape for one in tensors}) == 1:
        _seen.append(Seen(function, line, expression, kind, torch.stack(tensors).detach()))
    return value


class _Rewritten(ast.NodeTransformer):
    def __init__(self) -> None:
        self._names: list[tuple[str, bool]] = []  # of classes and functions, with whether it is a function
        self._line, self._count = 0, 0

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, ast.stmt):
            new = super().visit(node)
            is_value = isinstance(node, _EVALUATED) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            return self._handed_over(new, PART) if is_value else new
        line, self._line = self._line, node.lineno
        new = super().visit(node)
        after = [self._handed_over(name, WHOLE) for name in _bound(node)]
        self._line = line
        return [new, *(ast.Expr(one) for one in after)] if after else new

    def _handed_over(self, value: ast.expr, kind: str) -> ast.expr:
        self._count += 1
        outer = next((place for place, (_, is_function) in enumerate(self._names) if is_function), len(self._names))
        function = ".".join(name for name, _ in self._names[: outer + 1])
        given = [ast.Constant(part) for part in (function, self._line, self._count, kind)]
        return ast.Call(ast.Name("__seen__", ast.Load()), [*given, value], [])

    def _body_alone(self, node: Any) -> Any:
        self._names.append((node.name, isinstance(node, ast.FunctionDef)))
        node.body = _statements(self, node.body)
        self._names.pop()
        return node

    def _value_alone(self, node: Any) -> Any:
        node.value = self.visit(node.value) if node.value else None
        return node

    def _as_it_is(self, node: ast.AST) -> ast.AST:
        return node

    visit_FunctionDef = visit_ClassDef = _body_alone
    visit_Subscript = visit_AnnAssign = visit_Assign = visit_AugAssign = _value_alone
    visit_JoinedStr = visit_Raise = _as_it_is

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if isinstance(node.func, ast.Attribute):  # a method is no value, its object is
            node.func.value = self.visit(node.func.value)
        node.args = [self.visit(one) for one in node.args]
        node.keywords = [self.visit(one) for one in node.keywords]
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        if isinstance(node.value, ast.Tuple):
            node.value.elts = [self._handed_over(self.visit(part), WHOLE) for part in node.value.elts]
        elif node.value is not None:
            node.value = self._handed_over(self.visit(node.value), WHOLE)
        return node


_EVALUATED = (
    *(ast.BinOp, ast.UnaryOp, ast.Call, ast.IfExp, ast.BoolOp, ast.Compare, ast.NamedExpr),
    *(ast.ListComp, ast.List, ast.Tuple, ast.Subscript, ast.Attribute),
)


def _bound(node: ast.stmt) -> list[ast.expr]:
    """Return the names that a statement binds, or whose object it changes."""
    targets: Sequence[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target] if node.value else []
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        targets = [node.value.func.value]
    found: list[ast.expr] = []
    for target in targets:
        for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
            whole = part
            while isinstance(whole, (ast.Subscript, ast.Attribute, ast.Starred)):
                whole = whole.value
            if isinstance(whole, ast.Name) and whole.id != "self":
                found.append(ast.Name(whole.id, ast.Load()))
    return found


def _statements(rewriter: ast.NodeTransformer, body: list[ast.stmt]) -> list[Any]:
    new = [rewriter.visit(inner) for inner in body]
    return [one for each in new for one in (each if isinstance(each, list) else [each])]


def rewritten(source: str) -> str:
    """Return source that does the same, and hands its values over."""
    tree = ast.parse(source)
    tree.body = _statements(_Rewritten(), tree.body)
    return f"from {__name__} import seen as __seen__\n{ast.unparse(ast.fix_missing_locations(tree))}\n"


@dataclass(frozen=True)
class Run:
    """One case of an attempt, run as rewritten."""

    trial: Trial
    answer: Answer
    seen: Sequence[Seen]


def runs(exam: Exam, chapter: Chapter, changed: Mapping[str, str], helpers: str = "") -> list[Run]:
    """Run an attempt, and all that it calls, as rewritten."""
    sources = {name: rewritten(source) for name, source in {**chapter.reference, **changed}.items()}
    namespace = chapter.namespace(sources)
    exec(rewritten(helpers), namespace)
    found = []
    for trial in exam.trials:
        _seen.clear()
        call = replace(trial.call, cotangent=None)
        answer = probe.run(namespace[exam.exercise], call, exam.probe, namespace=namespace)
        found.append(Run(trial, answer, tuple(_seen)))
    return found


_LINE = r"[Ll]ine (\d+)(?: of ([\w.<>]+))?(?:, `[^`]*`,)? "
_SHAPE = r"(?:, \(([^()]*)\))?"
_SAME, _SQUEEZED, _TURNED = "", ", but for dimensions of size 1", ", its dimensions in another order"
_LAST, _TOGETHER = " in its last round", " in all its rounds together"
_SUMS = {
    ", but others": (None, None),
    ", whose rows sum to 1, but others": (True, None),
    ", whose columns sum to 1 and not its rows": (False, True),
    ", whose rows do not all sum to 1": (False, None),
}


def untrue(exam: Exam, text: str, given: Sequence[Run]) -> tuple[list[str], int]:
    """Compare a text with what an attempt does. Return what is not true of it, and how many comparisons were made.

    Args:
        exam: with the milestones' own numbers.
        given: one for each of the exam's trials.
    """
    about, rest = given, text
    for run in given:
        if text.startswith(f"In the case of {run.trial.name}: "):
            about, rest = [run], text.removeprefix(f"In the case of {run.trial.name}: ")
    return _Comparing(exam, about, rest).result()


class _Comparing:
    def __init__(self, exam: Exam, about: Sequence[Run], text: str) -> None:
        self._exam, self._about, self._rest = exam, about, text
        words = {milestone.words for run in about for milestone in run.trial.milestones}
        self._words = "|".join(re.escape(one.removeprefix("the ")) for one in sorted(words, key=len, reverse=True))
        self._wrong: list[str] = []
        self._count = 0

    def result(self) -> tuple[list[str], int]:
        for run in self._about:
            trial = replace(run.trial, right=replace(run.trial.right, gradients=None))
            self._holds(
                first_divergence(self._exam, trial, run.answer, Check.OUTPUTS) is not None, f"{trial.name} is wrong"
            )
        named: list[str] = []
        how = "|".join((_SQUEEZED, _TURNED))
        right = (
            rf"(?:{_LINE}(gives|computes) )?the right ({self._words}){_SHAPE}({how})?( on the way)?"
            rf"({_LAST}|{_TOGETHER})?"
        )
        line, of, verb = "", "", ""  # a line that gives several values is named once
        while found := self._next(rf"{right}(?:, and |, | and |\.\s?)"):
            words, shape, order, _, rounds = found[3:]
            if found[0]:
                line, of, verb = found[:3]
            named.append(words)
            for run, milestone in self._of(words):
                self._shape(run, milestone, shape)
                kinds = (WHOLE,) if verb == "gives" else (PART, WHOLE)
                values = self._values(run, int(line), of, kinds, rounds or "")
                stacked = _TURNED if rounds == _TOGETHER else _SAME  # rounds may run over any dimension
                fits = any(_agree(milestone.numbers, value, order or stacked) for value in values)
                self._holds(fits, f"line {line} {verb} {words}{order or ''}{rounds or ''}")
        if self._next(r"Your code returns something else in that place\.\s?"):
            for run, milestone in self._of(named[-1]):
                value = run.answer.value
                several = len(self._exam.returns) > 1 and isinstance(value, tuple)
                place = milestone.output
                assert place is not None
                returned: Any = value[place] if several and isinstance(value, tuple) else value
                same = isinstance(returned, Tensor) and _agree(milestone.numbers, returned, _SAME)
                self._holds(not same, f"something else than {named[-1]} is returned")
        lead = (
            "([Ff]irst should come|Next should come|Beside that, there should be|The course's solution goes on to) the "
        )
        lead += rf"({self._words}){_SHAPE}(, each row of which sums to 1)?"
        if found := self._next(lead):
            who, words, shape, rows = found
            none = self._next(r"; none of your lines gives these numbers( in this arrangement)?\.\s?")
            other = self._next(rf"\. {_LINE}gives these numbers, but in another arrangement\.\s?")
            for run, milestone in self._of(words):
                self._shape(run, milestone, shape)
                self._holds(milestone.optional == who.startswith("The course"), f"{words} is optional")
                self._holds(bool(named) != who.lower().startswith("first"), f"{words} is the first")
                self._holds(not rows or _sums(milestone.numbers, -1), f"rows of {words} sum to 1")
                if none:
                    same = _agree if none[0] else _same_numbers
                    every = [one.value for one in run.seen] + _stacks(run.seen)
                    self._holds(not any(same(milestone.numbers, one) for one in every), f"no line gives {words}")
                if other:
                    values = self._values(run, int(other[0]), other[1], (PART, WHOLE), "")
                    turned = any(_same_numbers(milestone.numbers, one) for one in values)
                    self._holds(turned, f"line {other[0]} gives the numbers of {words}")
            self._candidate(words)
        self._holds(not self._rest, f"understood: {self._rest!r}")
        return self._wrong, self._count

    def _candidate(self, words: str) -> None:
        sums = "|".join(map(re.escape, _SUMS))
        found = self._next(rf"{_LINE}gives numbers of that shape({sums})\.\s?")
        if found:
            rows, columns = _SUMS[found[2]]
            for run, milestone in self._of(words):
                values = [
                    value
                    for value in self._values(run, int(found[0]), found[1], (WHOLE,), "")
                    if value.shape == milestone.numbers.shape and not _agree(milestone.numbers, value)
                    and (rows is None or _sums(value, -1) == rows) and (columns is None or _sums(value, -2) == columns)
                ]  # fmt: skip
                self._holds(bool(values), f"line {found[0]} gives numbers of that shape{found[2]}")

    def _next(self, pattern: str) -> tuple[str, ...] | None:
        found = re.match(pattern, self._rest)
        if found is None:
            return None
        self._rest = self._rest[found.end() :]
        return found.groups() or ("",)

    def _holds(self, fact: object, claim: str) -> None:
        self._count += 1
        if not fact:
            self._wrong.append(claim)

    def _of(self, words: str) -> Iterator[tuple[Run, Milestone]]:
        found = [(run, one) for run in self._about for one in run.trial.milestones if one.words == f"the {words}"]
        self._holds(len(found) == len(self._about), f"there is one {words} in each case")
        yield from found

    def _shape(self, run: Run, milestone: Milestone, said: str | None) -> None:
        names = (said or "").rstrip(",").split(", ")
        sizes = [int(one.split()[0]) if one[:1].isdigit() else run.trial.sizes.get(one, -1) for one in names if one]
        self._holds(tuple(sizes) == tuple(milestone.numbers.shape), f"{milestone.words} has the shape ({said})")

    def _values(self, run: Run, line: int, of: str | None, kinds: Sequence[str], rounds: str) -> list[Tensor]:
        functions = (of,) if of else (self._exam.exercise, f"{self._exam.exercise}.forward")
        there = [one for one in run.seen if one.function in functions and one.line == line and one.kind in kinds]
        if rounds == _TOGETHER:
            return _stacks(there)
        if rounds == _LAST:
            return [
                [one for one in there if one.expression == number][-1].value for number in {o.expression for o in there}
            ]
        return [one.value for one in there]


def _stacks(there: Sequence[Seen]) -> list[Tensor]:
    by_expression: dict[int, list[Tensor]] = {}
    for one in there:
        by_expression.setdefault(one.expression, []).append(one.value)
    alike = [values for values in by_expression.values() if len({value.shape for value in values}) == 1]
    return [torch.stack(values) for values in alike if len(values) > 1]


def _agree(right: Tensor, value: Tensor, how: str = _SAME) -> bool:
    if how == _SQUEEZED:
        return _close(right.squeeze(), value.squeeze())
    if how == _TURNED:
        return value.dim() == right.dim() and any(
            _close(right, value.permute(o)) for o in permutations(range(value.dim()))
        )
    return _close(right, value)


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one.double(), other.double(), 1e-3, 1e-5, equal_nan=True)


def _same_numbers(one: Tensor, other: Tensor) -> bool:
    if one.numel() != other.numel():
        return False
    return _close(*(value.double().flatten().sort().values for value in (one, other)))


def _sums(value: Tensor, dim: int) -> bool:
    return value.dim() > 1 and bool((value.double().sum(dim) - 1).abs().max() < 1e-3)
