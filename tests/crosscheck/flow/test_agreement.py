"""When do two engines agree? Planted differences are found, rounding is told from error."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crosscheck.flow.agreement import AGREEMENT, ROUNDINGS, Agreement, apart, difference
from crosscheck.flow.stacks import WIRINGS, Wiring

POST = Wiring("post", residual=True)
VALUES = "self_attn.in_proj_weight[v]"


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: wiring.label)
def test_the_engines_agree(pass_of: Any, wiring: Wiring) -> None:
    _, agreement = pass_of(wiring)
    assert agreement.good
    assert 0 < agreement.difference < 1e-12
    assert agreement.rounding is None


@pytest.mark.parametrize("kind", ["activations", "gradients"])
def test_one_array_that_is_off_is_found(pass_of: Any, kind: str) -> None:
    traces, _ = pass_of(POST)
    arrays = list(getattr(traces["numpy"], kind))
    arrays[1] = arrays[1] * (1 + 1e-6)
    off = replace(traces["numpy"], **{kind: arrays})
    assert difference(off, traces["torch"]) == pytest.approx(1e-6, rel=1e-3)


def test_a_parameter_that_is_off_is_found(pass_of: Any) -> None:
    traces, _ = pass_of(POST)
    blocks = [dict(block) for block in traces["numpy"].parameters]
    blocks[2][VALUES] = blocks[2][VALUES] * 1.001
    off = replace(traces["numpy"], parameters=blocks)
    assert difference(off, traces["torch"]) == pytest.approx(1e-3, rel=0.1)
    del blocks[2][VALUES]
    assert difference(off, traces["torch"]) == math.inf


def test_apart_is_relative_and_knows_its_limits() -> None:
    one = np.array([3.0, 4.0])
    assert apart(one, one * 1.5) == pytest.approx(1 / 3)
    assert apart(one, one * 1.5, floor=2.5) == pytest.approx(0.25)
    assert apart(one * 1e-300, one * 2e-300) == 0.0  # digits have been lost on the way
    assert apart(one * 1e-280, one * 2e-280) == pytest.approx(0.5)
    assert apart(one * np.nan, one) == apart(one, one * np.inf) == math.inf


@pytest.mark.parametrize(
    ("found", "good"),
    [
        (Agreement(AGREEMENT), True),
        (Agreement(2 * AGREEMENT), False),
        (Agreement(2 * AGREEMENT, 1e-16), False),
        (Agreement(1e-4, 1e-4), True),
        (Agreement(1e-4, 0.5e-4 / ROUNDINGS), False),
        (Agreement(math.inf, math.inf), False),
        (Agreement(math.nan, 1.0), False),
    ],
)
def test_a_difference_is_good_if_small_or_explained(found: Agreement, good: bool) -> None:
    assert found.good is good


def test_rounding_is_measured_where_a_stack_multiplies_it(pass_of: Any) -> None:
    """Tokens of a large size, whose scores softmax turns into a choice: the last digit decides."""
    x = 300.0 * np.random.default_rng(0).standard_normal((1, 5, 8))
    _, agreement = pass_of(Wiring("none", residual=True), 24, x=x)
    assert agreement.good
    if agreement.difference > AGREEMENT:
        assert agreement.rounding > agreement.difference / ROUNDINGS
