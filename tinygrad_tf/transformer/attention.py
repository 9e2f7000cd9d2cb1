"""Multi-head self-attention: every token gathers from all tokens, in H heads side by side."""

from __future__ import annotations

import math

from tinygrad_tf import Tensor, empty, nn
from tinygrad_tf.nn import functional as F


class MultiheadSelfAttention(nn.Module):
    """Project, split heads, attend, merge heads, project. x (B, T, C) -> (B, T, C).

    embed_dim is C, and num_heads is H, which must divide C. Each attention probability is dropped
    with probability dropout. The parameters have the names and shapes of
    `torch.nn.MultiheadAttention`.
    With fused=True the one op `F.scaled_dot_product_attention` takes the place of the ops that
    `_attend` writes out, except while dropout drops.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        fused: bool = False,
    ) -> None:
        super().__init__()
        if embed_dim < 1:
            raise ValueError(
                f"MultiheadSelfAttention: embed_dim (d_model) is {embed_dim}, expected 1 at least"
            )
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadSelfAttention: embed_dim (d_model) {embed_dim} is not divisible by "
                f"num_heads (nhead) {num_heads}; each head takes an equal share of the channels"
            )
        self.num_heads = num_heads  # H
        self.head_size = embed_dim // num_heads  # K
        self.fused = fused  # whether one op replaces the steps of _attend
        # The projections that make queries, keys and values are stacked, in this order.
        self.in_proj_weight = nn.Parameter(empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(empty(3 * embed_dim)) if bias else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias)  # mixes the merged heads
        self.dropout = nn.Dropout(dropout)  # of attention probabilities
        nn.init.xavier_uniform_(self.in_proj_weight)
        for zero in (self.in_proj_bias, self.out_proj.bias):
            if zero is not None:
                nn.init.zeros_(zero)

    def forward(
        self,
        x: Tensor,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Attend among the tokens of each sequence.

        x (B, T, C), attn_mask (T, S) or (B*H, T, S), key_padding_mask (B, S) -> (B, T, C), S = T.
        In a bool mask True means may *not* attend; a float mask is added to the scores.
        is_causal masks the future. It is ignored if there is an attn_mask.
        """
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (B, T, 3C)
        q, k, v = self._split_heads(qkv)  # (B, H, T, K)
        fused = self.fused and (not self.training or self.dropout.p == 0.0)
        is_causal = is_causal and attn_mask is None
        if fused and is_causal and key_padding_mask is None:
            context = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (B, H, T, K)
        else:
            if is_causal:
                attn_mask = x.new_ones(x.shape[-2], x.shape[-2]).triu(diagonal=1) > 0
            mask = self._merge_masks(x, attn_mask, key_padding_mask)
            attend = F.scaled_dot_product_attention if fused else self._attend
            context = attend(q, k, v, mask)  # (B, H, T, K)
        out: Tensor = self.out_proj(context.transpose(-3, -2).flatten(-2))  # (B, T, C)
        return out

    def _split_heads(self, qkv: Tensor) -> tuple[Tensor, ...]:
        """Split into queries, keys and values, and these into heads: three (B, H, T, K)."""
        stacked = qkv.view(*qkv.shape[:-1], 3, self.num_heads, self.head_size)  # (B, T, 3, H, K)
        return stacked.transpose(-4, -2).unbind(-3)  # (B, H, 3, T, K), along the 3

    def _merge_masks(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None
    ) -> Tensor | None:
        """Return both masks as one float mask to add to the scores (B, H, T, S), or None."""
        T = x.shape[-2]
        mask = None
        if attn_mask is not None:
            heads = math.prod(x.shape[:-2]) * self.num_heads
            _check_shape("attn_mask", attn_mask, (T, T), (heads, T, T))
            mask = _additive(attn_mask, x)
            if mask.dim() == 3:
                mask = mask.view(*x.shape[:-2], self.num_heads, *mask.shape[-2:])
        if key_padding_mask is not None:
            _check_shape("key_padding_mask", key_padding_mask, tuple(x.shape[:-1]))
            padding = _additive(key_padding_mask, x).unsqueeze(-2).unsqueeze(-2)  # (B, 1, 1, S)
            mask = padding if mask is None else mask + padding
        return mask

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Attend, step by step. q (B, H, T, K), k, v (B, H, S, K) -> context (B, H, T, K)."""
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_size)  # (B, H, T, S)
        if mask is None:
            return self._average(scores, v)
        # The softmax of a query that may attend nowhere would be 0 / 0. Such a query gets zeros.
        nowhere = (mask == float("-inf")).all(dim=-1, keepdim=True)  # (..., T, 1)
        context = self._average(scores + mask.masked_fill(nowhere, 0.0), v)
        return context.masked_fill(nowhere, 0.0)

    def _average(self, scores: Tensor, v: Tensor) -> Tensor:
        """Average the values, weighted by the softmax of the scores."""
        probs = self.dropout(F.softmax(scores, dim=-1))  # (B, H, T, S)
        context: Tensor = probs @ v  # (B, H, T, K)
        return context


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """Return the mask as numbers to add to the scores. In a bool mask True becomes -inf."""
    if mask.is_floating_point():
        return mask.to(like)
    return like.new_zeros(mask.shape).masked_fill(mask, float("-inf"))


def _check_shape(name: str, mask: Tensor, *expected: tuple[int, ...]) -> None:
    if tuple(mask.shape) not in expected:
        raise ValueError(
            f"MultiheadSelfAttention: {name} has shape {tuple(mask.shape)}, expected "
            f"{' or '.join(map(str, expected))}"
        )
