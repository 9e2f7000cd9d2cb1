"""Softmax and its logarithm: scores become a probability distribution along one axis.

The Transformer block runs `softmax` as it comes. `log_softmax` serves the loss, `cross_entropy`.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients


@differentiable
def softmax(x: Array, *, dim: int) -> tuple[Array, Backward]:
    """Turn scores into probabilities. out = exp(x) / sum(exp(x)), the sum along dim.

    x (...) -> out (...). Every entry is >= 0, and each line along dim sums to 1. The maximum is
    subtracted first, so exp never overflows. The result is the same: softmax(x + c) = softmax(x).

    Backward. Within one line, out[i] = e[i] / total with e = exp(x), and total contains every e[j]:
        d out[i] / d x[j] = out[i] * (1 if i == j else 0) - out[i] * out[j].
    Multiply by dout[i] and sum over i:
        dx[j] = out[j] * (dout[j] - sum_i dout[i] * out[i]).
    In words: subtract from dout its average, weighted by out, and multiply the rest by out. The
    maximum needs no gradient: like c above, it does not change the result.
    Fact: dx sums to 0 along dim. The gradient of softmax(x).sum() is zero everywhere.
    Source: Bridle (1990), "Probabilistic interpretation of feedforward classification network
    outputs".   Mirrors: torch.nn.functional.softmax.
    """
    _check_dim("softmax", x, dim)
    peak = x.max(axis=dim, keepdims=True, initial=-np.inf)    # 1  (..., 1)
    exponential = np.exp(x - peak)                            # 2  (...)
    total = exponential.sum(axis=dim, keepdims=True)          # 3  (..., 1)
    out = exponential / total                                 # 4  (...)

    def backward(dout: Array) -> Gradients:
        average = (dout * out).sum(axis=dim, keepdims=True)   # 4  exponential / total
        dx = out * (dout - average)                           # 4  exponential / total
                                                              # 3  sum(exponential)
                                                              # 2  exp(x - peak)
        return (dx,)

    return out, backward


@differentiable
def log_softmax(x: Array, *, dim: int) -> tuple[Array, Backward]:
    """Turn scores into log-probabilities. out = x - log(sum(exp(x))), the sum along dim.

    x (...) -> out (...). Every entry is <= 0. This is not computed as log(softmax(x)), which is
    -inf as soon as exp underflows.

    Backward. out[i] = x[i] - log(total), and d log(total) / d x[j] = exp(x[j]) / total = probs[j]:
        dx[j] = dout[j] - probs[j] * sum_i dout[i],   with probs = exp(out).
    Fact: dx sums to 0 along dim. For a one-hot dout, dx is onehot - probs.
    Source: Goodfellow, Bengio, Courville (2016), Deep Learning, section 6.2.2.3.
    Mirrors: torch.nn.functional.log_softmax.
    """
    _check_dim("log_softmax", x, dim)
    peak = x.max(axis=dim, keepdims=True, initial=-np.inf)                 # 1  (..., 1)
    shifted = x - peak                                                     # 2  (...)
    with np.errstate(divide="ignore"):                                     #    log(0) if size is 0
        log_total = np.log(np.exp(shifted).sum(axis=dim, keepdims=True))   # 3  (..., 1)
    out = shifted - log_total                                              # 4  (...)

    def backward(dout: Array) -> Gradients:
        dlog_total = -dout.sum(axis=dim, keepdims=True)      # 4  shifted - log_total
        dx = dout + np.exp(out) * dlog_total                 # 4  shifted - log_total
                                                             # 3  log(sum(exp(shifted)))
                                                             # 2  x - peak
        return (dx,)

    return out, backward


def _check_dim(op: str, x: Array, dim: int) -> None:
    if x.ndim == 0 or not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{op}: dim {dim} is not an axis of x {x.shape}")
