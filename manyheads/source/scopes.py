"""Says which names code looks up in the notebook's namespace: not local names of a function, class or comprehension.

`reached` uses it. Python's own `symtable` gives the same answer in quadratic time if a function contains thousands of
others; this takes linear time.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_OwnScope = _Function | ast.ClassDef | ast.Lambda | _Comprehension


def global_reads(node: ast.AST) -> frozenset[str]:
    """Return the names that `node`, at a cell's top level, looks up in the notebook's namespace.

    Raises:
        RecursionError: if it is nested very deeply.
    """
    scopes = _Scopes()
    scopes.read([node], at_top=True)
    return frozenset(scopes.found)


def global_binds(node: ast.AST) -> frozenset[str]:
    """Return the names that `node`, at a cell's top level, binds in the notebook's namespace."""
    return _bound([node], "")[0]


class _Scopes:
    """Goes through code from the outside in, with the local names of the functions around."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._around: Counter[str] = Counter()  # by name, how many of the functions around have it

    def read(
        self, nodes: Iterable[ast.AST], own: frozenset[str] = frozenset(), owner: str = "", *, at_top: bool = False
    ) -> None:
        """Read code of one scope.

        Args:
            own: names of this scope that inner scopes do not see: a class's.
            owner: the class around, in which `__name` means `_Class__name`.
            at_top: whether it binds names in the notebook's namespace.
        """
        inner: list[_OwnScope] = []
        for node in _in_one_scope(nodes):
            if isinstance(node, _OwnScope):
                inner.append(node)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                name = _mangled(node.id, owner)
                if name not in own and not self._around[name]:
                    self.found.add(name)
        for node in inner:
            self._enter(node, owner)

    def _enter(self, node: _OwnScope, owner: str) -> None:
        if isinstance(node, ast.ClassDef):
            binds, shared = _bound(node.body, node.name)
            hidden = self._hide(shared)
            with_type_parameters = _type_parameters(node)
            self._around.update(with_type_parameters)
            self.read(node.body, own=binds - shared, owner=node.name)
            self._around.subtract(with_type_parameters)
            self._around.update(hidden)
            return
        if isinstance(node, _Function):
            body: list[ast.AST] = list(node.body)
            own = {argument.arg for argument in _arguments(node.args)} | _type_parameters(node)
        elif isinstance(node, ast.Lambda):
            body = [node.body]
            own = {argument.arg for argument in _arguments(node.args)}
        else:
            first, *others = node.generators
            body = [first.target, *first.ifs, *others]
            body += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            own = set()
        binds, shared = _bound(body, owner, comprehension=isinstance(node, _Comprehension))
        names = ({_mangled(name, owner) for name in own} | binds) - shared
        hidden = self._hide(shared)
        self._around.update(names)
        self.read(body, owner=owner)
        self._around.subtract(names)
        self._around.update(hidden)

    def _hide(self, names: Iterable[str]) -> Counter[str]:
        """Make names global, as `global` does. Return what to add again afterwards."""
        hidden = Counter({name: self._around[name] for name in names})
        self._around.subtract(hidden)
        return hidden


def _in_one_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of one scope. For a function in it: its decorators, defaults and annotations, then itself."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += _outside(node) if isinstance(node, _OwnScope) else ast.iter_child_nodes(node)


def _outside(node: _OwnScope) -> list[ast.AST]:
    """Return the parts of a scope's node that run around it."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    if isinstance(node, _Comprehension):
        return [node.generators[0].iter]
    defaults: list[ast.AST] = [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
    if isinstance(node, ast.Lambda):
        return defaults
    annotations = [argument.annotation for argument in _arguments(node.args)]
    return [*defaults, *node.decorator_list, *(one for one in (*annotations, node.returns) if one is not None)]


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*named, *(one for one in (arguments.vararg, arguments.kwarg) if one is not None)]


def _type_parameters(node: _Function | ast.ClassDef) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", [])}  # since Python 3.12


def _bound(
    nodes: Iterable[ast.AST], owner: str, *, comprehension: bool = False
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that code of one scope binds, and those that it declares global.

    Args:
        comprehension: whether it is a comprehension, in which `:=` binds a name of the function around it.
    """
    binds: set[str] = set()
    shared: set[str] = set()
    for node in _in_one_scope(nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            binds.add(node.id)
        elif isinstance(node, _Function | ast.ClassDef):
            binds.add(node.name)
        elif isinstance(node, ast.alias):
            binds.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            binds.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            binds.add(node.rest)
        elif isinstance(node, ast.Global):
            shared.update(node.names)
        elif isinstance(node, _Comprehension):
            binds |= _walruses(node)
    if comprehension:
        binds -= {name for node in nodes for name in _walruses(node)}
    return frozenset(_mangled(name, owner) for name in binds), frozenset(_mangled(name, owner) for name in shared)


def _walruses(node: ast.AST) -> set[str]:
    """Return the names that `:=` binds within a comprehension, nested ones included."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.NamedExpr):
            found.add(part.target.id)
        if not isinstance(part, ast.Lambda):
            waiting += ast.iter_child_nodes(part)
    return found


def _mangled(name: str, owner: str) -> str:
    if not owner or not name.startswith("__") or name.endswith("__") or "." in name or not owner.strip("_"):
        return name
    return f"_{owner.lstrip('_')}{name}"
