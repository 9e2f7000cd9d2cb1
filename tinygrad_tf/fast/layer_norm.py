"""Layer norm in float32. BLAS sums rows and columns; everything else is done in place.

A mean that BLAS has summed is off by some rounding of itself. Where a token's mean is large beside
its spread, that would be seen, and the page computes.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_tf.fast.buffers import like
from tinygrad_tf.fast.vectors import constant, filled, sum_rows
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh

# A 0-d x is an error, which the page explains. For matrices of five columns OpenBLAS (0.3.31, with
# AVX-512) reads stale register lanes: the result is right, but NumPy may warn.
_LEFT_TO_THE_PAGE = ((), (5,))
FAR = constant(4.0)  # a mean of more than four standard deviations is large


def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
) -> tuple[Array, Backward] | Any:
    """See `ops/layer_norm.py`. Return NotImplemented if shapes do not fit; the page says why."""
    shape = x.shape[-1:]
    for a in (weight, bias):
        if a is not None and (a.shape != shape or a.dtype != x.dtype):
            return NotImplemented
    if x.size == 0 or shape in _LEFT_TO_THE_PAGE:
        return NotImplemented
    C = shape[0]
    rows = x.reshape(-1, C)
    average, share, smallest = _constants(C, eps)
    mean = rows.dot(average)
    x_hat = np.subtract(rows, mean[:, None], like(rows))
    inv_std = np.vecdot(x_hat, x_hat)
    inv_std *= share  # the variance
    if (np.abs(mean, mean) > FAR * np.sqrt(inv_std)).any():  # squares would overflow
        return NotImplemented
    inv_std += smallest  # variance + eps
    np.sqrt(inv_std, inv_std)
    inv_std = np.reciprocal(inv_std, inv_std)[:, None]
    x_hat *= inv_std
    out = x_hat.copy() if weight is None else np.multiply(x_hat, weight, like(rows))
    if bias is not None:
        out += bias

    def backward(dout: Array) -> Fresh:
        dout = dout.reshape(x_hat.shape)
        dbias = None if bias is None else sum_rows(dout)
        shares = average if weight is None else weight * share
        product = np.multiply(dout, x_hat, like(x_hat))
        dweight = None if weight is None else sum_rows(product)
        along_x_hat = product.dot(shares)
        along_ones = dout.dot(shares)
        np.multiply(x_hat, along_x_hat[:, None], product)
        product += along_ones[:, None]
        if weight is None:
            dx = np.subtract(dout, product, product)
        else:
            dx = np.multiply(dout, weight, like(x_hat))
            dx -= product
        dx *= inv_std
        return Fresh((dx.reshape(x.shape), dweight, dbias))

    return out.reshape(x.shape), backward


@functools.lru_cache(maxsize=64)
def _constants(channels: int, eps: float) -> tuple[Array, Array, Array]:
    """Return 1 / C as a vector over C channels, 1 / C as a 0-d array, and eps as a 0-d array."""
    share = 1.0 / channels
    return filled(channels, share), constant(share), constant(eps + 0.0)  # None would become NaN
