"""The initialisations have the variances their sources give them, and hold still for a seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import torch
from crosscheck.flow.initial import INITIALISATIONS, draw_weights, scale_branches
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY

WIDE = ModelOptions(width=64, heads=4, feed_forward=96, activation="relu")
DEPTH = 8


@pytest.mark.parametrize(
    ("initialisation", "name", "variance"),
    [
        ("default", "self_attn.in_proj_weight", 2 / (64 + 192)),
        ("default", "self_attn.out_proj.weight", 1 / (3 * 64)),
        ("default", "linear2.weight", 1 / (3 * 96)),
        ("default", "linear2.bias", 1 / (3 * 96)),
        ("xavier", "self_attn.in_proj_weight", 2 / (64 + 64)),
        ("xavier", "linear1.weight", 2 / (64 + 96)),
        ("gpt2", "linear1.weight", 0.02**2),
        ("gpt2", "linear2.weight", 0.02**2 / (2 * DEPTH)),
        ("gpt2", "self_attn.out_proj.weight", 0.02**2 / (2 * DEPTH)),
        ("kaiming", "self_attn.in_proj_weight", 1 / 64),
        ("kaiming", "linear1.weight", 1 / 64),
        ("kaiming", "linear2.weight", 2 / 96),
    ],
)
def test_variances(initialisation: str, name: str, variance: float) -> None:
    weights = draw_weights(initialisation, WIDE, DEPTH, 0)
    drawn = np.concatenate([weights[f"{layer}.{name}"].ravel() for layer in range(DEPTH)])
    spread = 5 * math.sqrt(2 / drawn.size)  # five standard deviations of a normal's variance
    assert np.mean(drawn**2) == pytest.approx(variance, rel=max(spread, 0.01))


def test_the_default_is_pytorchs() -> None:
    """As wide, as high and as even as PyTorch's own layer draws, parameter by parameter."""
    weights = draw_weights("default", WIDE, 1, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.nn.TransformerEncoderLayer(64, 4, 96).state_dict()
    assert {f"0.{name}" for name in theirs} == weights.keys()
    for name, value in theirs.items():
        ours, torchs = weights[f"0.{name}"], value.numpy()
        assert ours.shape == torchs.shape
        assert np.abs(ours).max() == pytest.approx(np.abs(torchs).max(), rel=0.05), name
        assert ours.std() == pytest.approx(torchs.std(), rel=0.15), name


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_a_seed_gives_the_same_blocks_at_any_depth(
    initialisation: str, small: ModelOptions
) -> None:
    short, long = (draw_weights(initialisation, small, depth, 3) for depth in (2, 4))
    other = draw_weights(initialisation, small, 2, 4)
    for name, value in short.items():
        scaled = initialisation == "gpt2" and name.endswith(("out_proj.weight", "linear2.weight"))
        np.testing.assert_allclose(value, long[name] * (math.sqrt(2) if scaled else 1), rtol=1e-15)
        assert value.ndim < 2 or not (value == other[name]).any()
    assert not (short["0.linear1.weight"] == short["1.linear1.weight"]).any()


@pytest.mark.parametrize("norm", ["pre", "none"])
def test_scaled_branches_are_branches_times_the_factor(norm: str, small: ModelOptions) -> None:
    """x + s f(x) within the block, f being the branch of the block as it was."""
    x = np.random.default_rng(0).standard_normal((1, 5, 8))
    weights = draw_weights("default", small, 1, 0)
    stacks, side = Stacks(small, [NUMPY]), NUMPY
    block = stacks.load(Wiring(norm, residual=True), weights)[NUMPY][0]
    middle = x + 0.3 * side.array(block.self_attn(block.norm1(side.tensor(x))))
    branch = block.linear2(block.activation(block.linear1(block.norm2(side.tensor(middle)))))
    expected = middle + 0.3 * side.array(branch)
    scaled = stacks.load(Wiring(norm, residual=True), scale_branches(weights, 0.3))[NUMPY][0]
    np.testing.assert_allclose(side.array(scaled(side.tensor(x))), expected, rtol=1e-12)
