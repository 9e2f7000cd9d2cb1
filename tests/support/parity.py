"""PyTorch's own encoder layer beside our two blocks, with the same random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.engines import ENGINES, TORCH, Arrays, Engine, load, random_weights, run, worst

import torch

B, T, C, H, F = 2, 8, 64, 4, 256


def reference_layer(dtype: str = "float64", seed: int = 0, **options: Any) -> tuple[Any, Arrays]:
    """PyTorch's layer with random weights, and the weights."""
    options = {"dropout": 0.0, "activation": "gelu", **options}
    layer = torch.nn.TransformerEncoderLayer(C, H, F, batch_first=True, **options)
    weights = random_weights(layer, seed)
    return load(TORCH, layer, weights, dtype), weights


def our_block(engine: Engine, weights: Arrays, dtype: str = "float64", **options: Any) -> Any:
    options = {"dropout": 0.0, "activation": "gelu", **options}
    return load(engine, engine.models.TransformerBlock(C, H, F, **options), weights, dtype)


def reference(
    layer: Any, x: np.ndarray, dout: np.ndarray | None = None, *, fast: bool = True, **options: Any
) -> Arrays:
    """What PyTorch computes; it wants the causal mask spelled out beside `is_causal`."""
    if options.get("is_causal"):
        options["src_mask"] = np.triu(np.ones((T, T), dtype=bool), 1)
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        return run(TORCH, layer, x, dout, **options)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def data(dtype: str, scale: float = 1.0, shape: tuple[int, ...] = (B, T, C)) -> list[np.ndarray]:
    """An input of this scale, and a cotangent that makes sums over all tokens of unit scale."""
    rng = np.random.default_rng(2)
    x = scale * rng.standard_normal(shape)
    dout = rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
    return [x.astype(dtype), dout.astype(dtype)]


def assert_parity(x: np.ndarray, dout: np.ndarray, **mask: Any) -> None:
    """Both engines, in both forms, pre-norm and post-norm, equal PyTorch's layer in float64."""
    for norm_first in (False, True):
        layer, weights = reference_layer(norm_first=norm_first)
        expected = reference(layer, x, dout, **mask)
        for engine in ENGINES:
            for fused in (False, True):
                block = our_block(engine, weights, norm_first=norm_first, fused=fused)
                difference = worst(run(engine, block, x, dout, **mask), expected)
                case = f"{engine}, norm_first={norm_first}, fused={fused}"
                assert difference < 1e-12, f"{case}: {difference:.1e}"
