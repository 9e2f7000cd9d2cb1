"""Dropout stands where PyTorch's layer has it, and in both engines at the same places."""

from typing import Any

import numpy as np
import pytest
from support.engines import (
    ENGINES,
    NUMPY,
    TORCH,
    Arrays,
    Engine,
    each_engine,
    random_mask,
    run,
    worst,
)
from support.parity import B, C, F, H, T, data, our_block, reference_layer

import torch

P = 0.1
each_order = pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])


@each_order
@pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])
@pytest.mark.parametrize("shape", [(1, T, C), (T, C)], ids=str)
@pytest.mark.parametrize("masked", [False, True], ids=["no mask", "mask"])
def test_the_same_seed_drops_the_same(
    norm_first: bool, fused: bool, shape: tuple[int, ...], masked: bool
) -> None:
    """One sequence, for PyTorch's attention returns a batch with the tokens first in memory, and
    dropout draws in the order of memory: with more than one sequence, the draws fall elsewhere.
    """
    options = {"norm_first": norm_first, "dropout": P}
    mask = {"src_mask": random_mask(np.random.default_rng(6), T, T)} if masked else {}
    x, dout = data("float64", shape=shape)
    layer, weights = reference_layer(**options)
    results = []
    for model in (layer, our_block(TORCH, weights, fused=fused, **options)):
        torch.manual_seed(7)
        results.append(run(TORCH, model, x, dout, **mask))
    assert worst(*results) < 1e-12
    torch.manual_seed(8)  # another seed, another result: dropout was on
    assert worst(run(TORCH, layer, x, dout, **mask), results[0]) > 1e-3


def impose_dropout(model: Any, engine: Engine) -> list[tuple[str, tuple[int, ...]]]:
    """Make every Dropout drop what a seed says, in either engine; the list tells which ran."""
    ran: list[tuple[str, tuple[int, ...]]] = []

    def hook_for(path: str) -> Any:
        def hook(module: Any, inputs: tuple[Any, ...], output: Any) -> Any:
            shape = tuple(inputs[0].shape)
            rng = np.random.default_rng(sum(path.encode()))
            keep = (rng.random(shape) >= module.p) / (1 - module.p)
            ran.append((path, shape))
            return inputs[0] * engine.tensor(keep)

        return hook

    for path, module in model.named_modules():
        if isinstance(module, engine.library.nn.Dropout):
            module.register_forward_hook(hook_for(path))
    return ran


@each_order
def test_both_engines_drop_at_the_same_places(norm_first: bool) -> None:
    """With the same entries dropped by force, outputs and all gradients agree."""
    options = {"norm_first": norm_first, "dropout": 0.3}
    _, weights = reference_layer(**options)
    results: dict[Engine, Arrays] = {}
    places = {}
    for engine in ENGINES:
        block = our_block(engine, weights, **options)
        places[engine] = impose_dropout(block, engine)
        results[engine] = run(engine, block, *data("float64"))
    assert worst(results[NUMPY], results[TORCH]) < 1e-12
    assert places[NUMPY] == places[TORCH]
    assert places[NUMPY] == [
        ("self_attn.dropout", (B, H, T, T)),
        ("dropout1", (B, T, C)),
        ("dropout", (B, T, F)),
        ("dropout2", (B, T, C)),
    ]


@each_order
def test_batches_drop_as_in_the_layer(norm_first: bool) -> None:
    """All but the attention's own dropout, which has no module in PyTorch's layer to hook into."""
    options = {"norm_first": norm_first, "dropout": 0.3}
    layer, weights = reference_layer(**options)
    layer.self_attn.dropout = 0.0
    block = our_block(TORCH, weights, **options)
    block.self_attn.dropout.p = 0.0
    results = []
    for model in (layer, block):
        impose_dropout(model, TORCH)
        results.append(run(TORCH, model, *data("float64")))
    assert worst(*results) < 1e-12


@each_engine
@pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])
@pytest.mark.parametrize("place", ["self_attn.dropout", "dropout", "dropout1", "dropout2"])
def test_each_dropout_drops_only_in_training(engine: Engine, fused: bool, place: str) -> None:
    _, weights = reference_layer()
    block = our_block(engine, weights, fused=fused)
    x, _ = data("float64")
    plain = run(engine, block, x)
    dict(block.named_modules())[place].p = 0.5
    once, again = (run(engine, block.train(), x) for _ in range(2))
    assert worst(once, plain) > 1e-3
    assert worst(once, again) > 1e-3
    assert worst(run(engine, block.eval(), x), plain) == 0.0
