"""The largest and the smallest entries over axes; `amax` is on the page of the reductions.

x (...) -> out without the axes in dim, or with these axes at size 1 if keepdim is True. What
PyTorch does with equal entries differs by the function: `amax` and `amin` share the gradient among
them, and `max` and `min` along an axis give all of it to the one whose index they return.
The Transformer block runs none of them.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.ops.reductions import Dim, amax, restore_axes


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
    equal ones. Over all axes equal ones share it: it is `amax`. Both are PyTorch's ways.
    Mirrors: torch.max.
    """
    if dim is None:
        return amax.rule(x, keepdim=keepdim)
    chosen = np.expand_dims(x.argmax(axis=dim), dim)   # 1  where along dim
    out = np.take_along_axis(x, chosen, axis=dim)      # 2

    def backward(dout: Array) -> Gradients:
        return (_to_chosen(dout, chosen, x, dim),)     # 2

    return out if keepdim else out.squeeze(dim), backward


@differentiable
def min(x: Array, *, dim: int | None = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the smallest entry, over one axis or over all of them.

    Backward. As for `max`: over one axis, all of dout goes to the first of the smallest entries.
    Mirrors: torch.min.
    """
    if dim is None:
        return amin.rule(x, keepdim=keepdim)
    chosen = np.expand_dims(x.argmin(axis=dim), dim)   # 1  where along dim
    out = np.take_along_axis(x, chosen, axis=dim)      # 2

    def backward(dout: Array) -> Gradients:
        return (_to_chosen(dout, chosen, x, dim),)     # 2

    return out if keepdim else out.squeeze(dim), backward


def _to_chosen(dout: Array, chosen: Array, x: Array, dim: int) -> Array:
    """Return zeros in the shape of x, with dout at the entries that were chosen along dim."""
    dx = np.zeros_like(x)
    np.put_along_axis(dx, chosen, restore_axes(dout, x.shape, dim), axis=dim)
    return dx
