"""What a backward has kept from its forward, and whether it is still the same, to the last bit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np


class Kept:
    """Checksums of the arrays that a function holds in its closure."""

    def __init__(self, backward: Any) -> None:
        self._backward = backward
        self._before = _checksums(backward)

    def changed(self) -> str:
        """Return the name of the first array that is not what it was; empty if there is none."""
        now = _checksums(self._backward)
        return next((name for name, sum in self._before.items() if now.get(name) != sum), "")


def _checksums(function: Any) -> dict[str, int]:
    return {name: zlib.crc32(array.tobytes()) for name, array in _arrays(function, depth=3)}


def _arrays(function: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the arrays that a function keeps, or that a function does which it keeps."""
    cells = getattr(function, "__closure__", None) or ()
    names = function.__code__.co_freevars if cells else ()
    for name, cell in zip(names, cells, strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # a name that was never bound
            continue
        if isinstance(value, np.ndarray) and value.dtype != object:
            yield name, value
        elif callable(value) and depth:
            yield from _arrays(value, depth - 1)
