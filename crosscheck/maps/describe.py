"""From where the entries of a weight come from to the expression that says so."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from crosscheck.in_projection import LETTERS, is_stacked
from crosscheck.maps.expression import evaluate
from crosscheck.sides import Array


def describe(indices: Array, places: Mapping[str, Array]) -> str | None:
    """Return the expression that takes these entries, or None if the language has none.

    indices: for each entry of a weight, its place among all entries of the reference. places: the
    same for each of the reference's weights, whose entries stand side by side.
    """
    for way in (_one, _several):
        text = way(indices, places)
        if text and np.array_equal(evaluate(text, places), indices):
            return text
    return None


def _several(indices: Array, places: Mapping[str, Array]) -> str | None:
    """Describe what comes from several weights, or from several parts of one."""
    starts = np.unique([start for name in places for start in _starts(name, places[name])])
    owners = np.searchsorted(starts, indices, side="right")
    for axis in range(indices.ndim):
        lines = np.moveaxis(owners, axis, 0).reshape(indices.shape[axis], -1)
        if (lines != lines[:, :1]).any():
            continue
        borders = np.flatnonzero(np.diff(lines[:, 0])) + 1
        stacked = len(borders) + 1 == indices.shape[axis]
        parts = np.split(indices, borders, axis)
        texts = [_one(part.squeeze(axis) if stacked else part, places) for part in parts]
        if len(texts) > 1 and None not in texts:
            dim = f", dim={axis}" if axis else ""
            return f"{'stack' if stacked else 'cat'}({', '.join(map(str, texts))}{dim})"
    return None


def _starts(name: str, array: Array) -> list[int]:
    """Return where a weight begins, or where the three parts of an in-projection begin."""
    if not array.size:
        return []
    first, third = int(array.flat[0]), array.size // 3
    return [first, first + third, first + 2 * third] if is_stacked(name) else [first]


def _one(indices: Array, places: Mapping[str, Array]) -> str | None:
    """Describe what comes from one weight, or from one box of it."""
    low, high = int(indices.min()), int(indices.max())
    for name, array in places.items():
        if not array.size:
            continue
        first = int(array.flat[0])
        if not first <= low <= high < first + array.size:
            continue
        third = array.size // 3
        part = (low - first) // third if third else 0
        if is_stacked(name) and part == (high - first) // third:
            text, shape = f"{name}[{LETTERS[part]}]", (array.shape[0] // 3, *array.shape[1:])
            return _boxed(text, shape, indices - first - part * third)
        return _boxed(name, array.shape, indices - first)
    return None


def _boxed(text: str, shape: tuple[int, ...], local: Array) -> str | None:
    """Describe entries of an array of this shape; local are their positions in it."""
    if local.size < math.prod(shape):
        along = [np.asarray(a) for a in np.unravel_index(local, shape)]
        lows = [int(a.min()) for a in along]
        box = tuple(int(a.max()) + 1 - low for a, low in zip(along, lows, strict=True))
        if math.prod(box) != local.size:
            return None
        inside = tuple(a - low for a, low in zip(along, lows, strict=True))
        local = np.ravel_multi_index(inside, box)
        ends = [(low, low + length) for low, length in zip(lows, box, strict=True)]
        while ends[-1] == (0, shape[len(ends) - 1]):  # what is taken whole needs no slice
            ends.pop()
        text += f"[{', '.join(f'{low}:{high}' for low, high in ends)}]"
        shape = box
    return _arranged(text, shape, local)


def _arranged(text: str, shape: tuple[int, ...], local: Array) -> str | None:
    """Describe all entries of an array of this shape in another order.

    Each axis is taken apart into steps of equal size. Sorted by size, they are the axes of the
    array as it was before they were exchanged.
    """
    steps: list[tuple[int, int]] = []
    for axis in range(local.ndim):
        steps += _steps(np.moveaxis(local, axis, 0).reshape(local.shape[axis], -1)[:, 0])
    order = sorted(range(len(steps)), key=lambda i: -steps[i][1])
    sizes = tuple(steps[i][0] for i in order)
    if math.prod(sizes) != math.prod(shape):
        return None
    axes = tuple(order.index(i) for i in range(len(steps)))
    if axes != tuple(sorted(axes)):
        if sizes != shape:
            text += f".reshape({', '.join(map(str, sizes))})"
        text += ".T" if len(axes) == 2 else f".permute({', '.join(map(str, axes))})"
        shape = tuple(length for length, _ in steps)
    if local.shape != shape:
        text += f".reshape({', '.join(map(str, local.shape))})"
    return text


def _steps(line: Array) -> list[tuple[int, int]]:
    """Return the (length, step) of each axis that these positions run through, outermost first."""
    if len(line) == 1:
        return []
    step = int(line[1] - line[0])
    regular = line == line[0] + step * np.arange(len(line))
    length = len(line) if regular.all() else int(np.argmin(regular))
    return [*_steps(line[::length]), (length, step)]
