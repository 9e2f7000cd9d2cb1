"""Outputs that an op is often confused with.

They are written with PyTorch, because our own rule is under suspicion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

Forms = dict[str, Callable[..., torch.Tensor]]

AXES = (-4, -3, -2)  # where a sum over the last axis may have been taken instead

ndtr = torch.special.ndtr  # the normal cdf


def sigmoid_gelu(x: Any) -> Any:
    """GELU's sigmoid form. x (...) -> (...)."""
    return x * torch.sigmoid(1.702 * x)


def _silu(x: Any) -> Any:
    return x * torch.sigmoid(x)


def tanh_gelu(x: Any) -> Any:
    """GELU's tanh form. x (...) -> (...)."""
    return F.gelu(x, approximate="tanh")


def normalised(x: Any, w: Any, b: Any, eps: float, mean: Any = -1, var: Any = -1) -> Any:
    """Layer norm with its mean and its variance over any axes."""
    centred = x - x.mean(mean, keepdim=True)
    scale = centred.square().mean(var, keepdim=True)
    return centred / (scale + eps).sqrt() * w + b


def _by_deviation(x: Any, deviation: Any, weight: Any, bias: Any) -> Any:
    return (x - x.mean(-1, keepdim=True)) / deviation * weight + bias


def _deviation(x: Any, correction: int = 0) -> Any:
    return x.var(-1, correction=correction, keepdim=True).sqrt()


def unbiased(x: Any, w: Any, b: Any, eps: float) -> Any:
    """Layer norm with a variance divided by C - 1. x (..., C) -> (..., C)."""
    return _by_deviation(x, (x.var(-1, keepdim=True) + eps).sqrt(), w, b)


# For each op, what it may have computed instead from its tensors and constants (such as eps).
OUTPUTS: dict[str, Forms] = {
    "gelu": {
        "the tanh form of GELU, not the exact one": tanh_gelu,
        "the sigmoid form of GELU, x * sigmoid(1.702 x), not the exact one": sigmoid_gelu,
        "SiLU, x * sigmoid(x), not GELU": _silu,
        "ReLU, not GELU": F.relu,
        "cdf(-x) in the place of cdf(x)": lambda x: x * ndtr(-x),
        "erf(x), not erf(x / sqrt(2))": lambda x: x * (1 + torch.erf(x)) / 2,
    },
    "gelu_tanh": {
        "the exact GELU, not the tanh form": F.gelu,
        "the sigmoid form of GELU, x * sigmoid(1.702 x), not the tanh form": sigmoid_gelu,
    },
    "relu": {"GELU, not ReLU": F.gelu, "the absolute value, not ReLU": torch.abs},
    "softmax": {f"softmax along axis {a}": lambda x, *_, a=a: x.softmax(a) for a in AXES},
    "log_softmax": {
        f"log-softmax along axis {a}": lambda x, *_, a=a: x.log_softmax(a) for a in AXES
    },
    "layer_norm": {
        "a variance with correction 1, divided by C - 1 and not by C": unbiased,
        "eps outside of the root": lambda x, w, b, eps: _by_deviation(x, _deviation(x) + eps, w, b),
        "no eps at all": lambda x, w, b, eps: _by_deviation(x, _deviation(x), w, b),
        "no mean subtracted": lambda x, w, b, eps: F.rms_norm(x, x.shape[-1:], w, eps) + b,
        "no weight": lambda x, w, b, eps: normalised(x, 1.0, b, eps),
        "1 + weight in the place of the weight": lambda x, w, b, eps: normalised(x, 1 + w, b, eps),
        "the mean of |x - mean| in the place of the deviation": lambda x, w, b, eps: _by_deviation(
            x, ((x - x.mean(-1, keepdim=True)).abs().mean(-1, keepdim=True) + eps).sqrt(), w, b
        ),
        "the variance in the place of its root": lambda x, w, b, eps: _by_deviation(
            x, x.var(-1, correction=0, keepdim=True) + eps, w, b
        ),
        **{
            f"mean and variance over axis {a}": lambda x, w, b, eps, a=a: normalised(
                x, w, b, eps, a, a
            )
            for a in (*AXES, (-2, -1), (-3, -2))
        },
        **{
            f"the variance over axis {a}": lambda x, w, b, eps, a=a: normalised(x, w, b, eps, -1, a)
            for a in (*AXES, (-2, -1))
        },
        **{
            f"the mean over axis {a}": lambda x, w, b, eps, a=a: normalised(x, w, b, eps, a, -1)
            for a in (*AXES, (-2, -1))
        },
    },
    "linear": {
        "multiplied by the weight as it is, not by its transpose": lambda x, w, b=0.0: x @ w + b,
    },
    "cross_entropy": {
        "a label smoothing of 0.1": lambda x, targets, *_: F.cross_entropy(
            x, targets, label_smoothing=0.1
        ),
        "the class before the target": lambda x, targets, *_: F.cross_entropy(
            x, (targets - 1) % x.shape[-1]
        ),
        "the class after the target": lambda x, targets, *_: F.cross_entropy(
            x, (targets + 1) % x.shape[-1]
        ),
    },
    "embedding": {
        "the row before the right one": lambda ids, w, *_: w[(ids - 1) % len(w)],
        "the row after the right one": lambda ids, w, *_: w[(ids + 1) % len(w)],
    },
}
