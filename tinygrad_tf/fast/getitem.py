"""Indexing in float32: the pieces of a split are added up in one array, without zeros of their own.

The page makes a whole array of zeros for each piece. Here a piece stays a piece until it meets the
others, or until something needs the whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.ops.shape import reads_once


class At:
    """A gradient that is `values` at `index` and zero elsewhere, of the shape of `like`.

    To NumPy it is an array: `np.asarray` makes it whole, and `np.add` adds it to another gradient.
    """

    __slots__ = ("index", "like", "values")

    def __init__(self, like: Array, index: Any, values: Array) -> None:
        self.like = like  # the input that was indexed
        self.index = index  # of slices and integers: no place is read twice
        self.values = values  # what goes there

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole gradient."""
        return self.like.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        return self.values.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the whole gradient, which lies in memory as `like` does."""
        whole = np.empty_like(self.like)
        whole.fill(0)
        whole[self.index] = self.values
        return whole

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (None,)) -> Any:
        """Answer np.add(held, piece, out=held or None), which is all that the walk asks."""
        held, piece = inputs
        if ufunc is not np.add or type(piece) is not At:
            return NotImplemented
        total = np.array(held) if out[0] is None else held
        total[piece.index] += piece.values
        return total


def getitem(x: Array, *, index: Any) -> tuple[Array, Backward] | Any:
    """See `ops/shape.py`. NotImplemented for indices that may read a place twice."""
    if not reads_once(index):
        return NotImplemented
    out = x[index]

    def backward(dout: Array) -> tuple[Any, ...]:
        return (At(x, index, dout),)

    return out, backward
