"""Arithmetic with broadcasting.

In every rule x and y may have any two shapes that broadcast, and out has their common shape. On
the way back `sum_to` sums each gradient over the axes along which its input was stretched.
The Transformer block runs `add` and `div` as it comes: `add` joins each residual connection, and
`div` divides the scores by sqrt(K). The language model runs `mul` to scale its embeddings.

Where `@promotes` stands, x and y have one dtype. Beside floats, integers and masks become floats;
`div` makes floats of them in any case.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import promotes
from tinygrad_tf.ops.sum_to import sum_to


@differentiable
@promotes()
def add(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = x + y.

    Backward. Moving either input moves the output by as much, so dx = dy = dout. This is why a
    residual connection passes its gradient on unchanged.   Mirrors: torch.add.
    """
    out = x + y
    x_shape, y_shape = x.shape, y.shape  # backward needs no more, so the arrays can be freed

    def backward(dout: Array) -> Gradients:
        return sum_to(dout, x_shape), sum_to(dout, y_shape)

    return out, backward


@differentiable
@promotes(masks=False)
def sub(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = x - y.

    Backward. dx = dout, dy = -dout.   Mirrors: torch.sub.
    """
    out = x - y
    x_shape, y_shape = x.shape, y.shape

    def backward(dout: Array) -> Gradients:
        return sum_to(dout, x_shape), sum_to(-dout, y_shape)

    return out, backward


@differentiable
@promotes()
def mul(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = x * y.

    Backward. The slope in one factor is the other factor: dx = dout * y, dy = dout * x.
    Mirrors: torch.mul.
    """
    out = x * y

    def backward(dout: Array) -> Gradients:
        return sum_to(dout * y, x.shape), sum_to(dout * x, y.shape)

    return out, backward


@differentiable
@promotes(to_float=True)
def div(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = x / y.

    Backward. dx = dout / y. Since d(1/y)/dy = -1/y^2, dy = -dout * x / y^2 = -dout * out / y.
    Mirrors: torch.div.
    """
    out = x / y

    def backward(dout: Array) -> Gradients:
        return sum_to(dout / y, x.shape), sum_to(-dout * out / y, y.shape)

    return out, backward


@differentiable
def neg(x: Array) -> tuple[Array, Backward]:
    """out = -x.

    Backward. dx = -dout.   Mirrors: torch.neg.
    """
    out = -x

    def backward(dout: Array) -> Gradients:
        return (-dout,)

    return out, backward


@differentiable
def pow(x: Array, *, exponent: float) -> tuple[Array, Backward]:
    """out = x ** exponent, for a constant exponent.

    Backward. dx = dout * exponent * x ** (exponent - 1). For exponent 0 this is 0, also at x = 0,
    where the formula would give 0 * inf.   Mirrors: torch.pow with a number.
    """
    out = _power(x, exponent)

    def backward(dout: Array) -> Gradients:
        if exponent == 0:
            return (np.zeros_like(x),)
        return (dout * exponent * _power(x, exponent - 1),)

    return out, backward


def _power(x: Array, exponent: float) -> Array:
    """Return x ** exponent. A square root is NaN at -inf, as in PyTorch; NumPy's power is not."""
    if exponent in (0.5, -0.5):
        root: Array = np.sqrt(x)
        return root if exponent > 0 else 1.0 / root
    return x**exponent


@differentiable
@promotes()
def pow_tensor(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = x ** y, differentiable in x and in y.

    Backward. dx is as for a constant exponent. Since x ** y = exp(y * log(x)),
    dy = dout * out * log(x). Where x = 0 and y >= 0, dy is 0, as in PyTorch.
    Mirrors: torch.pow with a tensor.
    """
    if x.dtype == bool:
        raise ValueError("pow_tensor: x and y are masks; convert one of them")
    out = x**y

    def backward(dout: Array) -> Gradients:
        dx = dout * np.where(y == 0, 0, y * x ** np.where(y == 0, 1, y - 1))
        stays = (x == 0) & (y >= 0)
        with np.errstate(invalid="ignore", divide="ignore"):  # log(x) is NaN for x < 0
            dy = dout * np.where(stays, 0, out * np.log(np.where(stays, 1, x)))
        return sum_to(dx, x.shape), sum_to(dy, y.shape)

    return out, backward


@differentiable
@promotes()
def maximum(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = the larger of x and y, entry by entry.

    Backward. The gradient goes to the larger entry. Equal entries get half each, as in PyTorch. A
    NaN is not smaller than anything, so beside a NaN both entries get dout.
    Mirrors: torch.maximum.
    """
    out = np.maximum(x, y)

    def backward(dout: Array) -> Gradients:
        share, zero = np.where(x == y, dout / 2, dout), np.zeros((), dout.dtype)
        dx, dy = np.where(x < y, zero, share), np.where(y < x, zero, share)
        return sum_to(dx, x.shape), sum_to(dy, y.shape)

    return out, backward


@differentiable
@promotes()
def minimum(x: Array, y: Array) -> tuple[Array, Backward]:
    """out = the smaller of x and y, entry by entry.

    Backward. The gradient goes to the smaller entry. Equal entries get half each, as in PyTorch. A
    NaN is not larger than anything, so beside a NaN both entries get dout.
    Mirrors: torch.minimum.
    """
    out = np.minimum(x, y)

    def backward(dout: Array) -> Gradients:
        share, zero = np.where(x == y, dout / 2, dout), np.zeros((), dout.dtype)
        dx, dy = np.where(x > y, zero, share), np.where(y > x, zero, share)
        return sum_to(dx, x.shape), sum_to(dy, y.shape)

    return out, backward
