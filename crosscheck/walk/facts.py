"""Facts that need float64, and are recorded: row sums, the parts of layer norm, slopes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from crosscheck.sides import Array
from crosscheck.tape.numpy_recorder import Pair, arrays_for_tensors
from crosscheck.walk.array_table import ArrayTable
from crosscheck.walk.ops import op_id
from crosscheck.walk.schema_of_ops import Fact


def facts_of(pairs: Mapping[str, Pair], table: ArrayTable) -> Iterator[Fact]:
    """Yield what is recorded of our own run, in the order of the ops."""
    for key, pair in pairs.items():
        if pair.call.dout is None or not pair.call.dinputs or pair.call.dinputs[0] is None:
            continue
        for kind, numbers in _numbers(pair):
            yield Fact(op_id(key), kind, {n: _rounded(x) for n, x in numbers.items()}, {})
        if pair.call.op in ("gelu", "gelu_tanh", "relu"):
            x: Any = pair.call.inputs[0].array
            (slope,) = _backward(pair, x)(np.ones_like(x))
            yield Fact(op_id(key), "slope", {}, {"slope": table.ref(slope)})


def _numbers(pair: Pair) -> Iterator[tuple[str, dict[str, Any]]]:
    call: Any = pair.call  # its tape has kept all arrays
    dx, dout = call.dinputs[0], call.dout
    if call.op == "softmax":
        dim = pair.options["dim"]
        average = (dout * call.output).sum(dim)
        magnitudes = np.abs(dout) + np.abs(np.expand_dims(average, dim))
        scales = (np.abs(call.output) * magnitudes).sum(dim)
        yield "row_sums", {**_sums(dx, dim), "average": average, "scales": scales}
        (vanished,) = _backward(pair, call.inputs[0].array)(np.ones_like(dout))
        yield "under_sum", {"dx": np.linalg.norm(vanished, axis=dim)}
    if call.op == "cross_entropy":
        yield "row_sums", _sums(dx, -1)
    if call.op == "layer_norm":
        x, weight = call.inputs[0].array, _argument(pair, "weight")
        x_hat, plain = pair.rule.rule(x, None, None, **pair.options)
        inv_std = 1 / np.sqrt(x.var(axis=-1) + pair.options["eps"])
        dx_hat = dout if weight is None else dout * weight
        rest = dx / inv_std[..., None]
        length = np.linalg.norm(x_hat, axis=-1)
        along_x_hat = (rest * x_hat).sum(-1) / np.where(length, length, 1.0)
        yield (
            "parts",
            {
                **_parts(dx_hat, x_hat, rest),
                "inv_std": inv_std,
                "mean": x.mean(axis=-1),
                "dot_ones": rest.sum(-1) / np.sqrt(x.shape[-1]),
                "dot_x_hat": along_x_hat,
            },
        )
        ones = np.ones_like(dout)
        vanished = plain(ones)[0] / inv_std[..., None]
        yield "under_sum", {**_parts(ones, x_hat, vanished), "inv_std": inv_std}


def _sums(dx: Array, axis: int) -> dict[str, Any]:
    sums = dx.sum(axis=axis)
    largest = np.abs(sums).max(initial=0.0)
    return {"sums": sums, "sizes": np.abs(dx).sum(axis=axis), "largest": largest}


def _parts(dx_hat: Array, x_hat: Array, rest: Array) -> dict[str, Array]:
    """Return the norms, for each token, of a gradient and of what it loses along two directions."""
    ones = np.broadcast_to(dx_hat.mean(axis=-1, keepdims=True), dx_hat.shape)
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    parts = {"dx_hat": dx_hat, "along_ones": ones, "along_x_hat": along, "rest": rest}
    return {name: np.linalg.norm(part, axis=-1) for name, part in parts.items()}


def _backward(pair: Pair, *arrays: Array) -> Any:
    """Return the backward of the rule on these arrays, under the options of the call."""
    _, backward = pair.rule.rule(*arrays, **arrays_for_tensors(pair.options))
    return backward


def _argument(pair: Pair, name: str) -> Array | None:
    names = pair.rule.rule.__code__.co_varnames
    found: Array | None = dict(zip(names, pair.arguments, strict=False)).get(name)
    return found


def _rounded(value: Any) -> Any:
    """Return numbers as nested lists, to nine digits: the page shows no more."""
    if isinstance(value, np.ndarray) and value.ndim:
        return [_rounded(entry) for entry in value]
    return float(f"{float(value):.9g}")
