"""Undoing a broadcast: what every rule that broadcasts calls on the way back."""

from __future__ import annotations

from tinygrad_tf.graph import Array


def sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum `array` over the axes along which `shape` was stretched to it.

    If x (shape) was repeated along an axis, every copy's gradient belongs to the same x, so they
    add up. array (..., larger) -> (shape).
    """
    if array.shape == shape:
        return array
    added = array.ndim - len(shape)
    stretched = tuple(
        axis + added for axis, size in enumerate(shape) if size == 1 != array.shape[axis + added]
    )
    summed: Array = array.sum(axis=(*range(added), *stretched), keepdims=True)
    return summed.reshape(shape)
