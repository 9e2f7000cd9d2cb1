"""Undoing a broadcast: a tool that the rules share. It is not a rule itself.

The Transformer block runs it as it comes, within the backwards of `add`, `div`, `matmul`, `linear`
and `layer_norm`. With a mask it also runs it within the backward of `masked_fill`.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.graph import Array


def sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum `array` over the axes along which an input with this `shape` was stretched.

    Broadcasting repeats an entry of the input, and the gradients of all its copies add up.
    array (the broadcast shape) -> (shape).
    """
    if array.shape == shape:
        return array
    added = array.ndim - len(shape)
    stretched = tuple(
        axis + added for axis, size in enumerate(shape) if size == 1 != array.shape[axis + added]
    )
    # In float64, because NumPy adds one row after the other: over many rows float32 loses digits.
    summed: Array = array.sum(axis=(*range(added), *stretched), keepdims=True, dtype=np.float64)
    return summed.reshape(shape).astype(array.dtype, copy=False)
