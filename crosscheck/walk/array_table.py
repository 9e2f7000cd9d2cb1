"""The arrays of a walk: each is kept once, however many ops show it."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from crosscheck.sides import Array
from crosscheck.walk.schema import Packed

LEVEL = 6  # of deflate; 9 takes twice as long for nothing


class ArrayTable:
    """Arrays as float32, by their place in a list. Equal ones share a place."""

    def __init__(self) -> None:
        self._places: dict[tuple[tuple[int, ...], bytes], int] = {}

    def ref(self, array: Array) -> int:
        """Return the place of this array, which is put into the table if it is new."""
        with np.errstate(over="ignore", invalid="ignore"):
            single = np.ascontiguousarray(array, dtype="<f4")
        return self._places.setdefault((np.shape(array), single.tobytes()), len(self._places))

    def packed(self) -> tuple[Packed, ...]:
        """Return all arrays, in the order of their places."""
        return tuple(Packed(shape, _deflated(content)) for shape, content in self._places)


def _deflated(content: bytes) -> str:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)  # raw: without a header
    return base64.b64encode(packer.compress(content) + packer.flush()).decode("ascii")
