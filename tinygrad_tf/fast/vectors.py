"""Vectors of one value: BLAS sums rows and columns by them, in a third of the time of np.sum."""

from __future__ import annotations

import functools

import numpy as np

from tinygrad_tf.graph import Array


@functools.lru_cache(maxsize=64)
def filled(size: int, value: float) -> Array:
    """A float32 vector of one value, that nobody may write to.

    filled(len(x), 1.0).dot(x) is the sum of x's rows, x.dot(filled(C, 1.0 / C)) the mean of each.
    """
    vector = np.full(size, value, np.float32)
    vector.flags.writeable = False
    return vector


def constant(value: float) -> Array:
    """A 0-d float32 array: beside a small array NumPy takes as long to convert a Python number as
    to compute with it.
    """
    return np.array(value, np.float32)
