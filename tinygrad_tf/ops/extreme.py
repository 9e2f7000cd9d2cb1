"""The largest and the smallest entries over axes; `amax` is on the page of the reductions.

x (...) -> out without the axes in dim, or with these axes at size 1 if keepdim is True. What
PyTorch does with equal entries differs by the function: `amax` and `amin` share the gradient among
them, and `max` and `min` along an axis give all of it to the one whose index they return.
The Transformer block runs none of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.ops.reductions import Dim, restore_axes


@differentiable
def amin(x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the smallest entry over dim.

    Backward. As for `amax`: equal smallest entries share dout evenly.   Mirrors: torch.amin.
    """
    out = x.min(axis=dim, keepdims=keepdim)

    def backward(dout: Array) -> Gradients:
        smallest = x == restore_axes(out, x.shape, dim)
        ties = smallest.sum(axis=dim, keepdims=True).astype(x.dtype)
        return (smallest * (restore_axes(dout, x.shape, dim) / ties),)

    return out, backward


@differentiable
def max(x: Array, *, dim: int | None = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the largest entry, over one axis or over all of them.

    Backward. Over one axis, all of dout goes to the entry that argmax names, which is the first of
    equal ones. Over all axes equal ones share it evenly. If any entry is NaN, it is the largest.
    Mirrors: torch.max.
    """
    where = x.argmax(axis=dim)
    out = x.max(axis=dim, keepdims=keepdim)

    def backward(dout: Array) -> Gradients:
        return (_shared(dout, _chosen(x, where, dim), dim),)

    return out, backward


@differentiable
def min(x: Array, *, dim: int | None = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the smallest entry, over one axis or over all of them.

    Backward. As for `max`. If any entry is NaN, it is the smallest too.   Mirrors: torch.min.
    """
    where = x.argmin(axis=dim)
    out = x.min(axis=dim, keepdims=keepdim)

    def backward(dout: Array) -> Gradients:
        return (_shared(dout, _chosen(x, where, dim), dim),)

    return out, backward


def _chosen(x: Array, where: Any, dim: int | None) -> Array:
    """Return True at the entries that get a gradient: those at `where`, or all their equals."""
    if dim is None or not x.ndim:
        extreme = x.flat[where]
        equals: Array = np.isnan(x) if np.isnan(extreme) else x == extreme
        return equals
    chosen = np.zeros(x.shape, bool)
    np.put_along_axis(chosen, np.expand_dims(where, dim), True, axis=dim)
    return chosen


def _shared(dout: Array, chosen: Array, dim: Dim) -> Array:
    """Share each entry of dout evenly among the entries along dim that were chosen."""
    ties = chosen.sum(axis=dim, keepdims=True).astype(dout.dtype)
    share = restore_axes(dout, chosen.shape, dim) / ties
    return np.where(chosen, share, np.zeros((), dout.dtype))
