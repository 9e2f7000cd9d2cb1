"""Layer norm in float32: sums along rows and columns by BLAS, everything else in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.buffers import empty
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.kernels.vectors import filled


def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
) -> tuple[Array, Backward] | Any:
    """See `ops/layer_norm.py`, which also says what is wrong with shapes that do not fit."""
    if x.size == 0 or x.ndim == 0:
        return NotImplemented
    for a in (weight, bias):
        if a is not None and (a.shape != x.shape[-1:] or a.dtype != x.dtype):
            return NotImplemented
    shape, C = x.shape, x.shape[-1]
    rows = x.reshape(-1, C)
    average = filled(C, 1.0 / C)
    mean = rows.dot(average)
    x_hat = np.subtract(rows, mean[:, None], empty(rows.shape, x.dtype))
    variance = np.vecdot(x_hat, x_hat)
    variance /= C
    variance += eps
    inv_std = (variance**-0.5)[:, None]
    x_hat *= inv_std
    out = x_hat.copy() if weight is None else np.multiply(x_hat, weight, empty(rows.shape, x.dtype))
    if bias is not None:
        out += bias

    def backward(dout: Array) -> tuple[Array | None, ...]:
        dout = dout.reshape(x_hat.shape)
        ones = filled(len(x_hat), 1.0)
        dbias = None if bias is None else ones.dot(dout)
        shares = average if weight is None else weight / C
        product = np.multiply(dout, x_hat, empty(x_hat.shape, x_hat.dtype))
        dweight = None if weight is None else ones.dot(product)
        along_x_hat = product.dot(shares)
        along_ones = dout.dot(shares)
        np.multiply(x_hat, along_x_hat[:, None], product)
        product += along_ones[:, None]
        if weight is None:
            dx = np.subtract(dout, product, product)
        else:
            dx = np.multiply(dout, weight, empty(x_hat.shape, x_hat.dtype))
            dx -= product
        dx *= inv_std
        return dx.reshape(shape), dweight, dbias

    return out.reshape(shape), backward
