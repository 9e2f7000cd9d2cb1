"""The arrays in a user's object: in its attributes, lists, tuples and dictionaries, by name.

A *tree* is any such object. A *path* leads to one of its arrays: keys, positions and names of
attributes. Its name joins them by dots: "layers.0.W".
"""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Path = tuple[Any, ...]

DEEPEST = 6  # how many containers and objects may stand around an array
MISSING: Any = object()
_NO_TREES = (
    str, bytes, int, float, complex, type, types.ModuleType, types.FunctionType,
    types.BuiltinFunctionType, types.MethodType, np.ndarray, np.generic, np.random.Generator,
)  # fmt: skip


def name_of(path: Path) -> str:
    """Return the name of a path."""
    return ".".join(map(str, path))


def is_float_array(value: Any) -> bool:
    """Whether this is an array of floats, and not a single number."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0


def children(value: Any) -> list[tuple[Any, Any]]:
    """Return what a dictionary, list, tuple or object holds, by key, position or name."""
    if value is None or isinstance(value, _NO_TREES):
        return []
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    held = dict(getattr(value, "__dict__", {}))
    kind: Any = type(value)
    held |= {name: getattr(value, name) for name in _slots(kind) if hasattr(value, name)}
    return list(held.items())


@functools.lru_cache(maxsize=64)
def _slots(kind: Any) -> tuple[str, ...]:
    """Return the attributes that a class and its bases hold in slots."""
    every = [base.__dict__.get("__slots__", ()) for base in kind.__mro__]
    names = [name for slots in every for name in ((slots,) if isinstance(slots, str) else slots)]
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def leaves(
    tree: Any, is_leaf: Callable[[Any], bool] = is_float_array, deepest: int = DEEPEST
) -> Iterator[tuple[Path, Any]]:
    """Yield every leaf with its path; one that is held twice comes under each of its paths."""
    yield from _leaves(tree, is_leaf, deepest, (), ())


def get(tree: Any, path: Path) -> Any:
    """Return what is at this path, else MISSING. Positions may be given as text."""
    for step in path:
        if tree is MISSING:
            return MISSING
        tree = _child(tree, step)
    return tree


def _child(tree: Any, step: Any) -> Any:
    if isinstance(tree, dict):
        if step in tree:
            return tree[step]
        return next((value for key, value in tree.items() if str(key) == str(step)), MISSING)
    if isinstance(tree, list | tuple):
        at = int(step) if str(step).isdecimal() else len(tree)
        return tree[at] if at < len(tree) else MISSING
    if tree is None or isinstance(tree, _NO_TREES) or not isinstance(step, str):
        return MISSING
    held = getattr(tree, "__dict__", None)
    if isinstance(held, dict) and step in held:
        return held[step]
    kind: Any = type(tree)
    return getattr(tree, step, MISSING) if step in _slots(kind) else MISSING


def put(tree: Any, path: Path, value: Any) -> None:
    """Let a tree hold this value at this path."""
    parent, last = get(tree, path[:-1]), path[-1]
    if isinstance(parent, tuple):
        put(tree, path[:-1], _like(parent, [*parent[:last], value, *parent[last + 1 :]]))
    elif isinstance(parent, dict | list):
        parent[last] = value
    else:
        object.__setattr__(parent, last, value)  # it may be a frozen dataclass


def copied(tree: Any, who: str) -> Any:
    """Return a deep copy of the user's object. Raises TypeError if it cannot be copied."""
    try:
        return copy.deepcopy(tree)
    except Exception as error:
        raise TypeError(
            f"compare: {who} cannot be copied, which a comparison does so as to leave it as it is: "
            f"{type(error).__name__}: {error}"
        ) from error


def in_dtype(tree: Any, dtype: str) -> Any:
    """Return a tree with all its arrays of floats in this precision. The tree itself is changed.

    An array that is held twice stays one array.
    """
    return _converted(tree, dtype, {})


def _converted(value: Any, dtype: str, done: dict[int, Any]) -> Any:
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        done[id(value)] = value.astype(dtype)
        # The old array must live on: another one with its identity would be taken for it.
        done[id(done[id(value)])] = done[id(value)]
        done.setdefault(-1, []).append(value)
        return done[id(value)]
    done[id(value)] = value
    changed = [(key, part, _converted(part, dtype, done)) for key, part in children(value)]
    if isinstance(value, tuple):
        parts = [after for _, _, after in changed]
        same = all(before is after for _, before, after in changed)
        done[id(value)] = value if same else _like(value, parts)
        return done[id(value)]
    for key, before, after in changed:
        if before is not after:
            put(value, (key,), after)
    return value


def _like(old: tuple[Any, ...], parts: list[Any]) -> Any:
    """Return a tuple of these parts; a named tuple if the old one was."""
    make = getattr(type(old), "_make", type(old))
    return make(parts)


def _leaves(
    tree: Any, is_leaf: Callable[[Any], bool], deepest: int, path: Path, around: tuple[int, ...]
) -> Iterator[tuple[Path, Any]]:
    if is_leaf(tree):
        yield path, tree
    elif len(path) < deepest and id(tree) not in around:
        for key, value in children(tree):
            yield from _leaves(value, is_leaf, deepest, (*path, key), (*around, id(tree)))
