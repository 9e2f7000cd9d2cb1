"""Where a backward that someone wrote by hand has left its gradients.

They are in what it returned, in dictionaries that it was given, or in attributes of the object.
There a gradient has the name of its parameter with a mark ("dW", "grad_W", "W_grad"), the very same
name within a container of gradients ("grads"), or it stands beside its array in one object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.arrays import INPUT, Array
from crosscheck.brought.by_hand_tree import MISSING, Path, get, is_float_array, name_of

_MARKS = ("d{}", "d_{}", "grad_{}", "{}_grad", "g{}", "g_{}", "dL_d{}", "dL{}", "{}_g", "grad{}")
CONTAINERS = ("grads", "grad", "gradients", "_grads", "dparams", "d_params", "dp", "d", "g")
_HELD = ("value", "data", "val", "array", "v")  # an array in an object that has its gradient too
_BESIDE = ("grad", "gradient", "g", "d")
_OF_PARAMETERS = ("params", "parameters", "weights", "p", "_params")
_OF_INPUT = ("dx", "dX", "d_x", "dinput", "dinputs", "d_input", "grad_x", "grad_input", "dx_in")
_PLAIN_INPUT = ("x", "X", INPUT, "inputs")


@dataclass(frozen=True)
class Wanted:
    """What gradients are looked for."""

    parameters: Mapping[str, tuple[Path, Array]]  # the path and array of each, by name
    inputs: Array
    arguments: Sequence[str]  # INPUT and names of parameters, in the order of the arguments


def gradients_in(returned: Any, left: Sequence[Any], wanted: Wanted) -> dict[str, Array | None]:
    """Return the gradients by the names of parameters, and of the input under INPUT.

    returned: what the backward returned. left: where else it may have left them: the object, the
    cache. None where none was found.
    """
    found: dict[str, Array | None] = {}
    trees = _trees(returned, wanted, found)
    for name, (path, array) in wanted.parameters.items():
        if name not in found:
            found[name] = _first(_returned_at(trees, path), array.shape)
        if found[name] is None:
            found[name] = _first(_left_at(left, path), array.shape)
    if wanted.inputs.dtype.kind == "f" and found.get(INPUT) is None:
        found[INPUT] = _first(_of_input(trees, left), wanted.inputs.shape)
    if wanted.inputs.dtype.kind != "f":
        found.pop(INPUT, None)
    return found


def is_gradient_of_another(path: Path, tree: Any) -> bool:
    """Whether an array is, by its name, the gradient of another array in the tree."""
    for at, step in enumerate(path):
        if step in CONTAINERS[:6]:
            return True
        if isinstance(step, str) and any(
            is_float_array(get(tree, (*path[:at], bare, *path[at + 1 :])))
            for bare in _without_mark(step)
        ):
            return True
    return False


def _trees(returned: Any, wanted: Wanted, found: dict[str, Array | None]) -> list[Any]:
    """Return what was returned but for bare arrays, which are put under `found`."""
    parts = list(returned) if isinstance(returned, tuple | list) else [returned]
    parts = [part for part in parts if part is not None]
    if len(parts) == 1 and isinstance(parts[0], tuple | list):
        parts = list(parts[0])
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        names = _in_order_of_arguments(parts, wanted)
        found.update(zip(names, parts, strict=True) if names else {})
        if names:
            return []
    trees = []
    for part in parts:
        bare = isinstance(part, list | tuple) and all(isinstance(x, np.ndarray) for x in part)
        names = [name for name in wanted.arguments if name != INPUT]
        if bare and len(part) == len(names) == len(wanted.parameters):
            found.update(zip(names, part, strict=True))
        elif not isinstance(part, np.ndarray):
            trees.append(part)
        elif part.shape == wanted.inputs.shape and INPUT not in found:
            found[INPUT] = part
    return trees


def _in_order_of_arguments(parts: Sequence[Array], wanted: Wanted) -> list[str]:
    """Return whose gradients these arrays are, by the order of the arguments; empty if unknown."""
    shapes = {name: array.shape for name, (_, array) in wanted.parameters.items()}
    shapes[INPUT] = wanted.inputs.shape
    alone = [name for name in wanted.arguments if name != INPUT]
    for names in (list(wanted.arguments), [INPUT, *alone], [*alone, INPUT], alone):
        if [shapes.get(name) for name in names] == [part.shape for part in parts]:
            return names
    return list(wanted.arguments) if len(parts) == len(wanted.arguments) else []


def _returned_at(trees: Sequence[Any], path: Path) -> Iterator[Any]:
    for tree in trees:
        for place in _places(path):
            yield get(tree, place)
        yield from _left_at([tree], path)


def _left_at(left: Sequence[Any], path: Path) -> Iterator[Any]:
    for tree in left:
        for place in dict.fromkeys(_places(path)):
            for at in range(len(place) + 1):
                around = get(tree, place[:at])
                held = [] if around is MISSING else [get(around, (name,)) for name in CONTAINERS]
                yield from (get(one, place[at:]) for one in held)
        for place in _marked(path):
            yield get(tree, place)
        if path[-1] in _HELD:
            yield from (get(tree, (*path[:-1], beside)) for beside in _BESIDE)


def _places(path: Path) -> Iterator[Path]:
    """Yield the paths at which a container of gradients may have the one of this parameter."""
    bare = tuple(step for step in path if step not in _OF_PARAMETERS)
    for place in dict.fromkeys((path, bare)):
        yield place
        yield (name_of(place),)
        yield from _marked(place)
        yield from (
            (mark.format(name_of(place).replace(".", joint)),) for mark in _MARKS for joint in "._"
        )


def _marked(path: Path) -> Iterator[Path]:
    for at in reversed(range(len(path))):
        if isinstance(path[at], str):
            for mark in _MARKS:
                yield (*path[:at], mark.format(path[at]), *path[at + 1 :])


def _without_mark(name: str) -> Iterator[str]:
    for mark in _MARKS:
        before, after = mark.split("{}")
        if name.startswith(before) and name.endswith(after) and len(name) > len(before + after):
            yield name[len(before) : len(name) - len(after)]


def _of_input(trees: Sequence[Any], left: Sequence[Any]) -> Iterator[Any]:
    for tree in trees:
        for name in (*_OF_INPUT, *_PLAIN_INPUT):
            yield get(tree, (name,))
    for tree in (*trees, *left):
        for container in CONTAINERS:
            for name in (*_OF_INPUT, *_PLAIN_INPUT):
                yield get(tree, (container, name))
        for name in _OF_INPUT:
            yield get(tree, (name,))


def _first(values: Iterator[Any], shape: tuple[int, ...]) -> Array | None:
    """Return the first array of this shape, else the first of another, which is then wrong."""
    other: Array | None = None
    for value in values:
        if isinstance(value, np.ndarray):
            if value.shape == shape:
                return value
            other = value if other is None else other
    return other
