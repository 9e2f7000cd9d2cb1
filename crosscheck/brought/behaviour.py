"""How a brought model behaves when it runs: what would make a comparison mean something else.

Each of these is found by running the model, on its own inputs, and held against what a comparison
takes for granted: that a run is the same each time, that its input stays as it is, that it computes
in the precision that it is given, on the CPU.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import torch
from crosscheck.answers import only_tensor
from crosscheck.arrays import Array, Options, array_of, in_precision
from crosscheck.brought.adapted import adapted
from crosscheck.distance import largest_entry, relative_error
from crosscheck.draws import Stream, draws
from crosscheck.printing import plural
from crosscheck.runs import Batch
from crosscheck.sides import TORCH, Dialect, side_of
from crosscheck.weights import get_weights, ties

SAME = 1e-9  # two float64 runs that differ by more are not the same run; threads move less
STEP = 1e-8  # a share of the input: float64 follows a step of this size, and float32 does not
NEAR = 1e-3  # relative; float32 written into the code is the same in a run in float32
SHORT = 16  # tokens that show how a model behaves as well as a thousand do


@dataclass
class Behaviour:
    """A model made fit to be compared, and what the reader should know about it."""

    model: Any
    dtype: str  # in which it can be judged, one of DTYPES
    notes: list[str] = field(default_factory=list)


def examine(model: Any, batch: Batch, dtype: str, who: str) -> Behaviour:
    """Return the model as it can be compared, with a note for each thing that was found.

    who: the model in the sentences. A model of another device is copied to the CPU, one that writes
    into its input is given a copy, and one that computes in float32 is judged in float32. Raises
    ValueError if two runs differ; and what the model raises.
    """
    model, notes = on_cpu(model, who)
    notes += _ties(model, who)
    notes += _dropout(model, who)
    runs_in = precision_of(model, batch) if dtype != "float32" else "float32"
    if writes_into_input(model, batch, runs_in):
        model = adapted(model, copies_input=True)
        notes.append(f"{who} writes into its input: it is given a copy")
    require_repeatable(model, batch, runs_in, who)
    if dtype != "float32" and (runs_in == "float32" or is_coarse(model, batch)):
        said = f"{who} computes in float32, since that is written into its code"
        if dtype == "float64":
            raise ValueError(f"compare: {said}: it cannot be judged in float64")
        notes.append(f"{said}: it is judged in float32")
        dtype = "float32"
    return Behaviour(model, dtype, notes)


def shortened(model: Any, inputs: Array) -> Array:
    """Return a few of the tokens of a large input, if the model runs on them; else all of them."""
    short = inputs[:2, :SHORT] if inputs.ndim >= 2 else inputs
    if short.size == inputs.size:
        return inputs
    try:
        raw_output_of(model, short, {}, precision_of(model, Batch(short)))
    except Exception:  # it may have been built for sequences of one length
        return inputs
    return short


def on_cpu(model: Any, who: str) -> tuple[Any, list[str]]:
    """Return the model, or a copy on the CPU with a note if it is on another device.

    Raises ValueError for PyTorch's device "meta", where weights have no numbers.
    """
    if side_of(model) is not TORCH:
        return model, []
    tensors = (*model.parameters(), *model.buffers())
    elsewhere = sorted({str(t.device) for t in tensors if t.device.type != "cpu"})
    if not elsewhere:
        return model, []
    if "meta" in elsewhere:
        raise ValueError(f"compare: {who} is on the device meta, where weights have no numbers")
    note = f"{who} is on {', '.join(elsewhere)}: a copy on the CPU is compared"
    return copy.deepcopy(model).cpu(), [note]


def require_repeatable(model: Any, batch: Batch, dtype: str, who: str) -> None:
    """Raise ValueError if two plain runs of the model give other outputs."""
    first, second = (output_of(model, batch.inputs, batch.options, dtype) for _ in range(2))
    bound = SAME if dtype == "float64" else 1e-4
    if first.shape == second.shape and np.array_equal(first, second, equal_nan=True):
        return
    apart = np.inf if first.shape != second.shape else relative_error(first, second)
    if apart <= bound:
        return
    raise ValueError(
        f"compare: two plain runs of {who} on the same input differ by {apart:.1e} of their "
        "size, although it is in evaluation mode: something in it draws random numbers each time "
        "(F.dropout needs training=self.training), or keeps state from run to run"
    )


def writes_into_input(model: Any, batch: Batch, dtype: str) -> bool:
    """Whether a forward of PyTorch writes into the very tensor that it was given."""
    if side_of(model) is not TORCH:
        return False  # what writes there writes into a copy
    inputs = TORCH.tensor(in_precision(batch.inputs, dtype))
    given = TORCH.options(batch.options, getattr(torch, dtype))
    before = inputs._version  # PyTorch counts what is written into a tensor
    with torch.no_grad():
        TORCH.copy(model, dtype)(inputs, **given)
    return bool(inputs._version != before)


def precision_of(model: Any, batch: Batch) -> str:
    """Return "float64", or "float32" if the model raises in float64 and runs in float32 alone."""
    for dtype in ("float64", "float32"):
        try:
            raw_output_of(model, batch.inputs, batch.options, dtype)
        except Exception:  # another mistake, if it runs in neither
            continue
        return dtype
    return "float64"


def is_coarse(model: Any, batch: Batch) -> bool:
    """Whether the output has no more digits than float32, although the model is given float64.

    So it is of type float32, or a step of the input, and one twice as large, move it by amounts
    that are not one to two, and a run in float32 gives nearly the same. Where it does not, the
    digits are lost to a large number, such as the -1e9 of a mask.
    """
    output = output_of(model, batch.inputs, batch.options, "float64")
    if output.dtype == np.float32:
        return True
    if batch.inputs.dtype.kind != "f" or not np.isfinite(output).all():
        return False
    try:
        single = output_of(model, batch.inputs, batch.options, "float32")
    except Exception:  # what does not run in float32 does not compute in it
        return False
    if relative_error(single, output) > NEAR:
        return False
    base = batch.inputs.astype(np.float64)
    way = draws(Stream.MOVES, 0).standard_normal(base.shape) * STEP * largest_entry(base)
    once, twice = (
        output_of(model, base + step * way, batch.options, "float64") - output
        for step in (1.0, 2.0)
    )
    if not twice.any():  # nothing moved: it is coarse, unless nothing depends on the input
        far = output_of(model, base + way / STEP * 0.01, batch.options, "float64")
        return not np.array_equal(far, output)
    return bool(np.abs(twice - 2 * once).mean() > 0.01 * np.abs(twice).mean())


def output_of(model: Any, inputs: Array, options: Options, dtype: str) -> Array:
    """Run forward only; return the output as an array. Raises what the model raises."""
    answer, side = raw_output_of(model, inputs, options, dtype), side_of(model)
    if isinstance(side, Dialect):
        answer = only_tensor(answer, side.library.Tensor, f"the model {type(model).__name__}")
    elif isinstance(answer, tuple | list):
        answer = answer[0]  # and not the way back
    return np.array(array_of(answer))


def raw_output_of(model: Any, inputs: Array, options: Options, dtype: str) -> Any:
    """Run forward only; return whatever the model returns."""
    with np.errstate(all="ignore"), torch.no_grad():
        return side_of(model).forward(model, inputs, options, dtype)


def require_finite_weights(model: Any, who: str) -> None:
    """Raise ValueError if a weight that will be used as it is holds NaN or infinity."""
    strange = [
        name
        for name, array in get_weights(model).items()
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if strange:
        raise ValueError(
            f"compare: {', '.join(strange)} of {who} hold NaN or infinity before anything is "
            "computed; torch.empty leaves whatever was in memory"
        )


def _ties(model: Any, who: str) -> list[str]:
    return [f"{' and '.join(names)} of {who} are one parameter" for names in ties(model)]


def _dropout(model: Any, who: str) -> list[str]:
    if side_of(model) is not TORCH:
        return []
    drops = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.modules.dropout._DropoutNd) and module.p > 0
    ]
    if not drops:
        return []
    verb = plural(len(drops), "drops", "drop")
    return [f"{who} is run in evaluation mode, where {', '.join(drops)} {verb} nothing"]
