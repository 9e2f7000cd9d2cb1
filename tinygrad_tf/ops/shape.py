"""Rules that move entries without changing them. The backward moves the gradients back.

Only `cat` and `clone` copy; the result of any other rule here may share memory with its input.
The Transformer block runs `reshape`, `transpose` and `getitem` as it comes, to split and merge the
heads of attention. The language model runs `cat` once, when it makes its sinusoidal positions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import promotes
from tinygrad_tf.ops.sum_to import sum_to

READ_ONCE = frozenset((int, slice, type(None), type(...)))  # such an index reads no entry twice


@differentiable
def reshape(x: Array, *, shape: tuple[int, ...]) -> tuple[Array, Backward]:
    """Return the same entries, in the same order, in another shape; one size may be -1.

    Backward. dx is dout in the shape of x.   Mirrors: torch.reshape, and also view, flatten,
    unflatten, squeeze and unsqueeze.
    """
    if min(shape, default=0) < -1:
        raise ValueError(f"shape {shape} has a size below -1; only -1 stands for a size left open")
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
    """Put the axes in another order: axis i of out is axis dims[i] of x.

    Backward. dx has the axes of dout in the inverse order: if dims[i] is d, axis d of dx is axis i
    of dout. A swap of two axes is its own inverse; a rotation of three axes is not.
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
    """Swap two axes.

    Backward. Swap them again.   Mirrors: torch.transpose.
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

    Backward. The gradients of all copies of an entry add up: `sum_to`.   Mirrors: torch.expand.
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
def clone(x: Array) -> tuple[Array, Backward]:
    """out = a copy of x, whose entries lie in memory in their own order.

    Backward. dx = dout.   Mirrors: torch.clone, and also contiguous where it has to copy.
    """
    out = x.copy(order="C")

    def backward(dout: Array) -> Gradients:
        return (dout,)

    return out, backward


@differentiable
@promotes()
def cat(*arrays: Array, dim: int) -> tuple[Array, Backward]:
    """Join arrays along an axis they already have; the other sizes must agree.

    Backward. Each array gets the piece of dout at its own place.   Mirrors: torch.cat.
    """
    out = np.concatenate(arrays, axis=dim)
    ends = np.cumsum([a.shape[dim] for a in arrays])

    def backward(dout: Array) -> Gradients:
        return tuple(np.split(dout, ends[:-1], axis=dim))

    return out, backward


@differentiable
def getitem(x: Array, *, index: Any) -> tuple[Array, Backward]:
    """out = x[index], for slices, integers, None, `...`, and integer or boolean arrays.

    Backward. dx is dout at the entries that were read, and zero elsewhere. An integer array may
    read an entry twice, and then its two gradients add up: np.add.at does that, while a plain
    assignment would keep the last. Slices read no entry twice.   Mirrors: torch.Tensor.__getitem__.
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
    """Whether an index has only integers, slices, None and `...`: it then repeats no entry."""
    return READ_ONCE.issuperset(map(type, index if type(index) is tuple else (index,)))


def out_of_range(op: str, dim: int, ndim: int) -> IndexError:
    """Return an error that says that the tensor has no axis `dim`."""
    return IndexError(f"{op}: dim {dim} is out of range for a tensor of {ndim} axes")
