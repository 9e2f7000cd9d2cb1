"""The exact GELU in float32, without erf. Output and slope are made while x is in the cache."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_tf.fast.buffers import empty, like
from tinygrad_tf.fast.threads import NUMBER, each
from tinygrad_tf.fast.vectors import constant
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh

# erf(x / sqrt(2)) = tanh(x * P(x^2)) to within 1.3e-7. P is a polynomial of degree 6. It is fitted
# on |x| <= 5.6 so that the largest error of the tanh is as small as possible. Where x^2 is above
# BOUND, P(BOUND) is used: there the tanh is 1 in float32.
P = [
    constant(coefficient)
    for coefficient in (
        7.97884941e-01, 3.63330844e-02, -3.25947415e-05, -5.53063182e-05, 3.96477343e-06,
        -1.32266303e-07, 1.75627814e-09,
    )
]  # fmt: skip
MIDDLE = P[5:0:-1]  # in the order in which Horner's scheme adds them
BOUND, ONE, HALF, PEAK = map(constant, (40.0, 1.0, 0.5, 1.0 / math.sqrt(2.0 * math.pi)))
# Entries of a block. A few arrays of this size stay in the second-level cache. With several threads
# longer calls are better, because after each call a thread may have to wait for Python's lock.
BLOCK = 1 << 15 if NUMBER == 1 else 1 << 17


def gelu(x: Array) -> tuple[Array, Backward]:
    """See `ops/gelu.py`. The forward also computes the slope, and keeps nothing else."""
    out, slope = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    if x.size <= BLOCK:
        _block(x, out, slope)
    else:
        _blocks(x.reshape(-1), out.reshape(-1), slope.reshape(-1))

    def backward(dout: Array) -> Fresh:
        return Fresh((np.multiply(dout, slope, like(slope)),))

    return out, backward


def _blocks(x: Array, out: Array, slope: Array) -> None:
    """Compute block by block, on arrays of one axis. Threads share the blocks."""

    def block(start: int) -> None:
        piece = slice(start, start + BLOCK)
        _block(x[piece], out[piece], slope[piece])

    each(block, range(0, x.size, BLOCK))


def _block(x: Array, out: Array, slope: Array) -> None:
    """Write out = x * cdf and slope = cdf + x * pdf."""
    square, t = np.empty_like(out), np.empty_like(out)
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
