"""Forms that an op is often confused with, and gradients that lack one term.

They are written with PyTorch, because our own rule is under suspicion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import torch
from crosscheck.distance import explains
from crosscheck.sides import Array
from torch.nn import functional as F

_attend = F.scaled_dot_product_attention

# For each op, what it may have computed instead from its tensors and constants (such as eps).
OUTPUTS: dict[str, dict[str, Callable[..., torch.Tensor]]] = {
    "gelu": {
        "the tanh form of GELU, not the exact one": lambda x: F.gelu(x, approximate="tanh"),
        "ReLU, not GELU": F.relu,
    },
    "gelu_tanh": {"the exact GELU, not the tanh form": F.gelu},
    "layer_norm": {
        "a variance with correction 1, divided by C - 1 and not by C": lambda x, w, b, eps: (
            _normalised(x, (x.var(-1, keepdim=True) + eps).sqrt(), w, b)
        ),
        "eps outside of the root": lambda x, w, b, eps: _normalised(x, _deviation(x) + eps, w, b),
        "no eps at all": lambda x, w, b, eps: _normalised(x, _deviation(x), w, b),
        "no mean subtracted": lambda x, w, b, eps: F.rms_norm(x, x.shape[-1:], w, eps) + b,
    },
    "scaled_dot_product_attention": {
        "scores without a scale": lambda q, k, v: _attend(q, k, v, scale=1.0),
        "scores without a scale, and causal": lambda q, k, v: _attend(
            q, k, v, scale=1.0, is_causal=True
        ),
        "a causal mask that is not wanted": lambda q, k, v: _attend(q, k, v, is_causal=True),
        "no causal mask": lambda q, k, v: _attend(q, k, v),
    },
}

# For each op and argument, what the gradient may have been instead, from dout and the tensors.
GRADIENTS: dict[tuple[str, str], dict[str, Callable[..., torch.Tensor]]] = {
    ("cross_entropy", "dlogits"): {
        "the prediction, from which the truth is not subtracted": lambda dout, x, targets: (
            dout / len(x) * x.softmax(-1)
        ),
    },
    ("gelu", "dx"): {
        "without the term x * pdf(x)": lambda dout, x: dout * torch.special.ndtr(x),
        "with an unscaled density in x * pdf(x)": lambda dout, x: (
            dout * (torch.special.ndtr(x) + x * torch.exp(-x * x / 2))
        ),
    },
    ("layer_norm", "dx"): {
        "as if mean and variance were constants": lambda dout, x, w, b: dout * w / _deviation(x),
        "without the weight": lambda dout, x, w, b: torch.func.vjp(
            lambda y: F.layer_norm(y, y.shape[-1:]), x
        )[1](dout)[0],
    },
    ("layer_norm", "dweight"): {
        "made with x, not with x_hat": lambda dout, x, w, b: (dout * x).flatten(0, -2).sum(0),
    },
    ("linear", "dx"): {
        "multiplied by the transposed weight": lambda dout, x, w, b: dout @ w.T,
    },
    ("softmax", "dx"): {
        "only the diagonal of the Jacobian": lambda dout, x: (
            dout * x.softmax(-1) * (1 - x.softmax(-1))
        ),
    },
}


def other_form(
    op: str, argument: str, wrong: Array | None, right: Array | None, given: Mapping[str, Any]
) -> str:
    """Say which of the forms above explains a wrong output or gradient; empty if none does.

    given has by name what the op had: its tensors in their order, then dout, then its constants.
    """
    if wrong is None or right is None or wrong.shape != right.shape:
        return ""
    forms = OUTPUTS.get(op, {}) if argument == "out" else GRADIENTS.get((op, argument), {})
    for words, form in forms.items():
        try:
            made = form(*_arguments(given, argument == "out")).numpy()
        except (TypeError, RuntimeError):
            continue  # not called in the way that this form is for, without a bias for instance
        if np.isfinite(made).all() and explains(made, wrong, right):
            return f"{argument} fits this: {words}"
    return ""


def _arguments(given: Mapping[str, Any], is_output: bool) -> list[Any]:
    tensors = [torch.tensor(a) for name, a in given.items() if name not in ("dout", "constants")]
    if is_output:
        return [*tensors, *given["constants"]]
    return [torch.tensor(given["dout"]), *tensors]


def _normalised(x: Any, deviation: Any, weight: Any, bias: Any) -> Any:
    return (x - x.mean(-1, keepdim=True)) / deviation * weight + bias


def _deviation(x: Any) -> Any:
    return x.var(-1, correction=0, keepdim=True).sqrt()
