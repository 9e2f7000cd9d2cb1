"""Norms, variations and traces, against closed forms, finite differences and PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import torch
import torch_impl
from crosscheck.distance import norm
from crosscheck.flow.initial import draw_weights
from crosscheck.flow.measure import profile, ratio, token_variation, trace
from crosscheck.flow.stacks import WIRINGS, Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input
from crosscheck.in_projection import KEY_BIAS, VALUES
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY, TORCH

each_wiring = pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: wiring.label)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e-300, 1e200])
def test_a_norm_is_the_root_of_squares_at_any_scale(scale: float) -> None:
    """3, 4 and 12 make 13. Squares of 1e-200 are 0 in float64, and those of 1e200 are infinite."""
    assert norm(np.array([[3.0, -4.0], [12.0, 0.0]]) * scale) == pytest.approx(
        13 * scale, rel=1e-15
    )


def test_norms_of_nothing_and_of_what_is_not_finite() -> None:
    assert norm(np.zeros((2, 3))) == 0.0
    assert norm(np.array([1.0, np.inf])) == math.inf
    assert math.isnan(norm(np.array([1.0, np.nan])))


@pytest.mark.parametrize("scale", [1.0, 1e-250])
def test_token_variation_has_its_closed_form(scale: float) -> None:
    """Tokens m + s u and m - s u, m orthogonal to u: s |u| / sqrt(|m|^2 + s^2 |u|^2)."""
    m, u = np.array([3.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])
    for s, expected in ((0.0, 0.0), (1.0, 2 / math.sqrt(13)), (1e-3, 2e-3 / 3)):
        x = np.stack([m + s * u, m - s * u])[None] * scale
        assert token_variation(x) == pytest.approx(expected, rel=1e-5)
    assert token_variation(np.stack([u, -u])) == pytest.approx(1.0)
    assert token_variation(np.zeros((1, 2, 3))) == 0.0


def test_a_ratio_to_nothing_is_nothing() -> None:
    assert ratio(3.0, 4.0) == 0.75
    assert ratio(1.0, 0.0) == ratio(0.0, 0.0) == ratio(1e-310, 1e-305) == 0.0


@each_wiring
def test_the_gradient_at_the_input_is_that_of_finite_differences(
    small: ModelOptions, wiring: Wiring
) -> None:
    """Along a random direction, of the inner product of the output with the cotangent."""
    plan = Plan(small)
    x, cotangent = draw_input(plan, 0), draw_cotangent(plan, 0)
    stack = Stacks(small, [NUMPY]).load(wiring, draw_weights("default", small, 2, 0))[NUMPY]

    def run(x: Any) -> Any:
        return trace(NUMPY, stack, x, cotangent, causal=True, norm=False)

    direction = np.random.default_rng(9).standard_normal(x.shape)
    ahead, behind = (run(x + step * direction).activations[-1] for step in (1e-6, -1e-6))
    measured = ((ahead - behind) * cotangent).sum() / 2e-6
    assert (run(x).gradients[0] * direction).sum() == pytest.approx(measured, rel=1e-6)


@each_wiring
@pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])
def test_a_trace_is_what_pytorch_retains(small: ModelOptions, wiring: Wiring, causal: bool) -> None:
    """The hooks of both sides, against retain_grad and a stack put together by hand."""
    weights = draw_weights("kaiming", small, 3, 1)
    plan = Plan(small)
    x, cotangent = draw_input(plan, 1), draw_cotangent(plan, 1)
    layers = [torch.tensor(x, requires_grad=True)]
    for n in range(3):
        block = torch_impl.TransformerBlock(
            8, 2, 12, 0.0, "relu",
            norm_first=wiring.norm == "pre", norm=wiring.norm != "none", residual=wiring.residual,
        ).double()  # fmt: skip
        names = block.state_dict()
        block.load_state_dict({name: torch.tensor(weights[f"{n}.{name}"]) for name in names})
        layers.append(block(layers[-1], is_causal=causal))
        layers[-1].retain_grad()
    out = layers[-1]
    if wiring.norm == "pre":
        out = torch.nn.functional.layer_norm(out, (8,))
    out.backward(torch.tensor(cotangent))
    for side, stack in Stacks(small, plan.sides).load(wiring, weights).items():
        found = trace(side, stack, x, cotangent, causal=causal, norm=wiring.norm == "pre")
        for mine, theirs in zip(found.gradients, layers, strict=True):
            assert theirs.grad is not None
            np.testing.assert_allclose(mine, theirs.grad.numpy(), rtol=1e-9, atol=1e-13)
        for mine, theirs in zip(found.activations, layers, strict=True):
            np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-9, atol=1e-13)


def test_a_second_trace_does_not_add_to_the_first(small: ModelOptions) -> None:
    plan = Plan(small)
    x, cotangent = draw_input(plan, 0), draw_cotangent(plan, 0)
    weights = draw_weights("default", small, 2, 0)
    for side, stack in Stacks(small, plan.sides).load(WIRINGS[0], weights).items():
        one, two = (
            trace(side, stack, x, cotangent, causal=False, norm=True).parameters for _ in range(2)
        )
        for first, second in zip(one, two, strict=True):
            assert first.keys() == second.keys()
            assert all((first[name] == second[name]).all() for name in first)


def test_a_profile_has_a_norm_for_each_part(pass_of: Any) -> None:
    traces, _ = pass_of(Wiring("post", residual=True))
    found = profile(traces[NUMPY])
    assert found.depth == 3
    assert len(found.gradient) == len(found.activation) == len(found.variation) == 4
    assert len(found.parameters) == 16  # 12 parameters, two of them in three parts
    assert traces[NUMPY].parameters[1][VALUES].shape == (8, 8)
    expected = np.linalg.norm(traces[TORCH].parameters[1][VALUES])
    assert found.parameters[VALUES][1] == pytest.approx(float(expected), rel=1e-12)
    assert max(found.parameters[KEY_BIAS]) < 1e-14
