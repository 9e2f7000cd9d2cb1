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
    MARGIN,
    NUDGES,
    Agreement,
    array_difference,
    draw_nudge,
    judge,
    nudged_weights,
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
        (Agreement(1e-4, 1.1e-4 / MARGIN), True),
        (Agreement(1e-4, 0.9e-4 / MARGIN), False),
        (Agreement(0.9 * CEILING, 0.95 * CEILING / MARGIN), True),
        (Agreement(1.1 * CEILING, 0.95 * CEILING / MARGIN), False),
        (Agreement(1.1 * CEILING, 1.05 * CEILING / MARGIN), True),  # not comparable
        (Agreement(math.inf, 1.05 * CEILING / MARGIN), True),  # not comparable
        (Agreement(math.inf, overflow=True), True),
        (Agreement(math.inf, 0.95 * CEILING / MARGIN), False),
        (Agreement(math.nan, 0.95 * CEILING / MARGIN), False),
    ],
)
def test_a_difference_is_good_if_small_or_explained(found: Agreement, good: bool) -> None:
    assert found.good is good


@pytest.mark.parametrize("rounding", np.geomspace(1e-16, 10, 60).tolist())
def test_no_rounding_leaves_a_gap_between_the_limits(rounding: float) -> None:
    """What rounding explains is never called a disagreement; a fifth too large never agrees."""
    explained = Agreement(0.99 * MARGIN * rounding, rounding)
    assert explained.good
    fifth = Agreement(0.2, rounding)
    assert not (fifth.comparable and fifth.good)


def test_nudges_are_tried_until_one_explains_the_difference() -> None:
    sizes: list[float] = []

    def effect(nudge: Any) -> float:
        sizes.append(nudge(np.full(3, 1.5))[0] - 1.5)
        return 1e-6 if len(sizes) == 3 else 1e-12

    assert judge(1e-9, effect) == Agreement(1e-9)
    assert sizes == []
    assert judge(1e-6, effect) == Agreement(1e-6, 1e-6)
    assert [abs(size) / np.spacing(1.5) for size in sizes] == list(NUDGES[:3])
    assert not judge(1e-3, effect).good
    assert len(sizes) == 3 + len(NUDGES)


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
    assert agreement.good


def test_not_even_there_gradients_a_fifth_too_large_pass(chaotic: Any) -> None:
    traces, agreement = chaotic
    assert agreement.comparable
    one = traces[NUMPY]
    off = replace(one, gradients=[1.2 * gradient for gradient in one.gradients])
    wrong = replace(agreement, difference=trace_difference(off, traces[TORCH]))
    assert wrong.difference == pytest.approx(0.2, rel=0.1)
    assert not wrong.good


def test_a_nudge_moves_by_units_in_the_last_place() -> None:
    x = np.random.default_rng(0).standard_normal((1, 5, 8))
    units = (draw_nudge(16, 0)(x) - x) / np.spacing(np.abs(x))
    assert (np.abs(np.abs(units) - 16) <= 8).all()  # half of them, where a power of 2 is passed
    assert 0.2 < (units > 0).mean() < 0.8
    assert (draw_nudge(16, 0)(x) != draw_nudge(16, 1)(x)).any()


def test_nudged_weights_are_put_back(small: ModelOptions) -> None:
    stack = Stacks(small, (NUMPY,)).load(POST, draw_weights("xavier", small, 2, 0))[NUMPY]
    before = NUMPY.weights(stack)
    with nudged_weights(NUMPY, stack, draw_nudge(4, 0)):
        inside = NUMPY.weights(stack)
    after = NUMPY.weights(stack)
    for name, weight in before.items():
        assert (after[name] == weight).all()
        assert ((inside[name] != weight) == (weight != 0)).all()  # zero stays


def test_what_overflows_on_both_sides_could_not_be_compared(pass_of: Any) -> None:
    traces, agreement = pass_of(Wiring("none", residual=True), x=np.full((1, 5, 8), 1e308))
    assert agreement.overflow
    assert agreement.good
    assert not overflow(traces[NUMPY], pass_of(POST)[0][TORCH])
