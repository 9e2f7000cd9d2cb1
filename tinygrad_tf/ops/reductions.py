"""Sums, means, variances and maxima over one axis, several axes, or all axes (dim=None).

x (...) -> out without the axes in dim, or with these axes at size 1 if keepdim is True. On the way
back `restore_axes` and broadcasting stretch dout over these axes again: summing and broadcasting
are each other's backward.
The Transformer block runs none of them: `layer_norm` and `softmax` sum within their own rules.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes

Dim = int | tuple[int, ...] | None


def restore_axes(reduced: Array, shape: tuple[int, ...], dim: Dim) -> Array:
    """Put the reduced axes back with size 1, so that the result broadcasts to `shape`."""
    dims = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = {d % max(len(shape), 1) for d in dims}
    return reduced.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


@differentiable
def sum(x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the sum of x over dim.

    Backward. Moving a summand moves the sum by as much, so dx = dout, repeated along dim.
    Mirrors: torch.sum.
    """
    is_float = x.dtype.kind == "f"
    out = _sum(x, dim, keepdim) if is_float else x.sum(axis=dim, keepdims=keepdim, dtype=np.int64)

    def backward(dout: Array) -> Gradients:
        return (np.broadcast_to(restore_axes(dout, x.shape, dim), x.shape),)

    return out, backward


@differentiable
@takes("f")
def mean(x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the mean of x over dim.

    Backward. Each of the n entries counts 1 / n, so dx = dout / n, repeated along dim.
    Mirrors: torch.mean.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # the mean of no entries is NaN
        out = _sum(x, dim, keepdim, over=_count(x, dim))

    def backward(dout: Array) -> Gradients:
        share = restore_axes(dout, x.shape, dim) / max(_count(x, dim), 1)
        return (np.broadcast_to(share, x.shape),)

    return out, backward


@differentiable
@takes("f")
def var(
    x: Array, *, dim: Dim = None, correction: int = 1, keepdim: bool = False
) -> tuple[Array, Backward]:
    """out = sum((x - mean(x))^2) / (n - correction) over dim.

    The default correction, 1, gives the unbiased estimate; layer norm uses 0. Where n is not above
    the correction, the division is by 0: one value has the variance 0 / 0 = NaN, as in PyTorch.

    Backward. Through the square, dx = dout * 2 * (x - mean) / (n - correction). Nothing comes
    through the mean: its gradient is -2 * sum(x - mean) / (n - correction) * dout, which is zero.
    Mirrors: torch.var.
    """
    freedom = _count(x, dim) - correction
    with np.errstate(invalid="ignore", divide="ignore"):              #    no warning
        centered = x - _sum(x, dim, True, over=_count(x, dim))        # 1
        squares = centered * centered                                 # 2
        out = _sum(squares, dim, keepdim, over=max(freedom, 0))       # 3

    def backward(dout: Array) -> Gradients:
        with np.errstate(invalid="ignore", divide="ignore"):
            dsquares = restore_axes(dout, x.shape, dim) / freedom     # 3
            return (dsquares * 2.0 * centered,)                       # 2, 1

    return out, backward


@differentiable
@takes("f")
def std(
    x: Array, *, dim: Dim = None, correction: int = 1, keepdim: bool = False
) -> tuple[Array, Backward]:
    """out = the standard deviation over dim: the root of `var`, with the same correction.

    Backward. The slope of the root is 1 / (2 * out), and the rest is the backward of `var`. Where
    out = 0 all entries are equal, the root has no slope, and we take dx = 0, as PyTorch does.
    Mirrors: torch.std.
    """
    variance, var_backward = var.rule(x, dim=dim, correction=correction, keepdim=keepdim)   # 1
    out = np.sqrt(variance)                                                                 # 2

    def backward(dout: Array) -> Gradients:
        has_slope = out != 0
        dvariance = np.divide(dout, 2.0 * out, out=np.zeros_like(dout), where=has_slope)    # 2
        return var_backward(dvariance)                                                      # 1

    return out, backward


@differentiable
def amax(x: Array, *, dim: Dim = None, keepdim: bool = False) -> tuple[Array, Backward]:
    """out = the largest entry over dim.

    Backward. Only the largest entry moves the maximum. If several entries are the largest, they
    share dout evenly, as in PyTorch.   Mirrors: torch.amax.
    """
    out = x.max(axis=dim, keepdims=keepdim)

    def backward(dout: Array) -> Gradients:
        largest = x == restore_axes(out, x.shape, dim)
        ties = largest.sum(axis=dim, keepdims=True).astype(x.dtype)
        return (largest * (restore_axes(dout, x.shape, dim) / ties),)

    return out, backward


def _sum(x: Array, dim: Dim, keepdim: bool, over: int = 1) -> Array:
    """Return the sum over dim, divided by `over`.

    Floats are added up in float64 and rounded once: NumPy adds one row after the other, and over
    many rows float32 loses digits.
    """
    total: Array = x.sum(axis=dim, keepdims=keepdim, dtype=np.float64) / over
    return total.astype(x.dtype, copy=False)


def _count(x: Array, dim: Dim) -> int:
    """Return how many entries of x go into one entry of the result."""
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return int(np.prod([x.shape[d] for d in dims], dtype=int)) if x.ndim else 1
