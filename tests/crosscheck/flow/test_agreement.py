"""When do two sides agree? Planted differences are found, rounding is told from error."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crosscheck.flow.agreement import (
    AGREEMENT,
    CEILING,
    ROUNDINGS,
    Agreement,
    array_difference,
    nudged,
    overflow,
    trace_difference,
)
from crosscheck.flow.initial import draw_weights
from crosscheck.flow.stacks import WIRINGS, Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.in_projection import VALUES
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY, TORCH

POST = Wiring("post", residual=True)


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: wiring.label)
def test_the_sides_agree(pass_of: Any, wiring: Wiring) -> None:
    _, agreement = pass_of(wiring)
    assert agreement.good
    assert 0 < agreement.difference < 1e-12
    assert agreement.rounding is None


@pytest.mark.parametrize("kind", ["activations", "gradients"])
def test_one_array_that_is_off_is_found(pass_of: Any, kind: str) -> None:
    traces, _ = pass_of(POST)
    arrays = list(getattr(traces[NUMPY], kind))
    arrays[1] = arrays[1] * (1 + 1e-6)
    off = replace(traces[NUMPY], **{kind: arrays})
    assert trace_difference(off, traces[TORCH]) == pytest.approx(1e-6, rel=1e-3)


def test_a_parameter_that_is_off_is_found(pass_of: Any) -> None:
    traces, _ = pass_of(POST)
    blocks = [dict(block) for block in traces[NUMPY].parameters]
    blocks[2][VALUES] = blocks[2][VALUES] * 1.001
    off = replace(traces[NUMPY], parameters=blocks)
    assert trace_difference(off, traces[TORCH]) == pytest.approx(1e-3, rel=0.1)
    del blocks[2][VALUES]
    assert trace_difference(off, traces[TORCH]) == math.inf


def test_a_difference_is_relative_and_knows_its_limits() -> None:
    one = np.array([3.0, 4.0])
    assert array_difference(one, one * 1.5) == pytest.approx(1 / 3)
    assert array_difference(one, one * 1.5, floor=2.5) == pytest.approx(0.25)
    assert array_difference(one * 1e-300, one * 2e-300) == 0.0  # digits have been lost on the way
    assert array_difference(one * 1e-280, one * 2e-280) == pytest.approx(0.5)
    for bad in (np.nan, np.inf):
        for other in (one, np.zeros(2)):  # zeros are below all that is compared, but NaN is not
            assert array_difference(one * bad, other) == math.inf
            assert array_difference(other, one * bad) == math.inf


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (Agreement(AGREEMENT), True),
        (Agreement(2 * AGREEMENT), False),
        (Agreement(2 * AGREEMENT, 1e-16), False),
        (Agreement(1e-4, 1e-4), True),
        (Agreement(1e-4, 0.5e-4 / ROUNDINGS), False),
        (Agreement(0.9 * CEILING, 0.5 * CEILING), True),
        (Agreement(1.1 * CEILING, 0.5 * CEILING), False),
        (Agreement(0.5, 1.1 * CEILING), True),  # not comparable
        (Agreement(math.inf, overflow=True), True),
        (Agreement(math.inf, CEILING), False),
        (Agreement(math.nan, CEILING), False),
    ],
)
def test_a_difference_is_good_if_small_or_explained(found: Agreement, good: bool) -> None:
    assert found.good is good


@pytest.fixture(scope="module")
def chaotic() -> Any:
    """A pass whose scores grow until softmax picks single tokens: the last digit decides a lot."""
    model = ModelOptions(width=32, feed_forward=128, context=16, activation="relu")
    plan, wiring = Plan(model), Wiring("none", residual=True)
    loaded = Stacks(model, plan.sides).load(wiring, draw_weights("default", model, 64, 1))
    return passes(loaded, draw_input(plan, 1), draw_cotangent(plan, 1), wiring, causal=False)


def test_rounding_is_measured_where_a_stack_multiplies_it(chaotic: Any) -> None:
    _, agreement = chaotic
    assert agreement.difference > AGREEMENT
    assert agreement.rounding is not None
    assert agreement.roundings == agreement.difference / agreement.rounding
    assert agreement.roundings < 10
    assert agreement.good


def test_not_even_there_gradients_a_fifth_too_large_pass(chaotic: Any) -> None:
    """The limit on multiples of rounding alone would let some of them through."""
    traces, agreement = chaotic
    one = traces[NUMPY]
    off = replace(one, gradients=[1.2 * gradient for gradient in one.gradients])
    wrong = replace(agreement, difference=trace_difference(off, traces[TORCH]))
    assert wrong.difference == pytest.approx(0.2, rel=0.1)
    assert not wrong.good


def test_an_input_is_nudged_by_its_last_digits() -> None:
    x = np.random.default_rng(0).standard_normal((1, 5, 8))
    for near in nudged(x):
        assert (near != x).all()
        assert (np.abs(near - x) <= np.spacing(np.abs(x))).all()


def test_what_overflows_on_both_sides_could_not_be_compared(pass_of: Any) -> None:
    traces, agreement = pass_of(Wiring("none", residual=True), x=np.full((1, 5, 8), 1e308))
    assert agreement.overflow
    assert agreement.good
    assert not overflow(traces[NUMPY], pass_of(POST)[0][TORCH])
