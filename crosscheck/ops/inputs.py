"""What is made of the numbers drawn for a case: their values, and how they lie in memory."""

from __future__ import annotations

import numpy as np

from crosscheck.sides import Array

# How an array lies in memory; its values stay


def in_column_order(array: Array) -> Array:
    """The first axis varies fastest, as after a transpose."""
    return np.asarray(array, order="F")


def every_other(array: Array) -> Array:
    """There are gaps between the entries, as after a slice."""
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array


def backwards(array: Array) -> Array:
    """All strides are negative, as after a flip."""
    return np.flip(np.flip(array).copy())


def stretched(array: Array) -> Array:
    """The first axis has stride 0, as after an expand: all entries along it are the first's."""
    return np.broadcast_to(array[:1].copy(), array.shape) if array.ndim else array


# Values


def positive(array: Array) -> Array:
    """No entry is near zero."""
    return np.abs(array) + 0.1


def across_magnitudes(array: Array) -> Array:
    """The entries are positive, from about 1e-4 to 1e4."""
    return np.asarray(np.exp(3 * array))


def rounded(array: Array) -> Array:
    """Many entries are equal, and many are zero."""
    return np.round(array)
