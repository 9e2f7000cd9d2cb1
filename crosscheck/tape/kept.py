"""What a backward has kept from its forward, and whether it is still the same, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from crosscheck.arrays import Array, checksum

DEEPEST = 3  # how many functions and containers may stand around an array


class Kept:
    """Checksums of the arrays that a backward remembers."""

    def __init__(self, backward: Any) -> None:
        self._backward = backward
        self._before = self._checksums()

    def changed(self) -> str:
        """Return the name of the first array that is not what it was; empty if there is none."""
        now = self._checksums()
        return next((name for name, before in self._before.items() if now.get(name) != before), "")

    def _checksums(self) -> dict[str, int]:
        return {name: checksum(array) for name, array in captured(self._backward)}


def captured(function: Any, depth: int = DEEPEST) -> Iterator[tuple[str, Array]]:
    """Yield by name the arrays in a function's closure; also in tuples, lists and functions."""
    cells = getattr(function, "__closure__", None) or ()
    names = function.__code__.co_freevars if cells else ()
    for name, cell in zip(names, cells, strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # a name that was never bound
            continue
        yield from _arrays(name, value, depth)


def _arrays(name: str, value: Any, depth: int) -> Iterator[tuple[str, Array]]:
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield name, value
    elif isinstance(value, tuple | list) and depth:
        for i, piece in enumerate(value):
            yield from _arrays(f"{name}[{i}]", piece, depth - 1)
    elif callable(value) and depth:
        yield from captured(value, depth - 1)
