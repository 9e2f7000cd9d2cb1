"""The anchor: our block, in both engines, against PyTorch's own `nn.TransformerEncoderLayer`.

Without it, the two sides of the mirror could share one misunderstanding and agree on it.

A gradient is not measured by its own size, which may be nothing but rounding (one channel under a
norm), but by the largest entry of all of the layer's gradients. In float64 nothing hides behind
that: whatever is off by 1e-12 of the largest entry is found.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import torch
from crosscheck.amplification import Amplification
from crosscheck.distance import largest_difference, largest_entry
from crosscheck.draws import Stream, draws
from crosscheck.judge import ROUNDING, Verdict
from crosscheck.masks import layer_masks
from crosscheck.models import ModelOptions
from crosscheck.runs import COTANGENT, Batch, Run, run
from crosscheck.sides import NUMPY, TORCH
from crosscheck.tape import Localisation, localise
from crosscheck.weights import copy_weights, randomize

LIMITS = {"float32": 1e-5, "float64": 1e-12}
VANISHING = 1e-6  # a layer that works sends back more than this, if the cotangent is about one
SHAPE = (2, 8)  # sequences and tokens
LISTED = 3  # at most so many arrays are named in a row
OUTPUT = "output"
# What PyTorch's layer has no name for. It takes nothing from our blocks, which may be wrong.
ACTIVATIONS = {"gelu-tanh": functools.partial(torch.nn.functional.gelu, approximate="tanh")}


@dataclass(frozen=True)
class Parity:
    """One side in one precision, against `nn.TransformerEncoderLayer` with the same weights."""

    side: str  # whose block it is: tinygrad_tf or torch_impl
    dtype: str  # "float32" or "float64"
    output: float  # the largest |difference| of the outputs
    # The largest |difference| of the gradients of the input and of all parameters, over the largest
    # entry of these gradients; infinite where one is missing, None where all vanish.
    gradient: float | None
    # The limit for both differences. In float32 it is at least ROUNDING times what PyTorch's own
    # layer differs from its float64 run, which is much in narrow layers.
    limit: float
    # The arrays beyond the limit, at most LISTED, the worst first: OUTPUT, or whose gradient it is.
    worst: tuple[str, ...] = ()
    raised: str = ""  # the exception in which the run ended: then both differences are infinite
    # What rounding does to the output and to the gradients of PyTorch's own layer, measured as the
    # differences are. It is measured only where the limit is not kept.
    rounding: tuple[float, float] | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether both differences are below the limit (and are numbers), or rounding's doing."""
        gradient = 0.0 if self.gradient is None else self.gradient
        if self.output < self.limit and gradient < self.limit:
            return Verdict.VACUOUS if self.gradient is None else Verdict.AGREE
        of_output, of_gradient = (
            max(self.limit, ROUNDING * r) for r in self.rounding or (0.0, 0.0)
        )
        if self.output <= of_output and gradient <= of_gradient:
            return Verdict.AGREE if self.dtype == "float32" else Verdict.AMPLIFIED
        return Verdict.DISAGREE

    @property
    def agrees(self) -> bool:
        """Whether the row passes."""
        return self.verdict.good


class EncoderLayerParity(NamedTuple):
    """The rows, and where it went wrong in our engine's block."""

    rows: tuple[Parity, ...]  # empty when PyTorch's layer has no such form
    localisation: Localisation | None = None  # None if every row of our engine's block passes


def encoder_layer_parity(options: ModelOptions, seed: int = 0) -> EncoderLayerParity:
    """Both engines' blocks in both precisions, at input (2, 8, C), randomised weights.

    They have the mask of the options, but for a causal mask alone. There are no rows when PyTorch's
    layer has no such form: without residual connections or without norm. Where our engine's block
    disagrees, it is localised: beside its mirror if that agrees with the layer, since every op of a
    mirror has a partner, and otherwise beside the layer itself.
    """
    if not options.residual or options.norm == "none":
        return EncoderLayerParity(())
    layer, ours, mirror = _layer_and_blocks(options, seed)
    x = draws(Stream.INPUT, seed).standard_normal((*SHAPE, options.width))
    batch = Batch(x.astype(np.float32), options=layer_masks(options.mask, SHAPE, seed))

    def measure(model: Any, dtype: str) -> Run:
        return run(model, batch, dtype=dtype, loss=COTANGENT, seed=seed)

    expected = {dtype: measure(layer, dtype) for dtype in LIMITS}
    gradients = expected["float64"].gradients.values()
    largest = max(largest_entry(g) for g in gradients if g is not None)
    scale = largest if largest >= VANISHING else None
    own = _differences(expected["float32"], expected["float64"], scale or 1.0)
    limits = {**LIMITS, "float32": max(LIMITS["float32"], ROUNDING * _largest(own.values()))}

    def row(side: str, block: Any, dtype: str) -> Parity:
        try:
            measured = measure(block, dtype)
        except Exception as error:  # whatever a wrong block may raise is what is wrong with it
            raised = f"{type(error).__name__}: {error}"
            return Parity(side, dtype, math.inf, math.inf, limits[dtype], raised=raised)
        return _row(side, dtype, measured, expected[dtype], limits[dtype], scale)

    rows = {
        (dtype, side): row(side, block, dtype)
        for dtype in limits
        for side, block in (("tinygrad_tf", ours), ("torch_impl", mirror))
    }
    failing = {dtype for (dtype, _), row in rows.items() if row.verdict.wrong and not row.raised}
    for dtype in failing:
        nearby = Amplification(layer, batch, dtype=dtype, loss=COTANGENT, seed=seed)
        rounding = _rounding(nearby, expected["float64"], scale or 1.0)
        for side in ("tinygrad_tf", "torch_impl"):
            rows[dtype, side] = dataclasses.replace(rows[dtype, side], rounding=rounding)
    where = None
    if any(rows[dtype, "tinygrad_tf"].verdict == Verdict.DISAGREE for dtype in limits):
        reference = mirror if rows["float64", "torch_impl"].agrees else layer
        where = localise(ours, reference, batch, loss=COTANGENT, seed=seed)
    return EncoderLayerParity(tuple(rows.values()), where)


def parity_failures(rows: Sequence[Parity], where: Localisation | None) -> str:
    """Return what is wrong with the rows that disagree, in words; empty if none does."""
    alike: dict[tuple[str, str], list[str]] = {}  # the precisions in which the same is said
    for row in rows:
        if row.verdict == Verdict.DISAGREE and (row.worst or row.raised):
            alike.setdefault((row.side, _words(row)), []).append(row.dtype)
    lines = [f"block of {side}, {' and '.join(d)}: {said}" for (side, said), d in alike.items()]
    if where is not None and where.findings:
        lines += str(where).split("\n")
    return "\n  ".join(lines)


def _words(row: Parity) -> str:
    if row.raised:
        return f"it raised {row.raised}"
    arrays = ["the output" if name == OUTPUT else f"the gradient of {name}" for name in row.worst]
    return f"it differs most in {', '.join(arrays)}"


def _layer_and_blocks(options: ModelOptions, seed: int) -> tuple[Any, Any, Any]:
    """Return PyTorch's layer with random weights, and with the same our block and its mirror."""
    arguments = options.block_arguments()
    blocks = [side.models.TransformerBlock(**arguments) for side in (NUMPY, TORCH)]
    options.pack(blocks[0])
    for name in ("norm", "residual", "fused"):
        arguments.pop(name)
    arguments["activation"] = ACTIVATIONS.get(options.activation, options.activation)
    layer = torch.nn.TransformerEncoderLayer(**arguments, batch_first=True)
    randomize(layer, seed)
    for block in blocks:
        copy_weights(layer, block)
    return layer, *blocks


def _row(
    side: str, dtype: str, measured: Run, expected: Run, limit: float, scale: float | None
) -> Parity:
    """Compare one run. scale: what gradients are divided by; None if they are too small for it."""
    off = _differences(measured, expected, scale or 1.0)
    output = off.pop(OUTPUT)
    gradient = None if scale is None else _largest(off.values())
    judged = {OUTPUT: output, **({} if scale is None else off)}
    beyond = {n: math.inf if math.isnan(d) else d for n, d in judged.items() if not d < limit}
    worst = sorted(beyond, key=lambda name: beyond[name], reverse=True)
    return Parity(side, dtype, output, gradient, limit, tuple(worst[:LISTED]))


def _rounding(nearby: Amplification, expected: Run, scale: float) -> tuple[float, float]:
    """Return what rounding does to the output and to the gradients, measured as differences are."""
    changes = [_differences(near, expected, scale) for near in nearby.runs]
    outputs = _largest(change.pop(OUTPUT) for change in changes)
    return outputs, _largest(_largest(change.values()) for change in changes)


def _differences(measured: Run, expected: Run, scale: float) -> dict[str, float]:
    """Return the largest difference of each array by name; those of gradients over the scale."""
    names = dict.fromkeys([*measured.gradients, *expected.gradients])
    gradients = {
        name: largest_difference(measured.gradients.get(name), expected.gradients.get(name)) / scale
        for name in names
    }
    return {OUTPUT: largest_difference(measured.output, expected.output), **gradients}


def _largest(differences: Iterable[float]) -> float:
    """Return the largest, or NaN if one is."""
    return float(np.max(list(differences)))
