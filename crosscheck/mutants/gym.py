"""A model for the ops that a Transformer does not use, on both sides, with the same dropout.

A wrong permute, concatenation or sign often cannot be seen in a block, which needs none of them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import tinygrad_tf
import torch
from crosscheck.draws import Stream, draws
from crosscheck.sides import NUMPY, TORCH, Array, Dialect
from tinygrad_tf.nn import functional as F
from torch.overrides import wrap_torch_function

DROPPED = 0.25
TARGETS = draws(Stream.TOKENS, 0).integers(0, 21, 15)


class SameDraws:
    """Stands in for a Generator: equal shapes get equal draws, so both sides drop the same."""

    def random(self, shape: Any) -> Array:
        """Return uniform numbers in [0, 1), which depend on the shape only."""
        return draws(Stream.DROPOUT, tuple(shape)).random(tuple(shape))


SAME_DRAWS: Any = SameDraws()


def _keep(shape: Any) -> torch.Tensor:
    return torch.tensor((SAME_DRAWS.random(shape) >= DROPPED) / (1 - DROPPED))


@wrap_torch_function(lambda x, *_: (x,))
def dropout(x: torch.Tensor) -> torch.Tensor:
    """Drop what our engine drops: PyTorch's own cannot. The tape knows this op by its name."""
    return x * _keep(x.shape).to(x)


@wrap_torch_function(lambda q, k, v: (q, k, v))
def scaled_dot_product_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return attention with the same dropout of the probabilities."""
    probs = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
    return probs * _keep(probs.shape).to(q) @ v


class _Gym:
    """The forward of both sides: x (B, T, C) -> (B, T, 3C)."""

    side: Dialect  # whose ops it uses
    dropped: Any  # x -> x after dropout
    attended: Any  # (q, k, v) -> attention with dropout of the probabilities

    def __init__(self, width: int) -> None:
        super().__init__()
        self.targets = self.side.tensor(TARGETS)
        self.scale = self.side.library.nn.Parameter(
            self.side.tensor(np.ones((1, width), np.float32))
        )

    def forward(self, x: Any) -> Any:
        """Use each op with at least one more op before it, so that its gradient matters."""
        functional = self.side.library.nn.functional
        a = x.tanh()  # the way back through it needs a itself
        share = functional.softmax(a, dim=1)  # over the tokens
        b = a * self.scale + 0.5  # stretched over the tokens
        c = (b / (a * a + 1.0) - x.mean(dim=1, keepdim=True)) ** 6
        d = x.sigmoid() + (-(functional.log_softmax(c, dim=-1).exp() * a))
        # The gradients of p and q begin as one array, to which that of p's GELU is then added.
        p, q = b * 0.5, b + 1.0
        joined = functional.gelu(p, approximate="tanh") + (p + q)
        squares = (a.transpose(1, 2) @ c) @ (share.transpose(1, 2) @ a)  # (B, C, C)
        mixed = joined + (squares @ self.scale[0])[:, None]
        e = self.side.library.cat(
            [d[:, [3, 0, 3, 1, 2]], -d, (a * mixed).masked_fill(x > 1.0, 0.5)], -1
        )
        f = e.permute(2, 0, 1).permute(1, 2, 0) * x.var(dim=-1, keepdim=True)
        g = f - x.amax(dim=1, keepdim=True).expand(-1, x.shape[1], -1).mean(dim=-1, keepdim=True)
        loss = self.side.cross_entropy(g, self.targets)
        return self.attended(self.dropped(g), f, g) + g * loss


class NumPyGym(_Gym, tinygrad_tf.nn.Module):
    """The gym on our engine."""

    side = NUMPY
    dropped = staticmethod(partial(F.dropout, p=DROPPED, generator=SAME_DRAWS))
    attended = staticmethod(
        partial(F.scaled_dot_product_attention, dropout_p=DROPPED, generator=SAME_DRAWS)
    )


class TorchGym(_Gym, torch.nn.Module):
    """The gym on PyTorch."""

    side = TORCH
    dropped = staticmethod(dropout)
    attended = staticmethod(scaled_dot_product_attention)
