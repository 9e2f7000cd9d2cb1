"""A model for the ops that a Transformer does not use, in both engines, and dropout in step.

Most wrong permutes, concatenations and signs cannot be seen in a block, which needs none of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_tf
import torch
from crosscheck.engines import Array
from tinygrad_tf.nn import functional as numpy_functional
from torch.nn import functional as torch_functional
from torch.overrides import wrap_torch_function

DROPPED = 0.25
TARGETS = np.random.default_rng(0).integers(0, 21, 15)


class SameDraws:
    """Stands in for a Generator: every call draws the same, so that both engines drop the same."""

    def random(self, shape: Any) -> Array:
        """Uniform numbers in [0, 1), which depend on the shape only."""
        drawn: Array = np.random.default_rng(len(shape)).random(tuple(shape))
        return drawn


def _keep(shape: Any) -> torch.Tensor:
    return torch.tensor((SameDraws().random(shape) >= DROPPED) / (1 - DROPPED))


@wrap_torch_function(lambda x, *_: (x,))
def dropout(x: torch.Tensor) -> torch.Tensor:
    """PyTorch's own could not draw what ours draws; the tape knows it by this name."""
    return x * _keep(x.shape).to(x)


@wrap_torch_function(lambda q, k, v: (q, k, v))
def scaled_dot_product_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention with the same dropout of the probabilities."""
    probs = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
    return probs * _keep(probs.shape).to(q) @ v


class _Gym:
    """The forward that both engines run: x (B, T, C) -> (B, T, 3C)."""

    F: Any
    cat: Any

    def forward(self, x: Any) -> Any:
        """Use every op twice removed from the input, so that its gradient matters."""
        a = x.tanh()
        b = a * self.scale + 0.5  # stretched over the tokens
        c = (b / (a * a + 1.0) - x.mean(dim=1, keepdim=True)) ** 6
        d = x.sigmoid() + (-(self.F.log_softmax(c, dim=-1).exp() * a))
        e = self.cat([d[:, [3, 0, 3, 1, 2]], -d, a], -1)
        f = e.permute(2, 0, 1).permute(1, 2, 0) * x.var(dim=-1, keepdim=True)
        g = f - x.amax(dim=1, keepdim=True).expand(-1, x.shape[1], -1).mean(dim=-1, keepdim=True)
        loss = self.F.cross_entropy(g.flatten(0, -2), self.targets)
        return self.attended(self.dropped(g), f, g) + g * loss

    scale: Any
    targets: Any
    attended: Any
    dropped: Any


class NumPyGym(_Gym, tinygrad_tf.nn.Module):
    """The gym on our engine."""

    F = numpy_functional
    cat = staticmethod(tinygrad_tf.cat)

    def __init__(self, width: int) -> None:
        tinygrad_tf.nn.Module.__init__(self)
        self.targets = tinygrad_tf.Tensor(TARGETS)
        self.scale = tinygrad_tf.nn.Parameter(np.ones((1, width), np.float32))

    def dropped(self, x: Any) -> Any:
        """Dropout of the gym's draws."""
        return numpy_functional.dropout(x, DROPPED, generator=SameDraws())  # type: ignore[arg-type]

    def attended(self, q: Any, k: Any, v: Any) -> Any:
        """Attention with dropout of the gym's draws."""
        return numpy_functional.scaled_dot_product_attention(
            q,
            k,
            v,
            dropout_p=DROPPED,
            generator=SameDraws(),  # type: ignore[arg-type]
        )


class TorchGym(_Gym, torch.nn.Module):
    """The gym on PyTorch."""

    F = torch_functional
    cat = staticmethod(torch.cat)

    def __init__(self, width: int) -> None:
        torch.nn.Module.__init__(self)
        self.targets = torch.tensor(TARGETS)
        self.scale = torch.nn.Parameter(torch.ones(1, width))

    def dropped(self, x: Any) -> Any:
        """Dropout of the gym's draws."""
        return dropout(x)

    def attended(self, q: Any, k: Any, v: Any) -> Any:
        """Attention with dropout of the gym's draws."""
        return scaled_dot_product_attention(q, k, v)
