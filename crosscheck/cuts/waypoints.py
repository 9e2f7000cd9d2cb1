"""The inner values of the usual derivations of an op: signposts between two cuts.

A record that equals one is on a known way. That is no proof that its line is right: a derivation
may stop there where it should go on.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr

from crosscheck.in_projection import LETTERS, is_stacked, split
from crosscheck.sides import Array
from crosscheck.tape.call import Call

Inner = Mapping[str, Any]
LARGE = 1 << 21  # entries; the inner values of an op that makes more would fill the memory
GELU_CUBE = 0.044715


# An inner value, and what stands in the names of the term that follows it in a usual derivation.
GOES_ON = {
    "dx_hat - mean(dx_hat)": "(dx_hat * x_hat)",
    "C * dx_hat - sum(dx_hat)": "(dx_hat * x_hat)",
    "dx_hat - x_hat * mean(dx_hat * x_hat)": "(dx_hat)",
}


def waypoints_of(call: Call) -> Iterator[tuple[str, Array]]:
    """Yield the name and the array of each inner value of this op."""
    make = INNER.get(call.op)
    inputs = [source.array for source in call.inputs]
    if make is None or call.output is None or any(array is None for array in inputs):
        return
    with np.errstate(all="ignore"):
        for name, array in make(call, *inputs).items():
            if np.size(array) > 1:
                yield name, np.asarray(array)


def _mean(x: Array) -> Array:
    mean: Array = x.mean(axis=-1, keepdims=True)
    return mean


def _sum(x: Array) -> Array:
    total: Array = x.sum(axis=-1, keepdims=True)
    return total


def _layer_norm(call: Call, x: Array, *others: Array) -> Inner:
    weight = others[0] if others else np.ones(1)
    eps = call.constants[0] if call.constants else 1e-5
    C = x.shape[-1]
    mean = _mean(x)
    centred = x - mean
    variance = _mean(centred * centred)
    std = np.sqrt(variance + eps)
    inv_std = 1 / std
    x_hat = centred * inv_std
    inner = {
        "sum(x)": _sum(x), "mean(x)": mean, "x^2": x * x, "mean(x^2)": _mean(x * x),
        "x - mean": centred, "(x - mean)^2": centred * centred,
        "sum((x - mean)^2)": _sum(centred * centred), "variance": variance,
        "variance + eps": variance + eps, "std": std, "1 / std": inv_std, "1 / std^2": inv_std**2,
        "1 / std^3": inv_std**3, "x_hat": x_hat, "x_hat * weight": x_hat * weight,
    }  # fmt: skip
    if call.dout is None:
        return inner
    dout = call.dout
    dx_hat = dout * weight
    mean_dx_hat, mean_both = _mean(dx_hat), _mean(dx_hat * x_hat)
    dvar = -_sum(dx_hat * centred) * inv_std**3 / 2
    dinv_std = _sum(dx_hat * centred)
    bracket = dx_hat - mean_dx_hat
    return inner | {
        "dout * x_hat": dout * x_hat, "dx_hat": dx_hat, "mean(dx_hat)": mean_dx_hat,
        "sum(dx_hat)": _sum(dx_hat), "dx_hat * x_hat": dx_hat * x_hat,
        "dx_hat * (x - mean)": dx_hat * centred, "dinv_std": dinv_std,
        "mean(dx_hat * x_hat)": mean_both, "sum(dx_hat * x_hat)": mean_both * C,
        "x_hat * mean(dx_hat * x_hat)": x_hat * mean_both,
        "x_hat * sum(dx_hat * x_hat)": x_hat * mean_both * C,
        "dx_hat - mean(dx_hat)": bracket, "dx_hat / std": dx_hat * inv_std,
        "mean(dx_hat) / std": mean_dx_hat * inv_std,
        "sum(dx_hat) / std": mean_dx_hat * inv_std * C,
        "dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat)": bracket - x_hat * mean_both,
        "dx_hat - x_hat * mean(dx_hat * x_hat)": dx_hat - x_hat * mean_both,
        "C * dx_hat": C * dx_hat, "C * dx_hat - sum(dx_hat)": C * bracket,
        "C * dx_hat - sum(dx_hat) - x_hat * sum(dx_hat * x_hat)": C * (bracket - x_hat * mean_both),
        "dvariance": dvar, "dstd": -dinv_std * inv_std**2, "dvariance / C": dvar / C,
        "2 * dvariance / C": 2 * dvar / C, "dvariance * (x - mean)": dvar * centred,
        "2 * dvariance * (x - mean)": 2 * dvar * centred,
        "2 * dvariance * (x - mean) / C": 2 * dvar * centred / C,
        "dmean": -mean_dx_hat * inv_std * C, "dmean / C": -mean_dx_hat * inv_std,
        "dcentred": dx_hat * inv_std + 2 * dvar * centred / C,
    }  # fmt: skip


def _softmax(call: Call, x: Array, *_: Array) -> Inner:
    largest = x.max(axis=-1, keepdims=True)
    exponential = np.exp(x - largest)
    probs = exponential / _sum(exponential)
    inner = {
        "max(scores)": largest, "scores - max": x - largest, "exp(scores - max)": exponential,
        "exp(scores)": np.exp(x), "sum(exp(scores))": _sum(np.exp(x)),
        "sum(exp(scores - max))": _sum(exponential), "1 / sum(exp)": 1 / _sum(exponential),
        "1 - probs": 1 - probs, "log(probs)": np.log(probs),
    }  # fmt: skip
    if call.dout is None:
        return inner
    both = call.dout * probs
    return inner | {
        "dprobs * probs": both, "sum(dprobs * probs)": _sum(both),
        "dprobs - sum(dprobs * probs)": call.dout - _sum(both),
        "probs * sum(dprobs * probs)": probs * _sum(both),
    }  # fmt: skip


def _gelu(call: Call, x: Array, *_: Array) -> Inner:
    cdf, pdf = ndtr(x), np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    inner = {
        "x / sqrt(2)": x / math.sqrt(2), "cdf": cdf, "pdf": pdf, "erf": 2 * cdf - 1,
        "1 + erf": 2 * cdf, "x * x": x * x, "-x^2 / 2": -x * x / 2,
        "exp(-x^2 / 2)": np.exp(-x * x / 2),
        "x / 2": x / 2, "x * (1 + erf)": 2 * x * cdf,
        "slope": cdf + x * pdf, "x * pdf": x * pdf,
    }  # fmt: skip
    if call.dout is None:
        return inner
    dout = call.dout
    return inner | {
        "dout * cdf": dout * cdf, "dout * x": dout * x, "dout * x * pdf": dout * x * pdf,
        "dout * pdf": dout * pdf, "dout * x / 2": dout * x / 2,
    }  # fmt: skip


def _gelu_tanh(call: Call, x: Array, *_: Array) -> Inner:
    root = math.sqrt(2 / math.pi)
    inside = x + GELU_CUBE * x**3
    t = np.tanh(root * inside)
    slope_inside = root * (1 + 3 * GELU_CUBE * x * x)
    inner = {
        "x^2": x * x, "x^3": x**3, "x + 0.044715 x^3": inside, "0.044715 x^3": GELU_CUBE * x**3,
        "sqrt(2 / pi) * (x + 0.044715 x^3)": root * inside, "tanh": t, "1 + tanh": 1 + t,
        "(1 + tanh) / 2": (1 + t) / 2, "x / 2": x / 2, "tanh^2": t * t, "1 - tanh^2": 1 - t * t,
        "1 + 3 * 0.044715 x^2": 1 + 3 * GELU_CUBE * x * x,
        "3 * 0.044715 x^2": 3 * GELU_CUBE * x * x,
        "sqrt(2 / pi) * (1 + 3 * 0.044715 x^2)": slope_inside, "x * (1 + tanh)": x * (1 + t),
        "(1 - tanh^2) * slope inside": (1 - t * t) * slope_inside,
        "x / 2 * (1 - tanh^2)": x / 2 * (1 - t * t),
        "x / 2 * (1 - tanh^2) * slope inside": x / 2 * (1 - t * t) * slope_inside,
        "slope": (1 + t) / 2 + x / 2 * (1 - t * t) * slope_inside,
    }  # fmt: skip
    if call.dout is None:
        return inner
    dout = call.dout
    dt = dout * x / 2
    dinner = dt * (1 - t * t)
    return inner | {
        "dout * (1 + tanh) / 2": dout * (1 + t) / 2, "dout * (1 + tanh)": dout * (1 + t),
        "dout * x": dout * x, "dtanh": dt, "dinside * sqrt(2 / pi)": dinner * root,
        "dinside": dinner,
        "dinside * slope inside": dinner * slope_inside,
        "dout / 2": dout / 2,
    }  # fmt: skip


def _relu(call: Call, x: Array, *_: Array) -> Inner:
    return {"x > 0": (x > 0).astype(float), "x <= 0": (x <= 0).astype(float)}


def _linear(call: Call, x: Array, weight: Array, *bias: Array) -> Inner:
    return {"x @ weight.T": x @ weight.T} if bias else {}


def _scaled_inputs(call: Call) -> Iterator[tuple[str, Array]]:
    """q and k times the scale, or its root, before they are multiplied; and so on the way back."""
    size = call.inputs[0].array.shape[-1] if call.inputs and call.inputs[0].array is not None else 1
    for times, name in ((1 / math.sqrt(size), "/ sqrt(K)"), (size**-0.25, "/ K^(1/4)")):
        for source in call.inputs:
            if source.array is not None and source.array.size <= LARGE:
                yield f"a factor {name}", source.array * times
        for dinput in call.dinputs:
            if dinput is not None and dinput.size <= LARGE:
                yield f"its gradient {name}", dinput * times
                yield f"its gradient times what undoes {name}", dinput / times


def _shares(call: Call) -> Iterator[tuple[str, Array]]:
    """What queries, keys and values alone send back to what they are projected from."""
    weight = call.inputs[1].array
    if call.dout is None or weight is None:
        return
    pieces = np.split(call.dout, len(LETTERS), axis=-1)
    shares = dict(
        zip(
            LETTERS,
            (d @ w for d, w in zip(pieces, split(weight).values(), strict=True)),
            strict=True,
        )
    )
    for letter, share in shares.items():
        yield f"the share of d{letter}", share
    for a, b in itertools.combinations(LETTERS, 2):
        yield f"the shares of d{a} and d{b}", shares[a] + shares[b]


INNER: dict[str, Callable[..., Inner]] = {
    "layer_norm": _layer_norm,
    "softmax": _softmax,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": _relu,
    "linear": _linear,
}


def all_waypoints(calls: list[Call]) -> Iterator[tuple[str, Array]]:
    """Yield the waypoints of all ops, by name."""
    for call in calls:
        if call.output is not None and call.output.size > LARGE:
            continue
        yield from waypoints_of(call)
        if call.op == "linear" and is_stacked(call.inputs[1].origin):
            yield from _shares(call)
        if call.op == "matmul" and len(call.inputs) == 2:
            yield from _scaled_inputs(call)
