"""The embedding in float32. The backward sums the gradients of equal tokens at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh


def embedding(indices: Array, weight: Array) -> tuple[Array, Backward] | Any:
    """See `ops/embedding.py`. Return NotImplemented if the ids do not fit; the page says why."""
    if weight.ndim != 2 or indices.dtype.kind not in "iu" or indices.size == 0:
        return NotImplemented
    if indices.min() < 0 or indices.max() >= len(weight):
        return NotImplemented
    out = weight[indices]

    def backward(dout: Array) -> Fresh:
        flat = indices.reshape(-1)
        order = np.argsort(flat, kind="stable")
        tokens = flat[order]
        starts = np.flatnonzero(np.diff(tokens, prepend=-1))  # where each token first stands
        dweight = np.zeros(weight.shape, weight.dtype)
        rows = dout.reshape(len(flat), weight.shape[1])[order]
        dweight[tokens[starts]] = np.add.reduceat(rows, starts, axis=0)
        return Fresh((None, dweight))

    return out, backward
