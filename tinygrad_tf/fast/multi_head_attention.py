"""Multi-head attention in float32: attention's fast form, on views of qkv and its gradient."""

from __future__ import annotations

from typing import Any

from tinygrad_tf.fast.attention import attend
from tinygrad_tf.fast.buffers import empty
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh


def multi_head_attention(
    qkv: Array, *, num_heads: int, is_causal: bool = False
) -> tuple[Array, Backward] | Any:
    """See `ops/multi_head_attention.py`. Return NotImplemented if the shape does not fit."""
    if qkv.ndim != 3 or qkv.size == 0 or num_heads < 1 or qkv.shape[2] % (3 * num_heads):
        return NotImplemented
    B, T, channels = qkv.shape
    stacked = (B, T, 3, num_heads, channels // (3 * num_heads))
    q, k, v = qkv.reshape(stacked).transpose(2, 0, 3, 1, 4)
    context, backward_into = attend(q, k, v, is_causal)

    def backward(dout: Array) -> Fresh:
        dqkv = empty(qkv.shape, qkv.dtype)
        dcontext = dout.reshape(B, T, num_heads, -1).swapaxes(1, 2)
        backward_into(dcontext, *dqkv.reshape(stacked).transpose(2, 0, 3, 1, 4))
        return Fresh((dqkv,))

    return context.swapaxes(1, 2).reshape(B, T, -1), backward
