"""The anchor: our block, in both engines, against PyTorch's own `nn.TransformerEncoderLayer`.

Without it, the two sides of the mirror could share one misunderstanding and agree on it.

A gradient is not measured by its own size, which may be nothing but rounding (one channel under a
norm), but by the largest entry of all of the layer's gradients. In float64 nothing hides behind
that: whatever is off by 1e-12 of the largest entry is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import torch
from crosscheck.distance import largest_difference, largest_entry
from crosscheck.draws import Stream, draws
from crosscheck.judge import ROUNDING, Verdict
from crosscheck.masks import layer_masks
from crosscheck.models import ModelOptions
from crosscheck.runs import COTANGENT, Batch, Run, run
from crosscheck.sides import NUMPY, TORCH
from crosscheck.weights import copy_weights, randomize

LIMITS = {"float32": 1e-5, "float64": 1e-12}
VANISHING = 1e-6  # a layer that works sends back more than this, if the cotangent is about one
SHAPE = (2, 8)  # sequences and tokens


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

    @property
    def verdict(self) -> Verdict:
        """Whether both differences are below the limit (and are numbers)."""
        if not self.output < self.limit:
            return Verdict.DISAGREE
        if self.gradient is None:
            return Verdict.VACUOUS
        return Verdict.AGREE if self.gradient < self.limit else Verdict.DISAGREE

    @property
    def agrees(self) -> bool:
        """Whether the row passes."""
        return self.verdict.good


def encoder_layer_parity(options: ModelOptions, seed: int = 0) -> tuple[Parity, ...]:
    """Both engines' blocks in both precisions, at input (2, 8, C), randomised weights.

    They have the mask of the options, but for a causal mask alone. Empty when PyTorch's layer has
    no such form: without residual connections or without norm.
    """
    if not options.residual or options.norm == "none":
        return ()
    arguments = options.block_arguments()
    blocks: dict[str, Any] = {
        "tinygrad_tf": NUMPY.models.TransformerBlock(**arguments),
        "torch_impl": TORCH.models.TransformerBlock(**arguments),
    }
    options.pack(blocks["tinygrad_tf"])
    for name in ("norm", "residual", "fused"):
        arguments.pop(name)
    arguments["activation"] = TORCH.models.block.ACTIVATIONS[options.activation]
    layer = torch.nn.TransformerEncoderLayer(**arguments, batch_first=True)
    randomize(layer, seed)
    for block in blocks.values():
        copy_weights(layer, block)
    x = draws(Stream.INPUT, seed).standard_normal((*SHAPE, options.width))
    batch = Batch(x.astype(np.float32), options=layer_masks(options.mask, SHAPE, seed))

    def measure(model: Any, dtype: str) -> Run:
        return run(model, batch, dtype=dtype, loss=COTANGENT, seed=seed)

    expected = {dtype: measure(layer, dtype) for dtype in LIMITS}
    gradients = expected["float64"].gradients.values()
    largest = max(largest_entry(g) for g in gradients if g is not None)
    vacuous = largest < VANISHING
    scale = 1.0 if vacuous else largest
    own = _differences(expected["float32"], expected["float64"], scale)
    limits = {**LIMITS, "float32": max(LIMITS["float32"], ROUNDING * own[0], ROUNDING * own[1])}
    found = []
    for dtype, limit in limits.items():
        for side, block in blocks.items():
            output, gradient = _differences(measure(block, dtype), expected[dtype], scale)
            found.append(Parity(side, dtype, output, None if vacuous else gradient, limit))
    return tuple(found)


def _differences(measured: Run, expected: Run, scale: float) -> tuple[float, float]:
    """Return the largest difference of the outputs, and of the gradients divided by the scale."""
    names = measured.gradients.keys() | expected.gradients.keys()
    gradients = [
        largest_difference(measured.gradients.get(name), expected.gradients.get(name))
        for name in names
    ]
    return largest_difference(measured.output, expected.output), float(np.max(gradients)) / scale
