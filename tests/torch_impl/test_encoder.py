"""Stacks of blocks are PyTorch's own `nn.TransformerEncoder`."""

from typing import Any

import numpy as np
import pytest
from support.engines import (
    ENGINES,
    TORCH,
    Engine,
    load,
    padding_mask,
    random_mask,
    random_weights,
    run,
    worst,
)
from support.parity import B, C, F, H, T, data

import torch


def stack(engine: Engine, blocks: list[Any]) -> Any:
    """Blocks in a row, under the names that `nn.TransformerEncoder` gives them."""

    class Encoder(engine.library.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = engine.library.nn.ModuleList(blocks)

        def forward(self, x: Any, mask: Any = None, **masks: Any) -> Any:
            for layer in self.layers:
                x = layer(x, mask, **masks)
            return x

    return Encoder()


MASKS = {
    "no mask": {},
    "bool mask": {"mask": random_mask(np.random.default_rng(5), T, T)},
    "causal": {"mask": np.triu(np.ones((T, T), dtype=bool), 1), "is_causal": True},
    "key padding": {"src_key_padding_mask": padding_mask(B, T)},
}


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])
@pytest.mark.parametrize("mask", MASKS)
def test_encoder(num_layers: int, norm_first: bool, mask: str) -> None:
    options = {"dropout": 0.0, "activation": "gelu", "norm_first": norm_first}
    layer = torch.nn.TransformerEncoderLayer(C, H, F, batch_first=True, **options)
    encoder = torch.nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
    weights = random_weights(encoder)
    load(TORCH, encoder, weights)
    x, dout = data("float64")
    expected = run(TORCH, encoder, x, dout, **MASKS[mask])
    for engine in ENGINES:
        blocks = [engine.models.TransformerBlock(C, H, F, **options) for _ in range(num_layers)]
        ours = load(engine, stack(engine, blocks), weights)  # the same names: layers.0.norm1.weight
        assert worst(run(engine, ours, x, dout, **MASKS[mask]), expected) < 1e-12, engine
