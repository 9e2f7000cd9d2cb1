"""Rules that move entries without changing them: going back, they are moved home again.

The results of reshape, permute and expand may share memory with their input.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.ops.sum_to import sum_to

READ_ONCE = frozenset((int, slice, type(None), type(...)))  # an index of these repeats no place


@differentiable
def reshape(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Backward]:
    """The same entries, in the same order, under another shape; one size may be -1.

    Backward. dx is dout under x's shape.   Mirrors: torch.reshape, also view, flatten, unflatten,
    squeeze and unsqueeze.
    """
    try:
        out = x.reshape(shape)
    except ValueError as error:
        if -1 in shape or math.prod(shape) == x.size:
            raise
        raise ValueError(
            f"reshape: x {x.shape} has {x.size} entries, shape {shape} has {math.prod(shape)}"
        ) from error

    def backward(dout: Array) -> Gradients:
        return (dout.reshape(x.shape),)

    return out, backward


@differentiable
def permute(x: Array, *, dims: tuple[int, ...]) -> tuple[Array, Backward]:
    """Axes in another order: axis i of the output is axis dims[i] of x.

    Backward. The inverse order: axis dims[i] of x went to i, so axis d comes back from where d
    stands in dims. For a swap of two axes this is dims itself, for a rotation it is not.
    Mirrors: torch.permute.
    """
    axes = range(x.ndim)
    order = [d + x.ndim if d < 0 else d for d in dims]
    if sorted(order) != list(axes):
        raise ValueError(f"permute: dims {dims} do not name each axis of x {x.shape} once")
    out = x.transpose(order)

    def backward(dout: Array) -> Gradients:
        return (dout.transpose([order.index(axis) for axis in axes]),)

    return out, backward


@differentiable
def transpose(x: Array, *, dim0: int, dim1: int) -> tuple[Array, Backward]:
    """Two axes change places.

    Backward. They change back.   Mirrors: torch.transpose.
    """
    try:
        out = x.swapaxes(dim0, dim1)
    except np.exceptions.AxisError as error:
        wrong = dim1 if -x.ndim <= dim0 < x.ndim else dim0
        raise out_of_range("transpose", wrong, x.ndim) from error

    def backward(dout: Array) -> Gradients:
        return (dout.swapaxes(dim0, dim1),)

    return out, backward


@differentiable
def expand(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Backward]:
    """Repeat x along new leading axes and along axes of size 1; -1 keeps a size.

    Backward. Every copy's gradient belongs to the one original: sum_to.   Mirrors: torch.expand.
    """
    added = len(shape) - x.ndim
    sizes = tuple(
        x.shape[axis - added] if size == -1 and axis >= added else size
        for axis, size in enumerate(shape)
    )
    out = np.broadcast_to(x, sizes)

    def backward(dout: Array) -> Gradients:
        return (sum_to(dout, x.shape),)

    return out, backward


@differentiable
def cat(*arrays: Array, dim: int) -> tuple[Array, Backward]:
    """Join arrays along an axis they already have; the other sizes must agree.

    Backward. Each array takes the piece of dout that it became.   Mirrors: torch.cat.
    """
    out = np.concatenate(arrays, axis=dim)
    ends = np.cumsum([a.shape[dim] for a in arrays])

    def backward(dout: Array) -> Gradients:
        return tuple(np.split(dout, ends[:-1], axis=dim))

    return out, backward


@differentiable
def getitem(x: Array, *, index: Any) -> tuple[Array, Backward]:
    """out = x[index]: slices, integers, None, ..., and integer or boolean arrays.

    Backward. dx is dout at the places that were read, and zero elsewhere. An integer array may read
    a place twice, and then both gradients belong to it: np.add.at adds them up, where a plain
    assignment would keep the last. Slices read no place twice.   Mirrors: torch.Tensor.__getitem__.
    """
    out = x[index]

    def backward(dout: Array) -> Gradients:
        dx = np.zeros_like(x)
        if reads_once(index):
            dx[index] = dout
        else:
            np.add.at(dx, index, dout)
        return (dx,)

    return out, backward


def reads_once(index: Any) -> bool:
    """Whether an index reads no place twice: it has only integers, slices, None and `...`."""
    return READ_ONCE.issuperset(map(type, index if type(index) is tuple else (index,)))


def out_of_range(op: str, dim: int, ndim: int) -> IndexError:
    """There is no such axis, in words."""
    return IndexError(f"{op}: dim {dim} is out of range for a tensor of {ndim} axes")
