"""The exact GELU in float32, without erf: forward and slope in one visit to the cache."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_tf.fast.buffers import empty, like
from tinygrad_tf.fast.threads import NUMBER, each
from tinygrad_tf.fast.vectors import constant
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh

# erf(x / sqrt(2)) = tanh(x * P(x^2)) to within 1.3e-7: P of degree 6, fitted for the smallest
# largest error of the tanh, on |x| <= 5.6; where x^2 is above BOUND the tanh is 1 whatever P is.
P = [
    constant(coefficient)
    for coefficient in (
        7.97884941e-01, 3.63330844e-02, -3.25947415e-05, -5.53063182e-05, 3.96477343e-06,
        -1.32266303e-07, 1.75627814e-09,
    )
]  # fmt: skip
MIDDLE = P[5:0:-1]
BOUND, ONE, HALF, PEAK = map(constant, (40.0, 1.0, 0.5, 1.0 / math.sqrt(2.0 * math.pi)))
# Entries; a few arrays of this size stay in the second-level cache. With more threads fewer and
# longer calls are better: after each of them a thread may have to wait for Python's lock.
BLOCK = 1 << 15 if NUMBER == 1 else 1 << 17


def gelu(x: Array) -> tuple[Array, Backward]:
    """See `ops/gelu.py`. The slope is made while x is at hand, and is all that is kept."""
    out, slope = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    if x.size <= BLOCK:
        _block(x, out, slope, np.empty_like(out), np.empty_like(out))
    else:
        _blocks(x.reshape(-1), out.reshape(-1), slope.reshape(-1))

    def backward(dout: Array) -> Fresh:
        return Fresh((np.multiply(dout, slope, like(slope)),))

    return out, backward


def _blocks(x: Array, out: Array, slope: Array) -> None:
    """Block by block, on arrays of one axis."""

    def block(start: int) -> None:
        end = start + BLOCK
        piece = x[start:end]
        square, t = np.empty_like(piece), np.empty_like(piece)
        _block(piece, out[start:end], slope[start:end], square, t)

    each(block, range(0, x.size, BLOCK))


def _block(x: Array, out: Array, slope: Array, square: Array, t: Array) -> None:
    """out = x * cdf, slope = cdf + x * pdf, for a block; square and t are scratch."""
    np.multiply(x, x, square)
    np.minimum(square, BOUND, out=slope)
    np.multiply(slope, P[6], t)
    for coefficient in MIDDLE:
        t += coefficient
        t *= slope
    t += P[0]
    t *= x
    np.tanh(t, t)  # erf(x / sqrt(2))
    t += ONE
    t *= HALF  # cdf
    np.multiply(x, t, out)
    square *= -HALF
    np.exp(square, square)
    square *= PEAK  # pdf
    square *= x
    np.add(square, t, slope)
