"""A source file, read: which lines are one statement, and what each statement reads and writes."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import CodeType

Target = ast.Name | ast.Attribute | ast.Subscript

# What these say of an array does not depend on its numbers.
OF_THE_SHAPE = ("shape", "ndim", "size", "dtype", "itemsize", "nbytes", "strides", "device")
_ASK_FOR_THE_SHAPE = (
    "zeros_like", "ones_like", "empty_like", "new_zeros", "new_ones", "new_empty", "len",
    "isinstance", "shape", "ndim",
)  # fmt: skip

# What an index may consist of, so that evaluating it once more runs nothing of the user's.
_OF_PLAIN_INDICES = (
    ast.Constant, ast.Name, ast.UnaryOp, ast.BinOp, ast.JoinedStr, ast.FormattedValue, ast.Tuple,
    ast.operator, ast.unaryop, ast.expr_context,
)  # fmt: skip


@dataclass(frozen=True)
class Index:
    """The index of `x[index]`, of constants and names."""

    code: CodeType
    names: tuple[str, ...]  # what it reads


@dataclass(frozen=True)
class Path:
    """A name of the source and what follows it: `cache["q"]` is cache, then the index "q"."""

    root: str
    steps: tuple[str | Index, ...]  # an attribute's name, or an index
    # Whether steps follow that cannot be taken without running the user's code: `x[mask]`.
    goes_on: bool
    is_called: bool  # whether it is the function of a call: `self.attention(x)`


@dataclass(frozen=True)
class Statement:
    """What one statement names."""

    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    in_place: bool = False  # `x += y`, whose result depends on what x was
    is_loop: bool = False  # the head of a `for`, which runs once more when nothing is left
    returned: str = ""  # the text of what it returns
    # Whether it is one part of `a, b = c, d` or of `return c, d`, and reads nothing of the others.
    is_part: bool = False


@dataclass(frozen=True)
class Unit:
    """The statements that share lines, and so cannot be told apart while they run."""

    line: int  # the first one
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Source:
    """The units of a file."""

    by_line: dict[int, Unit]
    lambdas: dict[int, Unit]  # by the first line of the lambda
    # The numbers that are defaults of arguments, by the first line of their function and their name
    defaults: dict[int, dict[str, float]]


def source_of(file: str) -> Source:
    """Return the units of this file; none if it has no source that can be read."""
    return _parsed("".join(linecache.getlines(file)))


@lru_cache(maxsize=64)
def _parsed(text: str) -> Source:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return Source({}, {}, {})
    found = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    by_line: dict[int, Unit] = {}
    group: list[ast.stmt] = []
    last = 0
    for node in sorted(found, key=lambda node: (node.lineno, _last_line(node))):
        if node.lineno > last:
            by_line.update(_unit(group, last))
            group = []
        group.append(node)
        last = max(last, _last_line(node))
    by_line.update(_unit(group, last))
    return Source(by_line, dict(_lambdas(tree)), dict(_defaults(tree)))


def _unit(group: Sequence[ast.stmt], last: int) -> dict[int, Unit]:
    """Return the unit of statements that share lines, by each of its lines."""
    if not group:
        return {}
    unit = Unit(group[0].lineno, tuple(part for node in group for part in _statements(node)))
    return dict.fromkeys(range(unit.line, last + 1), unit)


def _last_line(node: ast.stmt) -> int:
    """Return the last line of a statement, or of the head of one that has a body."""
    if isinstance(node, ast.Match):
        return node.subject.end_lineno or node.lineno
    body: list[ast.stmt] = getattr(node, "body", [])
    if not body:
        return node.end_lineno or node.lineno
    parts: list[ast.stmt | ast.expr] = [body[0], *getattr(body[0], "decorator_list", [])]
    return max(node.lineno, min(part.lineno for part in parts) - 1)


def _lambdas(tree: ast.AST) -> Iterator[tuple[int, Unit]]:
    found: dict[int, list[Statement]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            found.setdefault(node.lineno, []).extend(_returns(node.body))
    for line, statements in found.items():
        yield line, Unit(line, tuple(statements))


def _defaults(tree: ast.AST) -> Iterator[tuple[int, dict[str, float]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            plain = [*given.posonlyargs, *given.args]
            pairs = [
                *zip(reversed(plain), reversed(given.defaults), strict=False),
                *zip(given.kwonlyargs, given.kw_defaults, strict=True),
            ]
            numbers = {
                argument.arg: default.value
                for argument, default in pairs
                if isinstance(default, ast.Constant) and isinstance(default.value, float)
            }
            yield min(part.lineno for part in (node, *node.decorator_list)), numbers


def _statements(node: ast.stmt) -> Iterator[Statement]:
    """Yield a statement; one for each part of `a, b = c, d` and of `return c, d`."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
            targets
        ) == len(values) and not any(isinstance(part, ast.Starred) for part in (*targets, *values)):
            for target, value in zip(targets, values, strict=True):
                yield replace(_assignment([target], value), is_part=True)
        case ast.Return(value=value) if value:
            yield from _returns(value)
        case _:
            yield _statement(node)


def _returns(value: ast.expr) -> Iterator[Statement]:
    is_tuple = isinstance(value, ast.Tuple)
    for part in value.elts if isinstance(value, ast.Tuple) else [value]:
        yield replace(_assignment([], part), returned=ast.unparse(part), is_part=is_tuple)


def _statement(node: ast.stmt) -> Statement:
    match node:
        case ast.Assign(targets=targets, value=value):
            return _assignment(targets, value)
        case ast.AnnAssign(target=target, value=value):
            return _assignment([target], value) if value else Statement((), ())
        case ast.AugAssign(target=target, value=value):
            made = _assignment([target], value)
            return Statement((*made.reads, *made.writes), made.writes, in_place=True)
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            made = _assignment([target], value)
            return Statement(made.reads, made.writes, is_loop=True)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            targets = [item.optional_vars for item in items if item.optional_vars]
            reads = _reads([item.context_expr for item in items])
            return Statement(tuple(reads), tuple(_writes(targets)))
        case ast.If(test=test) | ast.While(test=test):
            return _assignment([], test)
        case ast.Match(subject=subject):
            return _assignment([], subject)
        case ast.Expr(value=value):
            return _assignment([], value)
        case ast.Assert(test=test):
            return _assignment([], test)
    return Statement((), ())


def _assignment(targets: Sequence[ast.expr], value: ast.expr) -> Statement:
    inner = [node.target for node in ast.walk(value) if isinstance(node, ast.NamedExpr)]
    reads = [*_reads([value]), *_reads(_indices(targets))]
    return Statement(tuple(reads), tuple(_writes([*targets, *inner])))


def _writes(targets: Sequence[ast.expr]) -> Iterator[Path]:
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List):
            yield from _writes(target.elts)
        elif isinstance(target, ast.Starred):
            yield from _writes([target.value])
        else:
            path = _path(target)
            if path is not None:
                yield path


def _indices(targets: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """Yield what stands between brackets in targets, and what is called to get at them."""
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Subscript):
                yield node.slice
            elif isinstance(node, ast.Call):
                yield node


def _reads(values: Sequence[ast.expr] | Iterator[ast.expr]) -> Iterator[Path]:
    for value in values:
        yield from _read(value, is_called=False)


def _read(node: ast.AST, is_called: bool) -> Iterator[Path]:
    if isinstance(node, Target):
        path = _path(node, is_called)
        if path is not None:
            yield path
        inner: ast.AST = node
        while isinstance(inner, Target):
            if isinstance(inner, ast.Subscript):
                yield from _read(inner.slice, is_called=False)
            if isinstance(inner, ast.Name):
                return
            inner = inner.value
        yield from _read(inner, is_called=False)
    elif isinstance(node, ast.Call):
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in _ASK_FOR_THE_SHAPE:
            return
        yield from _read(node.func, is_called=True)
        for argument in (*node.args, *node.keywords):
            yield from _read(argument, is_called=False)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _read(child, is_called=False)


def _path(node: ast.AST, is_called: bool = False) -> Path | None:
    """Return the path of a name, attribute or subscript; None if it does not begin at a name."""
    steps: list[str | Index] = []
    goes_on = False
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(node.attr)
        elif isinstance(node, ast.Subscript):
            index = _index(node.slice)
            if index is None:
                steps, goes_on = [], True
            else:
                steps.append(index)
        else:
            return None
        node = node.value
    return Path(node.id, tuple(reversed(steps)), goes_on, is_called and not goes_on)


def _index(node: ast.expr) -> Index | None:
    parts = list(ast.walk(node))
    if not all(isinstance(part, _OF_PLAIN_INDICES) for part in parts):
        return None
    names = tuple(part.id for part in parts if isinstance(part, ast.Name))
    return Index(compile(ast.Expression(node), "<index>", "eval"), names)
