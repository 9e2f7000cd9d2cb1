"""Scaled dot-product attention: each query takes a weighted average of the values.

The Transformer block runs this rule with `fused=True` only. As the block comes, its attention is
written out as four ops: matmul, div, softmax, matmul.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import takes
from tinygrad_tf.ops.dropout import keep_mask
from tinygrad_tf.ops.sum_to import sum_to


@differentiable
@takes(first=3)
def scaled_dot_product_attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    generator: np.random.Generator | None = None,
) -> tuple[Array, Backward]:
    """Look up by similarity. out = softmax(q @ k^T * scale + mask) @ v, scale = 1 / sqrt(K).

    q (..., T, K), k (..., S, K), v (..., S, Kv), mask (..., T, S) -> out (..., T, Kv).
    A float mask is added to the scores. In a bool mask True means *may attend*, as in PyTorch's
    function of the same name; in the masks of the modules True means the opposite. A mask without
    leading axes, or with axes of size 1, is stretched. With is_causal, query t sees keys 0 to t.
    A query that may attend nowhere gets zeros and passes no gradient.

    Backward. Four known rules, applied in reverse. ^T transposes the last two axes.
    * out = dropped @ v:           ddropped = dout @ v^T,   dv = dropped^T @ dout.
    * dropped = probs * keep:      dprobs = ddropped * keep.
    * probs = softmax(scores):     dscores = probs * (dprobs - sum_s dprobs * probs).
    * scores = q @ k^T * scale:    dq = dscores @ k * scale,   dk = dscores^T @ q * scale.
    A forbidden pair has probs = 0 and so dscores = 0: the backward needs no mask.
    A float mask is one summand of the scores, so dmask = dscores.
    Fact: every row of dscores sums to 0. Hence a vector that is added to all keys has gradient 0.
    Source: Vaswani et al. (2017), arXiv:1706.03762, equation 1.
    Mirrors: torch.nn.functional.scaled_dot_product_attention.
    """
    _check_shapes(q, k, v, mask)
    scale = 1.0 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale
    scores = q @ k.swapaxes(-1, -2) * scale                         # 1  (..., T, S)
    scores = _mask_scores(scores, mask, is_causal)                  # 2  (..., T, S)
    peak = scores.max(axis=-1, keepdims=True, initial=-np.inf)      # 3  softmax, in five lines
    peak = np.where(peak == -np.inf, 0, peak)                       #    a row of -inf gives zeros
    exponential = np.exp(scores - peak)
    total = exponential.sum(axis=-1, keepdims=True)                 #    (..., T, 1)
    probs = exponential / np.where(total == 0, 1, total)            #    (..., T, S)
    keep = keep_mask(probs, dropout_p, generator) if dropout_p != 0 else None
    dropped = probs if keep is None else probs * keep               # 4  (..., T, S)
    out = dropped @ v                                               # 5  (..., T, Kv)

    def backward(dout: Array) -> Gradients:
        ddropped = dout @ v.swapaxes(-1, -2)                        # 5  out = dropped @ v
        dv = sum_to(dropped.swapaxes(-1, -2) @ dout, v.shape)       # 5  out = dropped @ v
        dprobs = ddropped if keep is None else ddropped * keep      # 4  dropped = probs * keep
        average = (dprobs * probs).sum(axis=-1, keepdims=True)      # 3  probs = softmax(scores)
        dscores = probs * (dprobs - average)                        # 3  probs = softmax(scores)
        dmask = None
        if mask is not None and mask.dtype != bool:
            dmask = sum_to(dscores, mask.shape)                     # 2  scores = scores + mask
        dq = sum_to(dscores @ k * scale, q.shape)                   # 1  scores = q @ k^T * scale
        dk = sum_to(dscores.swapaxes(-1, -2) @ q * scale, k.shape)  # 1  scores = q @ k^T * scale
        return dq, dk, dv, dmask

    return out, backward


def _mask_scores(scores: Array, mask: Array | None, is_causal: bool) -> Array:
    """Return the scores with -inf at forbidden pairs, or plus a float mask. Shape (..., T, S)."""
    if is_causal:
        if mask is not None:
            raise ValueError(
                "scaled_dot_product_attention: got a mask and is_causal=True; "
                "put the causal part into the mask, or leave the mask out"
            )
        mask = np.tri(*scores.shape[-2:], dtype=bool)
    if mask is None:
        return scores
    if mask.dtype == bool:
        masked = np.where(mask, scores, -np.inf).astype(scores.dtype, copy=False)
    else:
        masked = scores + mask
    if masked.shape != scores.shape:
        raise ValueError(
            f"scaled_dot_product_attention: mask has shape {mask.shape}, which does not stretch to "
            f"the scores {scores.shape}"
        )
    return masked


def _check_shapes(q: Array, k: Array, v: Array, mask: Array | None) -> None:
    shapes = f"q {q.shape}, k {k.shape}, v {v.shape}"
    op = "scaled_dot_product_attention"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ValueError(f"{op}: {shapes}: each needs two axes at least, (..., tokens, channels)")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"{op}: {shapes}: q and k differ in their last axis, the head size")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"{op}: {shapes}: k and v differ in their number of tokens")
    if mask is None:
        return
    if mask.dtype.kind not in "bf":
        raise ValueError(f"{op}: mask is {mask.dtype}; expected bool (may attend) or float")
    t, s = q.shape[-2], k.shape[-2]
    rows, keys = (1, 1, *mask.shape)[-2:]
    if rows not in (1, t) or keys not in (1, s):
        raise ValueError(
            f"{op}: mask has shape {mask.shape}, expected (..., {t}, {s}), "
            "one entry for each pair of query and key"
        )
