"""The linear layer in float32, as one matrix product over all tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_tf.fast.buffers import empty
from tinygrad_tf.fast.threads import NUMBER, each, may_share
from tinygrad_tf.fast.vectors import sum_rows
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh

FEW = 8  # where outputs >= FEW * rows, OpenBLAS computes the transposed product faster
SMALL = 1 << 13  # entries of a product; up to here np.dot is faster, although it writes zeros first
ENOUGH = 1 << 24  # multiplications; sharing fewer among threads takes longer than doing them


def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Backward] | Any:
    """See `ops/linear.py`. Return NotImplemented if shapes do not fit; the page says why."""
    if weight.ndim != 2 or x.shape[-1:] != weight.shape[1:] or x.dtype != weight.dtype:
        return NotImplemented
    if bias is not None and (bias.shape != weight.shape[:1] or bias.dtype != x.dtype):
        return NotImplemented
    outputs, inputs = weight.shape
    count = math.prod(x.shape[:-1])
    rows = x.reshape(count, inputs)
    if bias is not None and FEW * count <= outputs:
        out = np.add(weight.dot(rows.T).T, bias, empty((count, outputs), x.dtype))
    else:
        out = _product(rows, weight.T)
        if bias is not None:
            out += bias

    def backward(dout: Array) -> Fresh:
        dout = dout.reshape(count, outputs)
        dbias = None if bias is None else sum_rows(dout)
        dweight = _product(dout.T, rows)
        dx = _product(dout, weight)
        return Fresh((dx.reshape(x.shape), dweight, dbias))

    return out.reshape(*x.shape[:-1], outputs), backward


def _product(x: Array, y: Array) -> Array:
    """Return x @ y of two matrices."""
    shape = len(x), y.shape[1]
    if shape[0] * shape[1] > SMALL:
        return matmul(x, y, empty(shape, x.dtype))
    product: Array = x.dot(y)
    return product


def shared_matmul(x: Array, y: Array, out: Array) -> Array:
    """Compute np.matmul(x, y, out) of two matrices. Each thread multiplies some rows of x."""
    rows = len(x)
    if rows * y.size < ENOUGH or not may_share():
        return np.matmul(x, y, out)

    def piece(i: int) -> None:
        part = slice(rows * i // NUMBER, rows * (i + 1) // NUMBER)
        np.matmul(x[part], y, out[part])

    each(piece, range(NUMBER))
    return out


matmul = np.matmul if NUMBER == 1 else shared_matmul
