"""The linear layer: every output channel is a weighted sum of the input channels.

The Transformer block runs it as it comes: twice in attention, twice in the feed-forward network.
"""

from __future__ import annotations

import math

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes
from tinygrad_tf.ops.sum_to import sum_to


@differentiable
@takes()
def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Backward]:
    """Take weighted sums of the channels. out = x @ weight.T + bias.

    x (..., I), weight (O, I), bias (O,) -> out (..., O).   The weight is (out, in), as in PyTorch.

    Backward. Let one row number n stand for all leading axes:
        out[n, o] = sum_i x[n, i] * weight[o, i] + bias[o].
    * x[n, i] reaches every output of its own row, weighted by column i of the weight:
      dx[n, i] = sum_o dout[n, o] * weight[o, i].
    * weight[o, i] is used once in every row, and the gradients of all its uses add up:
      dweight[o, i] = sum_n dout[n, o] * x[n, i].
    * bias[o] is added in every row, by broadcasting: dbias[o] = sum_n dout[n, o].
    Only one product of the two factors has the right shape, which helps to place the transposes.
    Fact: with x = 1 everywhere, each column of dweight equals dbias.
    Source: Rumelhart, Hinton, Williams (1986), Nature 323, equations 6 (dweight) and 7 (dx).
    Mirrors: torch.nn.functional.linear.
    """
    _check_shapes(x, weight, bias)
    out = x @ weight.T                                # 1  (..., O)
    if bias is not None:
        out = out + bias                              # 2  (..., O)

    def backward(dout: Array) -> Gradients:
        rows = math.prod(dout.shape[:-1])             #    N: all leading axes become one
        dout_rows = dout.reshape(rows, dout.shape[-1])
        dbias = None if bias is None else sum_to(dout, bias.shape)          # 2  (O,)
        dweight = dout_rows.T @ x.reshape(rows, x.shape[-1])                # 1  (O, I)
        dx = dout @ weight                                                  # 1  (..., I)
        return dx, dweight, dbias

    return out, backward


def _check_shapes(x: Array, weight: Array, bias: Array | None) -> None:
    if weight.ndim != 2:
        raise ValueError(f"linear: weight has shape {weight.shape}, expected (out, in)")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        hint = "; is the weight transposed?" if x.shape[-1:] == weight.shape[:1] else ""
        raise ValueError(
            f"linear: weight has shape {weight.shape} (out, in), but the last axis of x {x.shape} "
            f"is not {weight.shape[1]}{hint}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"linear: bias has shape {bias.shape}, expected {weight.shape[:1]}, "
            f"the first axis of weight {weight.shape}"
        )
