"""The arrays of a walk: each is kept once, however many ops show it, and in whatever order."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from crosscheck.sides import Array
from crosscheck.walk.schema_of_ops import Packed

LEVEL = 6  # of deflate; 9 takes twice as long for nothing


class ArrayTable:
    """Arrays as float32, by their place in a list. Those with equal memory share a buffer."""

    def __init__(self) -> None:
        self._places: dict[Packed, int] = {}
        self._buffers: dict[bytes, int] = {}

    def ref(self, array: Array) -> int:
        """Return the place of this array, which is put into the table if it is new."""
        with np.errstate(over="ignore", invalid="ignore"):
            single = np.array(array, dtype="<f4", order="K")  # transposed memory stays as it lies
        content = single.ravel(order="K").tobytes()
        buffer = self._buffers.setdefault(content, len(self._buffers))
        strides = tuple(stride // single.itemsize for stride in single.strides)
        return self._places.setdefault(Packed(single.shape, strides, buffer), len(self._places))

    @property
    def arrays(self) -> tuple[Packed, ...]:
        """All arrays, in the order of their places."""
        return tuple(self._places)

    def buffers(self) -> tuple[str, ...]:
        """Return the numbers of all arrays, packed."""
        return tuple(map(_deflated, self._buffers))


def _deflated(content: bytes) -> str:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)  # raw: without a header
    return base64.b64encode(packer.compress(content) + packer.flush()).decode("ascii")
