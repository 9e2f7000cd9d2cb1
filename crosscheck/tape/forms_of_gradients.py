"""Gradients that are made from the wrong things, or are those of another function.

They are written with PyTorch, because our own rule is under suspicion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from crosscheck.tape.forms_of_outputs import (
    AXES,
    Forms,
    ndtr,
    normalised,
    sigmoid_gelu,
    tanh_gelu,
    unbiased,
)
from torch.nn import functional as F


def _slope(of: Callable[..., Any]) -> Callable[..., Any]:
    """Return what dx is for another function: (dout, x, *others) -> dx."""
    return lambda dout, x, *others: torch.func.vjp(lambda y: of(y, *others), x)[1](dout)[0]


def _mean_of_dout(dout: Any, x: Any, w: Any, b: Any, eps: float) -> Any:
    """dx of layer norm, but with the mean of dout where the mean of dx_hat belongs."""
    dx_hat, inv = dout * w, 1 / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()
    x_hat = (x - x.mean(-1, keepdim=True)) * inv
    along = (dx_hat * x_hat).mean(-1, keepdim=True)
    return inv * (dx_hat - dout.mean(-1, keepdim=True) - x_hat * along)


# For each op and argument, what the gradient may have been instead, from dout, the tensors and the
# constants.
GRADIENTS: dict[tuple[str, str], Forms] = {
    ("cross_entropy", "dlogits"): {
        "with the log-probabilities where the probabilities belong": lambda dout, x, targets, *_: (
            dout / len(x) * (x.log_softmax(-1) - F.one_hot(targets, x.shape[-1]))
        ),
    },
    ("gelu", "dx"): {
        "the slope of the tanh form, where the output is that of the exact one": _slope(tanh_gelu),
        "the slope of the sigmoid form, x * sigmoid(1.702 x)": _slope(sigmoid_gelu),
        "the slope of ReLU": _slope(F.relu),
        "a density with exp(-x^2) in the place of exp(-x^2 / 2)": lambda dout, x: (
            dout * (ndtr(x) + x * torch.exp(-x * x) / (2 * torch.pi) ** 0.5)
        ),
        "with pdf(x) in the place of x * pdf(x)": lambda dout, x: (
            dout * (ndtr(x) + torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5)
        ),
    },
    ("gelu_tanh", "dx"): {
        "the slope of the exact form, where the output is that of the tanh form": _slope(F.gelu),
    },
    ("layer_norm", "dx"): {
        "as if mean and variance were constants": lambda dout, x, w, b, eps: (
            dout * w / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()
        ),
        "without the weight": lambda dout, x, w, b, eps: _slope(
            lambda y: F.layer_norm(y, y.shape[-1:], eps=eps)
        )(dout, x),
        "with mean(dout) where mean(dx_hat) belongs": _mean_of_dout,
        "that of a variance with correction 1, divided by C - 1 and not by C": _slope(unbiased),
        **{
            f"mean and variance over axis {a}": lambda dout, x, w, b, eps, a=a: _slope(
                lambda y: normalised(y, w, b, eps, a, a)
            )(dout, x)
            for a in AXES
        },
    },
    ("layer_norm", "dbias"): {
        "made as dweight is, with x_hat": lambda dout, x, *_: (
            (dout * F.layer_norm(x, x.shape[-1:])).flatten(0, -2).sum(0)
        ),
        "made with dx_hat, not with dout": lambda dout, x, w, *_: (dout * w).flatten(0, -2).sum(0),
    },
    ("layer_norm", "dweight"): {
        "made with x, not with x_hat": lambda dout, x, *_: (dout * x).flatten(0, -2).sum(0),
        "made with x - mean, not divided by the deviation": lambda dout, x, *_: (
            (dout * (x - x.mean(-1, keepdim=True))).flatten(0, -2).sum(0)
        ),
    },
    ("linear", "dx"): {
        "multiplied by the transposed weight": lambda dout, x, w, *_: dout @ w.T,
    },
    ("linear", "dweight"): {
        f"summed over the {which} entry of axis {axis} only": lambda dout, x, *_, axis=axis, i=i: (
            dout.select(axis, i).flatten(0, -2).T @ x.select(axis, i).flatten(0, -2)
        )
        for axis in (0, 1)
        for i, which in ((0, "first"), (-1, "last"))
    },
    ("matmul", "dx"): {
        "made with y where its transpose belongs": lambda dout, x, y: dout @ y,
        "made with the transpose of dout": lambda dout, x, y: dout.mT @ y.mT,
    },
    ("matmul", "dy"): {
        "made with x where its transpose belongs": lambda dout, x, y: x @ dout,
        "made with the transpose of dout": lambda dout, x, y: x.mT @ dout.mT,
    },
    ("mul", "dx"): {"dout * x, not dout * y": lambda dout, x, y: dout * x},
    ("mul", "dy"): {"dout * y, not dout * x": lambda dout, x, y: dout * y},
    ("softmax", "dx"): {
        "only the diagonal of the Jacobian": lambda dout, x, *_: (
            dout * x.softmax(-1) * (1 - x.softmax(-1))
        ),
        "with an average that is not weighted by out": lambda dout, x, *_: (
            x.softmax(-1) * (dout - dout.mean(-1, keepdim=True))
        ),
        "with a sum that is not weighted by out": lambda dout, x, *_: (
            x.softmax(-1) * (dout - dout.sum(-1, keepdim=True))
        ),
        "out * dout - average, where the bracket of out * (dout - average) is missing": (
            lambda dout, x, *_: dout * x.softmax(-1) - (dout * x.softmax(-1)).sum(-1, keepdim=True)
        ),
        **{
            f"with an average along axis {a}": lambda dout, x, *_, a=a: (
                x.softmax(-1) * (dout - (dout * x.softmax(-1)).sum(a, keepdim=True))
            )
            for a in AXES
        },
    },
    ("log_softmax", "dx"): {
        "with the log-probabilities where the probabilities belong": lambda dout, x, *_: (
            dout - x.log_softmax(-1) * dout.sum(-1, keepdim=True)
        ),
    },
    ("tanh", "dx"): {
        "the slope 1 - out, not 1 - out^2": lambda dout, x: dout * (1 - x.tanh()),
        "the slope 1 - x^2, not 1 - out^2": lambda dout, x: dout * (1 - x * x),
    },
    ("sigmoid", "dx"): {
        "the slope x * (1 - x), not out * (1 - out)": lambda dout, x: dout * x * (1 - x),
    },
    ("embedding", "dweight"): {
        "averaged over the places of a token, not summed": lambda dout, ids, w, *_: (
            torch.zeros_like(w).index_add(0, ids.flatten(), dout.flatten(0, -2))
            / ids.flatten().bincount(minlength=len(w)).clamp(min=1)[:, None]
        ),
        **{
            f"summed over the {which} entry of axis {axis} only": (
                lambda dout, ids, w, *_, a=axis, i=i: torch.zeros_like(w).index_add(
                    0, ids.select(a, i).flatten(), dout.select(a, i).flatten(0, -2)
                )
            )
            for axis in (0, 1)
            for i, which in ((0, "first"), (-1, "last"))
        },
    },
}
