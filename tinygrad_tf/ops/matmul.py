"""The matrix product, batched and broadcasting.

The Transformer block runs it as it comes, twice: for the scores and the context of attention.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes
from tinygrad_tf.ops.sum_to import sum_to


@differentiable
@takes()
def matmul(x: Array, y: Array) -> tuple[Array, Backward]:
    """Multiply matrices. out = x @ y over the last two axes; the other axes broadcast.

    x (..., N, M), y (..., M, P) -> out (..., N, P).   A vector x (M,) acts as one row, a vector
    y (M,) acts as one column, and the axis of size 1 is dropped from the result.

    Backward. out[n, p] = sum_m x[n, m] * y[m, p], so
    * x[n, m] reaches row n of the output: dx[n, m] = sum_p dout[n, p] * y[m, p] = dout @ y.T.
    * y[m, p] reaches column p:            dy[m, p] = sum_n x[n, m] * dout[n, p] = x.T @ dout.
    The gradients are summed over leading axes that were broadcast.
    Fact: sum(dx * x) = sum(dy * y) = sum(dout * out), because out is linear in each factor.
    Source: Giles (2008), "An extended collection of matrix derivative results", section 2.2.2.
    Mirrors: torch.matmul.
    """
    if min(x.ndim, y.ndim) == 0 or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ValueError(
            f"matmul: x {x.shape} @ y {y.shape}: the last axis of x and the last but one of y "
            "must be the same"
        )
    rows = x[None, :] if x.ndim == 1 else x                    # 1  (..., N, M)
    columns = y[:, None] if y.ndim == 1 else y                 # 2  (..., M, P)
    product = rows @ columns                                   # 3  (..., N, P)
    dropped = tuple(axis for axis, array in ((-2, x), (-1, y)) if array.ndim == 1)
    out = np.squeeze(product, axis=dropped)                    # 4

    def backward(dout: Array) -> Gradients:
        dproduct = dout.reshape(product.shape)                                    # 4
        dcolumns = sum_to(rows.swapaxes(-1, -2) @ dproduct, columns.shape)        # 3
        drows = sum_to(dproduct @ columns.swapaxes(-1, -2), rows.shape)           # 3
        return drows.reshape(x.shape), dcolumns.reshape(y.shape)                  # 2, 1

    return out, backward
