"""A post-norm block whose attention has a weight for each head, and einsum in place of matmul."""

import torch
import torch.nn.functional as F
from torch import einsum, nn


class HeadwiseAttention(nn.Module):
    """Attention with weights of shape (heads, dim, dim_head)."""

    def __init__(self, dim, heads):
        super().__init__()
        dim_head = dim // heads
        self.scale = dim_head**-0.5
        self.w_q = nn.Parameter(torch.randn(heads, dim, dim_head) * dim**-0.5)
        self.w_k = nn.Parameter(torch.randn(heads, dim, dim_head) * dim**-0.5)
        self.w_v = nn.Parameter(torch.randn(heads, dim, dim_head) * dim**-0.5)
        self.b_q = nn.Parameter(torch.zeros(heads, dim_head))
        self.b_k = nn.Parameter(torch.zeros(heads, dim_head))
        self.b_v = nn.Parameter(torch.zeros(heads, dim_head))
        self.w_o = nn.Parameter(torch.randn(heads, dim_head, dim) * dim**-0.5)
        self.b_o = nn.Parameter(torch.zeros(dim))

    def forward(self, x, causal=False):
        """Attend. x (B, T, C) -> (B, T, C)."""
        q = einsum("btc,hck->bhtk", x, self.w_q) + self.b_q[:, None]
        q = q * self.scale
        k = einsum("btc,hck->bhtk", x, self.w_k) + self.b_k[:, None]
        v = einsum("btc,hck->bhtk", x, self.w_v) + self.b_v[:, None]
        sim = einsum("bhik,bhjk->bhij", q, k)
        if causal:
            i, j = sim.shape[-2:]
            hidden = torch.ones(i, j, dtype=torch.bool, device=x.device).triu(j - i + 1)
            sim = sim.masked_fill(hidden, -torch.finfo(sim.dtype).max)
        sim = sim - sim.amax(dim=-1, keepdim=True).detach()
        weights = sim.exp()
        attn = weights / weights.sum(dim=-1, keepdim=True)
        out = einsum("bhij,bhjk->bhik", attn, v)
        return einsum("bhik,hkc->bic", out, self.w_o) + self.b_o


class FeedForward(nn.Module):
    """Two matrices, stored as (in, out), with the exact GELU between them."""

    def __init__(self, dim, hidden):
        super().__init__()
        self.w_in = nn.Parameter(torch.randn(dim, hidden) * dim**-0.5)
        self.b_in = nn.Parameter(torch.zeros(hidden))
        self.w_out = nn.Parameter(torch.randn(hidden, dim) * hidden**-0.5)
        self.b_out = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        """Widen, bend, narrow. x (B, T, C) -> (B, T, C)."""
        h = einsum("btc,cf->btf", x, self.w_in) + self.b_in
        h = F.gelu(h)
        return einsum("btf,fc->btc", h, self.w_out) + self.b_out


class EinsumBlock(nn.Module):
    """A post-norm block."""

    def __init__(self, dim, heads, mlp_dim):
        super().__init__()
        self.attn = HeadwiseAttention(dim, heads)
        self.norm_attn = nn.LayerNorm(dim)
        self.ff = FeedForward(dim, mlp_dim)
        self.norm_ff = nn.LayerNorm(dim)

    def forward(self, x, causal=False):
        """Apply the block. x (B, T, C) -> (B, T, C)."""
        x = x + self.attn(x, causal=causal)
        x = self.norm_attn(x)
        x = x + self.ff(x)
        return self.norm_ff(x)
