"""Attention in fewer ops: queries, keys and values stay where the projection put them.

`MultiheadSelfAttention` splits and merges the heads in seven ops that only move entries. With small
arrays these take a quarter of the time of a block.
"""

from __future__ import annotations

from typing import TypeVar

from tinygrad_tf.nn import Module
from tinygrad_tf.nn import functional as F
from tinygrad_tf.ops.multi_head_attention import multi_head_attention
from tinygrad_tf.tensor import Tensor
from tinygrad_tf.transformer.attention import MultiheadSelfAttention

AnyModule = TypeVar("AnyModule", bound=Module)


class PackedSelfAttention(MultiheadSelfAttention):
    """Self-attention where one op splits the heads, attends and merges the heads.

    Where there is a mask or dropout it computes as MultiheadSelfAttention does. `pack_attention`
    makes it.
    """

    def forward(
        self,
        x: Tensor,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Attend among the tokens of each sequence. MultiheadSelfAttention explains the masks."""
        dropping = self.training and self.dropout.p > 0.0
        if dropping or attn_mask is not None or key_padding_mask is not None or x.ndim != 3:
            return super().forward(x, attn_mask, key_padding_mask, is_causal)
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        context = multi_head_attention(qkv, num_heads=self.num_heads, is_causal=is_causal)
        out: Tensor = self.out_proj(context)
        return out


def pack_attention(model: AnyModule) -> AnyModule:
    """Make every MultiheadSelfAttention in the model a packed one, and return the model.

    The parameters stay the same, and the results differ only by rounding, whether the attention was
    `fused` or written out. Where the one op attends, hooks on parts of the written-out attention,
    such as its `dropout`, are not called.
    """
    for module in model.modules():
        if type(module) is MultiheadSelfAttention:
            module.__class__ = PackedSelfAttention
    return model
