"""Modules as people write them, each with something that a trace could miss or disturb."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import torch
import torch.nn.functional as F
from torch import Tensor, nn

C = 6


class Norm(torch.autograd.Function):
    """Layer norm over the last axis, with a backward by hand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        rstd = torch.rsqrt((centred**2).mean(-1, keepdim=True) + 1e-5)
        normed = centred * rstd
        ctx.save_for_backward(normed, rstd, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, *douts: Tensor) -> Any:
        (dout,) = douts
        normed, rstd, weight = ctx.saved_tensors
        dweight = (dout * normed).sum((0, 1))
        dnormed = dout * weight
        inner = (dnormed * normed).mean(-1, keepdim=True)
        dx = rstd * (dnormed - dnormed.mean(-1, keepdim=True) - normed * inner)
        return dx, dweight


class InNumpy(torch.autograd.Function):
    """tanh, and its slope, by NumPy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.out = np.tanh(x.detach().numpy())
        return torch.from_numpy(ctx.out.copy())

    @staticmethod
    def backward(ctx: Any, *douts: Tensor) -> Tensor:
        slope = 1 - ctx.out * ctx.out
        dx = douts[0].numpy() * slope
        return torch.from_numpy(dx)


class TwoOutputs(torch.autograd.Function):
    """Half and double of x, in the newer style."""

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return x / 2, x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.count = len(output)

    @staticmethod
    def backward(ctx: Any, *douts: Tensor) -> Tensor:
        half, double = douts
        return half / ctx.count + double * 2


class Strange(nn.Module):
    """x (B, T, C) through two layers; a subclass does something between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(C, C)
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, C))
        self.last = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Any:
        h = self.first(x)
        h = self.between(h)
        return self.last(h) * self.gain

    def between(self, h: Tensor) -> Tensor:
        return h


class OwnFunctions(Strange):
    def between(self, h: Tensor) -> Tensor:
        normed = Norm.apply(h, self.gain)
        bent = InNumpy.apply(normed)
        half, double = TwoOutputs.apply(bent)
        return half * double + h


class InPlace(Strange):
    def between(self, h: Tensor) -> Tensor:
        h = h * 1.5
        h[:, 0] *= 2
        view = h.view(-1, C)
        view.add_(0.25)
        out = torch.empty_like(h)
        for i in range(h.shape[1]):
            out[:, i] = torch.tanh(h[:, i])
        out.data[0] += 1.0
        return out


class Cut(Strange):
    def between(self, h: Tensor) -> Tensor:
        with torch.no_grad():
            scale = h.std().item()
        kept = h.clone().detach()
        return h / scale + kept * h.data


class Hooked(Strange):
    def between(self, h: Tensor) -> Tensor:
        out = torch.sin(h)
        h.register_hook(lambda g: g * 3)
        out.register_hook(double_in_place)
        out.register_hook(lambda g: g + h.detach())
        self.gain.register_hook(lambda g: -g)
        self.first.weight.register_post_accumulate_grad_hook(halve)
        return out * h


def double_in_place(gradient: Tensor) -> None:
    gradient.mul_(2)


def halve(parameter: Tensor) -> None:
    assert parameter.grad is not None
    parameter.grad.div_(2)


class ModuleHooks(Strange):
    def __init__(self) -> None:
        super().__init__()
        self.register_full_backward_hook(lambda m, dx, dout: (dx[0] * 2,))
        self.last.register_full_backward_hook(lambda m, dx, dout: (dx[0] * 5,))
        self.last.register_forward_hook(lambda m, given, out: out + 1)

    def between(self, h: Tensor) -> Tensor:
        assert h.grad_fn is not None
        h.grad_fn.register_hook(lambda dx, dout: (dx[0] * 3, *dx[1:]))
        return F.gelu(h)


class Composite(Strange):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(C, 2, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(C, 3, 7, batch_first=True)

    def between(self, h: Tensor) -> Tensor:
        h = h + self.attention(h, h, h, need_weights=False)[0]
        q = h.unflatten(-1, (2, 3)).transpose(1, 2)
        h = h + F.scaled_dot_product_attention(q, q, q).transpose(1, 2).flatten(2)
        scores = torch.einsum("btc,bsc->bts", h, h) / math.sqrt(C)
        mask = torch.ones_like(scores).tril() == 0
        scores = scores.masked_fill(mask, float("-inf"))
        return self.layer(scores.softmax(-1) @ h)


class Vectorised(Strange):
    def between(self, h: Tensor) -> Tensor:
        return torch.func.vmap(lambda row: row.cumsum(0) * self.gain)(h)


class Language(nn.Module):
    """tokens (B, T) to logits (B, T, V), with the loss beside them; the table is tied."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, C)
        self.register_buffer("position", torch.linspace(-1, 1, 8)[:, None])
        self.head = nn.Linear(C, 9, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        x = self.table(tokens) + self.position[: tokens.shape[1]]  # type: ignore[index]
        logits = self.head(torch.relu(x))
        return logits, F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


BLOCKS = (
    Strange, OwnFunctions, InPlace, Cut, Hooked, ModuleHooks, Composite, Vectorised,
    Language,
)  # fmt: skip
