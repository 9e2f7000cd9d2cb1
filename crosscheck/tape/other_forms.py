"""Forms that an op is often confused with, and gradients that are made from the wrong things.

They are written with PyTorch, because our own rule is under suspicion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import torch
from crosscheck.distance import RELATIVE, explains
from crosscheck.sides import Array
from crosscheck.tape import attention_forms
from crosscheck.tape.terms import wrong_term
from torch.nn import functional as F

Forms = dict[str, Callable[..., torch.Tensor]]

AXES = (-4, -3, -2)  # where a sum over the last axis may have been taken instead

_ndtr = torch.special.ndtr


def _sigmoid_gelu(x: Any) -> Any:
    return x * torch.sigmoid(1.702 * x)


def _silu(x: Any) -> Any:
    return x * torch.sigmoid(x)


def _tanh_gelu(x: Any) -> Any:
    return F.gelu(x, approximate="tanh")


def _normalised(x: Any, w: Any, b: Any, eps: float, mean: Any = -1, var: Any = -1) -> Any:
    """Layer norm with its mean and its variance over any axes."""
    centred = x - x.mean(mean, keepdim=True)
    scale = centred.square().mean(var, keepdim=True)
    return centred / (scale + eps).sqrt() * w + b


def _by_deviation(x: Any, deviation: Any, weight: Any, bias: Any) -> Any:
    return (x - x.mean(-1, keepdim=True)) / deviation * weight + bias


def _deviation(x: Any, correction: int = 0) -> Any:
    return x.var(-1, correction=correction, keepdim=True).sqrt()


def _unbiased(x: Any, w: Any, b: Any, eps: float) -> Any:
    return _by_deviation(x, (x.var(-1, keepdim=True) + eps).sqrt(), w, b)


def _slope(of: Callable[..., Any]) -> Callable[..., Any]:
    """Return what dx is for another function: (dout, x, *others) -> dx."""
    return lambda dout, x, *others: torch.func.vjp(lambda y: of(y, *others), x)[1](dout)[0]


def _mean_of_dout(dout: Any, x: Any, w: Any, b: Any, eps: float) -> Any:
    """dx of layer norm, but with the mean of dout where the mean of dx_hat belongs."""
    dx_hat, inv = dout * w, 1 / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()
    x_hat = (x - x.mean(-1, keepdim=True)) * inv
    along = (dx_hat * x_hat).mean(-1, keepdim=True)
    return inv * (dx_hat - dout.mean(-1, keepdim=True) - x_hat * along)


# For each op, what it may have computed instead from its tensors and constants (such as eps).
OUTPUTS: dict[str, Forms] = {
    "gelu": {
        "the tanh form of GELU, not the exact one": _tanh_gelu,
        "the sigmoid form of GELU, x * sigmoid(1.702 x), not the exact one": _sigmoid_gelu,
        "SiLU, x * sigmoid(x), not GELU": _silu,
        "ReLU, not GELU": F.relu,
        "cdf(-x) in the place of cdf(x)": lambda x: x * _ndtr(-x),
        "erf(x), not erf(x / sqrt(2))": lambda x: x * (1 + torch.erf(x)) / 2,
    },
    "gelu_tanh": {
        "the exact GELU, not the tanh form": F.gelu,
        "the sigmoid form of GELU, x * sigmoid(1.702 x), not the tanh form": _sigmoid_gelu,
    },
    "relu": {"GELU, not ReLU": F.gelu, "the absolute value, not ReLU": torch.abs},
    "softmax": {f"softmax along axis {a}": lambda x, *_, a=a: x.softmax(a) for a in AXES},
    "log_softmax": {
        f"log-softmax along axis {a}": lambda x, *_, a=a: x.log_softmax(a) for a in AXES
    },
    "layer_norm": {
        "a variance with correction 1, divided by C - 1 and not by C": _unbiased,
        "eps outside of the root": lambda x, w, b, eps: _by_deviation(x, _deviation(x) + eps, w, b),
        "no eps at all": lambda x, w, b, eps: _by_deviation(x, _deviation(x), w, b),
        "no mean subtracted": lambda x, w, b, eps: F.rms_norm(x, x.shape[-1:], w, eps) + b,
        "no weight": lambda x, w, b, eps: _normalised(x, 1.0, b, eps),
        "1 + weight in the place of the weight": lambda x, w, b, eps: _normalised(x, 1 + w, b, eps),
        "the mean of |x - mean| in the place of the deviation": lambda x, w, b, eps: _by_deviation(
            x, ((x - x.mean(-1, keepdim=True)).abs().mean(-1, keepdim=True) + eps).sqrt(), w, b
        ),
        "the variance in the place of its root": lambda x, w, b, eps: _by_deviation(
            x, x.var(-1, correction=0, keepdim=True) + eps, w, b
        ),
        **{
            f"mean and variance over axis {a}": lambda x, w, b, eps, a=a: _normalised(
                x, w, b, eps, a, a
            )
            for a in (*AXES, (-2, -1), (-3, -2))
        },
        **{
            f"the variance over axis {a}": lambda x, w, b, eps, a=a: _normalised(
                x, w, b, eps, -1, a
            )
            for a in (*AXES, (-2, -1))
        },
        **{
            f"the mean over axis {a}": lambda x, w, b, eps, a=a: _normalised(x, w, b, eps, a, -1)
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

# For each op and argument, what the gradient may have been instead, from dout, the tensors and the
# constants.
GRADIENTS: dict[tuple[str, str], Forms] = {
    ("cross_entropy", "dlogits"): {
        "with the log-probabilities where the probabilities belong": lambda dout, x, targets, *_: (
            dout / len(x) * (x.log_softmax(-1) - F.one_hot(targets, x.shape[-1]))
        ),
    },
    ("gelu", "dx"): {
        "the slope of the tanh form, where the output is that of the exact one": _slope(_tanh_gelu),
        "the slope of the sigmoid form, x * sigmoid(1.702 x)": _slope(_sigmoid_gelu),
        "the slope of ReLU": _slope(F.relu),
        "a density with exp(-x^2) in the place of exp(-x^2 / 2)": lambda dout, x: (
            dout * (_ndtr(x) + x * torch.exp(-x * x) / (2 * torch.pi) ** 0.5)
        ),
        "with pdf(x) in the place of x * pdf(x)": lambda dout, x: (
            dout * (_ndtr(x) + torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5)
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
        "that of a variance with correction 1, divided by C - 1 and not by C": _slope(_unbiased),
        **{
            f"mean and variance over axis {a}": lambda dout, x, w, b, eps, a=a: _slope(
                lambda y: _normalised(y, w, b, eps, a, a)
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
            f"summed over the {which} entry of axis {axis} only": lambda dout, ids, w, *_, a=axis, i=i: (
                torch.zeros_like(w).index_add(
                    0, ids.select(a, i).flatten(), dout.select(a, i).flatten(0, -2)
                )
            )
            for axis in (0, 1)
            for i, which in ((0, "first"), (-1, "last"))
        },
    },
}


def other_form(
    op: str, argument: str, wrong: Array | None, right: Array | None, given: Mapping[str, Any]
) -> str:
    """Say which of the forms above explains a wrong output or gradient; empty if none does.

    given has by name what the op had: its tensors in their order, then dout, its constants and its
    options.
    """
    if wrong is None or right is None or wrong.shape != right.shape or not right.any():
        return ""
    for words, made in _made(op, argument, given):
        if made.shape == wrong.shape and np.isfinite(made).all() and explains(made, wrong, right):
            return f"{argument} fits this: {words}"
    if argument == "out":
        return _probabilities(op, wrong, right)
    try:
        return wrong_term(op, argument, wrong, right, _arguments(given, is_output=False))
    except (TypeError, RuntimeError):
        return ""  # not called in the way that these terms are for


def _made(op: str, argument: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """What each form makes of the op's arguments, with its words."""
    if op == attention_forms.OP:
        yield from attention_forms.made(argument, given)
        return
    is_output = argument == "out"
    for words, form in (
        OUTPUTS.get(op, {}) if is_output else GRADIENTS.get((op, argument), {})
    ).items():
        try:
            yield words, form(*_arguments(given, is_output)).numpy()
        except (TypeError, RuntimeError, IndexError):
            continue  # not called in the way that this form is for, without a bias for instance


def _arguments(given: Mapping[str, Any], is_output: bool) -> list[Any]:
    tensors = [torch.tensor(a) for a in attention_forms.tensors_of(given).values()]
    constants = given.get("constants", ())
    return (
        [*tensors, *constants] if is_output else [torch.tensor(given["dout"]), *tensors, *constants]
    )


def _probabilities(op: str, wrong: Array, right: Array) -> str:
    """Say what is wrong with a softmax that sums along another axis, or that is of other scores."""
    if op not in ("softmax", "log_softmax"):
        return ""
    if op == "log_softmax":
        wrong, right = np.exp(wrong), np.exp(right)
    ours, theirs = _axes_of_sum_1(wrong), _axes_of_sum_1(right)
    if theirs and not ours:
        return f"out does not sum to 1 along axis {theirs[0]}: is it divided by its total?"
    if not theirs or ours == theirs:
        return _of_scaled_scores(wrong, right)
    return f"out sums to 1 along axis {ours[0]}, not along axis {theirs[0]}: is the total taken along that one?"


def _of_scaled_scores(wrong: Array, right: Array) -> str:
    """Say by which factor the scores of a softmax along the last axis are too large."""
    seen = (wrong > 0) & (right > 0)
    logs = [np.log(np.where(seen, a, a.max(axis=-1, keepdims=True))) for a in (wrong, right)]
    ours, theirs = (a - a.max(axis=-1, keepdims=True) for a in logs)
    factor = float((ours * theirs).sum() / (theirs * theirs).sum()) if theirs.any() else 0.0
    if not factor or not explains(factor * theirs, ours, theirs):
        return ""
    return f"out fits this: the softmax of {factor:.6g} times the scores"


def _axes_of_sum_1(array: Array) -> list[int]:
    return [
        axis for axis in range(array.ndim) if np.abs(array.sum(axis=axis) - 1).max() <= RELATIVE
    ]
