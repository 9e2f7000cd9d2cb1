"""Indexing in float32. The gradients of all pieces of an array are added up in one array.

The page makes an array of zeros, of the size of the whole, for the gradient of each piece. Here a
gradient stays a piece until it is added to another, or until something needs the whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.ops.shape import reads_once


class At:
    """A gradient of x that is `values` at `index`, and zero elsewhere.

    NumPy takes it for an array: `np.asarray` makes it whole, and `np.add` adds it to a gradient.
    """

    __slots__ = ("dtype", "index", "like", "shape", "values")

    def __init__(self, like: Array, index: Any, values: Array) -> None:
        self.like = like  # x, from which the whole gradient takes its shape and layout
        self.index = index  # it reads no place twice
        self.values = values  # the entries of the gradient at index
        self.shape, self.dtype = like.shape, values.dtype  # of the whole gradient

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the whole gradient, laid out in memory as x is."""
        whole = np.empty_like(self.like)
        whole.fill(0)
        whole[self.index] = self.values
        return whole

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (None,)) -> Any:
        """Answer np.add(held, gradient, out=held or None). The walk asks for nothing else."""
        held, gradient = inputs
        if ufunc is not np.add:
            return NotImplemented
        total = np.array(held) if out[0] is None else held
        if type(gradient) is At:
            total[gradient.index] += gradient.values
        else:
            total += gradient
        return total


def getitem(x: Array, *, index: Any) -> tuple[Array, Backward] | Any:
    """See `ops/shape.py`. Return NotImplemented for an index that may read a place twice."""
    if not reads_once(index):
        return NotImplemented
    out = x[index]

    def backward(dout: Array) -> tuple[Any, ...]:
        return (At(x, index, dout),)

    return out, backward
