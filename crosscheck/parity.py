"""The anchor: our block, in both engines, against PyTorch's own `nn.TransformerEncoderLayer`.

Without it, the two sides of the mirror could share one misunderstanding and agree on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck.models import ModelOptions
from crosscheck.runs import Batch, Run, run
from crosscheck.weights import copy_weights, randomize

LIMITS = {"float32": 1e-5, "float64": 1e-12}
SHAPE = (2, 8)  # sequences and tokens


@dataclass(frozen=True)
class Parity:
    """One side in one precision, against `nn.TransformerEncoderLayer` with the same weights.

    output: the largest |difference| of the outputs. gradient: of the gradients of the input and of
    all parameters, each over the largest entry of that gradient. limit: for both.
    """

    side: str
    dtype: str
    output: float
    gradient: float
    limit: float

    @property
    def agrees(self) -> bool:
        """Whether both differences are below the limit (and are numbers)."""
        return self.output < self.limit and self.gradient < self.limit


def encoder_layer_parity(options: ModelOptions, seed: int = 0) -> tuple[Parity, ...]:
    """Both engines' blocks in both precisions, at input (2, 8, C), randomised weights.

    Empty when PyTorch's layer has no such form: without residual connections or without norm.
    """
    if not options.residual or options.norm == "none":
        return ()
    arguments = options.block_arguments()
    blocks: dict[str, Any] = {
        "tinygrad_tf": tinygrad_tf.transformer.TransformerBlock(**arguments),
        "torch_impl": torch_impl.TransformerBlock(**arguments),
    }
    for name in ("norm", "residual"):
        arguments.pop(name)
    layer = torch.nn.TransformerEncoderLayer(**arguments, batch_first=True)
    randomize(layer, seed)
    x = np.random.default_rng(seed).standard_normal((*SHAPE, options.width))
    batch = Batch(x.astype(np.float32))
    found = []
    for dtype, limit in LIMITS.items():
        expected = run(layer, batch, dtype=dtype, loss="random cotangent", seed=seed)
        for side, block in blocks.items():
            copy_weights(layer, block)
            measured = run(block, batch, dtype=dtype, loss="random cotangent", seed=seed)
            found.append(Parity(side, dtype, *_differences(measured, expected), limit))
    return tuple(found)


def _differences(measured: Run, expected: Run) -> tuple[float, float]:
    output = float(np.abs(measured.output - expected.output).max())
    gradients = [
        float(np.abs(measured.gradients[name] - truth).max() / np.abs(truth).max())
        for name, truth in expected.gradients.items()
        if truth is not None
    ]
    return output, max(gradients)
