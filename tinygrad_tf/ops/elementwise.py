"""Functions of one value, applied to each entry: x (...) -> out (...), and dx = dout * slope(x).

Where the slope can be computed from out, the rule does so, and computes nothing twice.
The Transformer block runs none of them. The language model makes its sinusoidal positions with
`exp`, `sin` and `cos`, in float64, and `cast` brings them to the precision of the model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes


@differentiable
def cast(x: Array, *, dtype: np.dtype[Any]) -> tuple[Array, Backward]:
    """out = x in another floating precision.

    Backward. dx = dout, cast to the precision of x.   Mirrors: torch.Tensor.to.
    """
    out = x.astype(dtype)

    def backward(dout: Array) -> Gradients:
        return (dout.astype(x.dtype),)

    return out, backward


@differentiable
def exp(x: Array) -> tuple[Array, Backward]:
    """out = e ** x.

    Backward. Its own slope: dx = dout * out.   Mirrors: torch.exp.
    """
    out = np.exp(x)

    def backward(dout: Array) -> Gradients:
        return (dout * out,)

    return out, backward


@differentiable
def log(x: Array) -> tuple[Array, Backward]:
    """out = the natural logarithm of x.

    Backward. dx = dout / x.   Mirrors: torch.log.
    """
    out = np.log(x)

    def backward(dout: Array) -> Gradients:
        return (dout / x,)

    return out, backward


@differentiable
def sqrt(x: Array) -> tuple[Array, Backward]:
    """out = the square root of x.

    Backward. dx = dout / (2 * out). The slope is infinite at 0, where the curve is vertical.
    Mirrors: torch.sqrt.
    """
    out = np.sqrt(x)

    def backward(dout: Array) -> Gradients:
        return (dout / (2.0 * out),)

    return out, backward


@differentiable
def sin(x: Array) -> tuple[Array, Backward]:
    """out = sin(x), x in radians.

    Backward. dx = dout * cos(x).   Mirrors: torch.sin.
    """
    out = np.sin(x)

    def backward(dout: Array) -> Gradients:
        return (dout * np.cos(x),)

    return out, backward


@differentiable
def cos(x: Array) -> tuple[Array, Backward]:
    """out = cos(x), x in radians.

    Backward. dx = -dout * sin(x).   Mirrors: torch.cos.
    """
    out = np.cos(x)

    def backward(dout: Array) -> Gradients:
        return (-dout * np.sin(x),)

    return out, backward


@differentiable
def tanh(x: Array) -> tuple[Array, Backward]:
    """out = tanh(x), between -1 and 1.

    Backward. tanh = sinh / cosh, so its slope is 1 - tanh^2: dx = dout * (1 - out^2).
    Mirrors: torch.tanh.
    """
    out = np.tanh(x)

    def backward(dout: Array) -> Gradients:
        return (dout * (1.0 - out * out),)

    return out, backward


@differentiable
def sigmoid(x: Array) -> tuple[Array, Backward]:
    """out = 1 / (1 + exp(-x)), between 0 and 1. SciPy's expit computes it without overflow.

    Backward. Let s = out. Then ds/dx = exp(-x) / (1 + exp(-x))^2 = s * (1 - s).
    Mirrors: torch.sigmoid.
    """
    out = special.expit(x)

    def backward(dout: Array) -> Gradients:
        return (dout * out * (1.0 - out),)

    return out, backward


@differentiable
def erf(x: Array) -> tuple[Array, Backward]:
    """out = erf(x), the error function: 2 / sqrt(pi) * the integral of exp(-t^2) from 0 to x.

    Backward. The slope of an integral is its integrand: dx = dout * 2 / sqrt(pi) * exp(-x^2).
    Mirrors: torch.erf.
    """
    out = special.erf(x)

    def backward(dout: Array) -> Gradients:
        return (dout * (2.0 / math.sqrt(math.pi)) * np.exp(-x * x),)

    return out, backward


@differentiable
@takes()
def abs(x: Array) -> tuple[Array, Backward]:
    """out = |x|.

    Backward. The slope is the sign of x. At 0 and at NaN we take 0, as PyTorch does.
    Mirrors: torch.abs.
    """
    out = np.abs(x)

    def backward(dout: Array) -> Gradients:
        sign = (x > 0).astype(x.dtype) - (x < 0)
        return (dout * sign,)

    return out, backward
