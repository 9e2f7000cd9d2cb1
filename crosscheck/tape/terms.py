"""Gradients that are sums: which term is missing, has the wrong sign, or has another factor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from crosscheck.distance import EXPLAINED, explains
from crosscheck.sides import Array
from crosscheck.tape.factors import NEARLY_ONE, Sizes, called

Terms = dict[str, Any]


def _gelu(dout: Any, x: Any) -> Terms:
    pdf = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return {"cdf(x)": dout * torch.special.ndtr(x), "x * pdf(x)": dout * x * pdf}


def _gelu_tanh(dout: Any, x: Any) -> Terms:
    root = math.sqrt(2 / math.pi)
    t = torch.tanh(root * (x + 0.044715 * x**3))
    inner = dout * x / 2 * (1 - t * t) * root
    return {
        "(1 + t) / 2": dout * (1 + t) / 2,
        "x / 2 * (1 - t^2) * sqrt(2 / pi) * (1 + 3 * 0.044715 x^2)": inner
        * (1 + 3 * 0.044715 * x * x),
        "x / 2 * (1 - t^2) * sqrt(2 / pi) * 3 * 0.044715 x^2": inner * 3 * 0.044715 * x * x,
    }


def _layer_norm(dout: Any, x: Any, weight: Any, bias: Any, eps: float) -> Terms:
    centred = x - x.mean(-1, keepdim=True)
    inv_std = 1 / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    x_hat, dx_hat = centred * inv_std, dout * weight
    return {
        "dx_hat": inv_std * dx_hat,
        "mean(dx_hat)": -inv_std * dx_hat.mean(-1, keepdim=True).expand_as(x),
        "x_hat * mean(dx_hat * x_hat)": -inv_std * x_hat * (dx_hat * x_hat).mean(-1, keepdim=True),
    }


def _softmax(dout: Any, x: Any, *_: Any) -> Terms:
    out = x.softmax(-1)
    return {"out * dout": out * dout, "out * sum(dout * out)": -out * (dout * out).sum(-1, True)}


def _log_softmax(dout: Any, x: Any, *_: Any) -> Terms:
    return {"dout": dout, "probs * sum(dout)": -x.softmax(-1) * dout.sum(-1, keepdim=True)}


def _cross_entropy(dout: Any, x: Any, targets: Any, *_: Any) -> Terms:
    share = dout / len(x)
    truth = torch.nn.functional.one_hot(targets, x.shape[-1])
    return {"the prediction": share * x.softmax(-1), "the truth": -share * truth}


def _tanh(dout: Any, x: Any) -> Terms:
    return {"dout": dout, "dout * out^2": -dout * x.tanh() ** 2}


def _sigmoid(dout: Any, x: Any) -> Terms:
    out = x.sigmoid()
    return {"dout * out": dout * out, "dout * out^2": -dout * out * out}


# For an op and an argument: (dout, its tensors, its constants) -> the terms that add up to the
# right gradient, or parts of one, by what they are called. They are for the last axis.
TERMS: dict[tuple[str, str], Callable[..., Terms]] = {
    ("cross_entropy", "dlogits"): _cross_entropy,
    ("gelu", "dx"): _gelu,
    ("gelu_tanh", "dx"): _gelu_tanh,
    ("layer_norm", "dx"): _layer_norm,
    ("log_softmax", "dx"): _log_softmax,
    ("sigmoid", "dx"): _sigmoid,
    ("softmax", "dx"): _softmax,
    ("tanh", "dx"): _tanh,
}


def wrong_term(op: str, argument: str, wrong: Array, right: Array, given: list[Any]) -> str:
    """Say which term of the gradient explains why it is wrong; empty if no single one does."""
    made = TERMS.get((op, argument))
    for name, tensor in (made(*given) if made else {}).items():
        term = tensor.numpy()
        if term.shape != wrong.shape or not (length := float((term * term).sum())):
            continue
        more = float(((wrong - right) * term).sum()) / length
        if explains(right + more * term, wrong, right):
            return f"in {argument} the term {name} {_taken(1 + more, wrong)}"
    return ""


def _taken(times: float, wrong: Array) -> str:
    """How often a term has been taken, in words."""
    if abs(times) < EXPLAINED:
        return "is missing"
    if math.isclose(times, -1, rel_tol=EXPLAINED):
        return "has the wrong sign"
    if abs(times - 1) < NEARLY_ONE:
        return f"is off by the factor 1 {times - 1:+.1e}: has a constant too few digits?"
    last = {"x": wrong[..., :1, :].ravel()[: wrong.shape[-1]]} if wrong.ndim else {}
    for factor, small in ((times, False), (1 / times, True)):
        if names := called(factor, Sizes(), last):
            way = "too small" if small else "too large"
            return f"is {factor:.6g}x {way}, and that is {' or '.join(names)}"
    return f"is {times:.6g} times what it should be"
