"""Multi-head attention: each of H heads attends on its own, with its share of the channels.

The Transformer block runs it only after `tinygrad_tf.fast.pack_attention`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.ops.attention import scaled_dot_product_attention


@differentiable
def multi_head_attention(
    qkv: Array, *, num_heads: int, is_causal: bool = False
) -> tuple[Array, Backward]:
    """Split the heads, attend, merge the heads. out = merge(attention(*split(qkv))).

    qkv (B, T, 3C), H heads -> out (B, T, C), C = H * K.   The last axis holds all queries, then
    all keys, then all values. Each of these three holds head 0, then head 1, and so on.

    Backward. Splitting and merging only move entries, and the backward moves their gradients back.
    The gradient of a head's context is that head's share of dout. dq, dk and dv are put side by
    side, as q, k and v were in qkv. All arithmetic is in the rule of attention, which is called
    here on arrays: a rule that calls another rule applies the chain rule by hand.
    Fact: heads do not mix. If dout is zero outside one head's share, so is dqkv.
    Source: Vaswani et al. (2017), arXiv:1706.03762, section 3.2.2.
    Mirrors: torch.nn.functional.multi_head_attention_forward, between its two projections.
    """
    B, T, K = *qkv.shape[:2], _head_size(qkv, num_heads)
    q, k, v = qkv.reshape(B, T, 3, num_heads, K).transpose(2, 0, 3, 1, 4)    # 1  (B, H, T, K)
    attend: Any = scaled_dot_product_attention.rule
    context, attend_backward = attend(q, k, v, is_causal=is_causal)          # 2  (B, H, T, K)
    out = context.swapaxes(1, 2).reshape(B, T, num_heads * K)                # 3  (B, T, C)

    def backward(dout: Array) -> Gradients:
        dcontext = dout.reshape(B, T, num_heads, K).swapaxes(1, 2)           # 3  (B, H, T, K)
        dq, dk, dv, _ = attend_backward(dcontext)                            # 2  (B, H, T, K)
        dqkv = np.stack((dq, dk, dv)).transpose(1, 3, 0, 2, 4)               # 1  (B, T, 3, H, K)
        return (dqkv.reshape(qkv.shape),)

    return out, backward


def _head_size(qkv: Array, num_heads: int) -> int:
    if qkv.ndim != 3:
        raise ValueError(f"multi_head_attention: qkv has shape {qkv.shape}, expected (B, T, 3C)")
    if num_heads < 1 or qkv.shape[2] % (3 * num_heads):
        raise ValueError(
            f"multi_head_attention: the last axis of qkv {qkv.shape} does not split into queries, "
            f"keys and values of {num_heads} heads"
        )
    return int(qkv.shape[2]) // (3 * num_heads)
