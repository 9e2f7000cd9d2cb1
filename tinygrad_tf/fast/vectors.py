"""Vectors of one value. With them BLAS sums rows and columns in a third of the time of np.sum."""

from __future__ import annotations

import functools

import numpy as np

from tinygrad_tf.graph import Array

FEW = 64  # rows that are summed in float32


@functools.lru_cache(maxsize=64)
def filled(size: int, value: float) -> Array:
    """Return a read-only float32 vector whose entries are all equal to value.

    filled(len(x), 1.0).dot(x) is the sum of few rows. x.dot(filled(C, 1.0 / C)) is the mean of each
    row.
    """
    vector = np.full(size, value, np.float32)
    vector.flags.writeable = False
    return vector


def sum_rows(x: Array) -> Array:
    """Return the sum of the rows of a float32 matrix, (N, C) -> (C,).

    BLAS adds one row to the sum of those before it, and over many rows float32 loses digits. So it
    sums FEW rows at a time, and their sums are added up in float64.
    """
    whole, left = divmod(len(x), FEW)
    if whole == 0:
        total: Array = filled(len(x), 1.0).dot(x)
        return total
    pieces = x[: whole * FEW].reshape(whole, FEW, -1)
    total = (filled(FEW, 1.0) @ pieces).sum(axis=0, dtype=np.float64)
    if left:
        total += filled(left, 1.0).dot(x[whole * FEW :])
    return total.astype(np.float32)


def constant(value: float) -> Array:
    """Return a 0-d float32 array. NumPy uses it faster than a Python number.

    With a small array, converting the number takes as long as the computation.
    """
    return np.array(value, np.float32)
