"""A post-norm block whose gradients are written by hand, as functions of torch.autograd."""

import math

import torch
from torch import nn


class LinearFunction(torch.autograd.Function):
    """y = x W^T + b."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        """Compute y. x (..., in), weight (out, in), bias (out) -> (..., out)."""
        ctx.save_for_backward(x, weight)
        return x @ weight.t() + bias

    @staticmethod
    def backward(ctx, dy):
        """Return the gradients of x, weight and bias."""
        x, weight = ctx.saved_tensors
        dx = dy @ weight
        rows = dy.reshape(-1, dy.shape[-1])
        dweight = rows.t() @ x.reshape(-1, x.shape[-1])
        dbias = rows.sum(0)
        return dx, dweight, dbias


class SoftmaxFunction(torch.autograd.Function):
    """p = exp(s) / sum of exp(s), over the last axis."""

    @staticmethod
    def forward(ctx, scores):
        """Compute p. (..., S) -> (..., S)."""
        e = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
        p = e / e.sum(dim=-1, keepdim=True)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, dp):
        """Return the gradient of the scores."""
        (p,) = ctx.saved_tensors
        inner = (dp * p).sum(dim=-1, keepdim=True)
        return p * (dp - inner)


class GELUFunction(torch.autograd.Function):
    """y = x cdf(x), with the cdf of the normal distribution."""

    @staticmethod
    def forward(ctx, x):
        """Compute y, entry by entry."""
        ctx.save_for_backward(x)
        cdf = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        return x * cdf

    @staticmethod
    def backward(ctx, dy):
        """Return the gradient of x."""
        (x,) = ctx.saved_tensors
        cdf = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        pdf = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return dy * (cdf + x * pdf)


class LayerNormFunction(torch.autograd.Function):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, over the last axis."""

    @staticmethod
    def forward(ctx, x, gamma, beta, eps):
        """Compute y. x (..., C), gamma (C), beta (C) -> (..., C)."""
        mu = x.mean(dim=-1, keepdim=True)
        centered = x - mu
        var = (centered**2).mean(dim=-1, keepdim=True)
        rstd = 1 / torch.sqrt(var + eps)
        xhat = centered * rstd
        ctx.save_for_backward(xhat, rstd, gamma)
        return gamma * xhat + beta

    @staticmethod
    def backward(ctx, dy):
        """Return the gradients of x, gamma and beta, and none for eps."""
        xhat, rstd, gamma = ctx.saved_tensors
        leading = tuple(range(dy.dim() - 1))
        dgamma = (dy * xhat).sum(dim=leading)
        dbeta = dy.sum(dim=leading)
        dxhat = dy * gamma
        m1 = dxhat.mean(dim=-1, keepdim=True)
        m2 = (dxhat * xhat).mean(dim=-1, keepdim=True)
        dx = (dxhat - m1 - xhat * m2) * rstd
        return dx, dgamma, dbeta, None


class FunctionBlock(nn.Module):
    """A post-norm block on these functions."""

    def __init__(self, d_model, n_heads, d_ff, eps=1e-5):
        super().__init__()
        self.n_heads = n_heads
        self.eps = eps
        for name, rows, columns in (
            ("q", d_model, d_model),
            ("k", d_model, d_model),
            ("v", d_model, d_model),
            ("o", d_model, d_model),
            ("up", d_ff, d_model),
            ("down", d_model, d_ff),
        ):
            setattr(self, f"w_{name}", nn.Parameter(torch.randn(rows, columns) / columns**0.5))
            setattr(self, f"b_{name}", nn.Parameter(torch.zeros(rows)))
        self.gamma1, self.beta1 = (
            nn.Parameter(torch.ones(d_model)),
            nn.Parameter(torch.zeros(d_model)),
        )
        self.gamma2, self.beta2 = (
            nn.Parameter(torch.ones(d_model)),
            nn.Parameter(torch.zeros(d_model)),
        )

    def heads(self, x):
        """Split into heads. (B, T, C) -> (B, H, T, K)."""
        B, T, C = x.shape
        return x.reshape(B, T, self.n_heads, C // self.n_heads).transpose(1, 2)

    def forward(self, x):
        """Apply the block. x (B, T, C) -> (B, T, C)."""
        linear, softmax = LinearFunction.apply, SoftmaxFunction.apply
        gelu, layer_norm = GELUFunction.apply, LayerNormFunction.apply
        q = self.heads(linear(x, self.w_q, self.b_q))
        k = self.heads(linear(x, self.w_k, self.b_k))
        v = self.heads(linear(x, self.w_v, self.b_v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        context = softmax(scores) @ v
        merged = context.transpose(1, 2).reshape(x.shape)
        x1 = layer_norm(x + linear(merged, self.w_o, self.b_o), self.gamma1, self.beta1, self.eps)
        hidden = gelu(linear(x1, self.w_up, self.b_up))
        out = linear(hidden, self.w_down, self.b_down)
        return layer_norm(x1 + out, self.gamma2, self.beta2, self.eps)
