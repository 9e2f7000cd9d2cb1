"""A stack of blocks of 256 channels on one sequence: how time and memory grow with depth and T."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.tasks.engines import engine


def prepare(name: str, depth: str, tokens: str) -> tuple[Callable[[], Any], float | None]:
    """Forward and backward of `depth` post-norm blocks over `tokens` tokens, causal."""
    side = engine(name)
    blocks = [
        side.finish(side.models.TransformerBlock(256, 4, 1024, 0.0, "gelu", fused=True))
        for _ in range(int(depth))
    ]
    generator = np.random.default_rng(0)
    x, dout = generator.standard_normal((2, 1, int(tokens), 256)).astype(np.float32)
    leaf, cotangent = side.tensor(x, requires_grad=True), side.tensor(dout)

    def step() -> Any:
        leaf.grad = None
        out = leaf
        for block in blocks:
            block.zero_grad()
            out = block(out, is_causal=True)
        out.backward(cotangent)

    return step, None
