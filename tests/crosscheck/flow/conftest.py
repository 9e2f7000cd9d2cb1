"""A small plan, and one pass of it, that the tests of the study share."""

from __future__ import annotations

from typing import Any

import pytest

from crosscheck.flow.initial import draw_weights
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, Study, draw_cotangent, draw_input, passes, run_study
from crosscheck.models import ModelOptions

SMALL = ModelOptions(width=8, heads=2, feed_forward=12, context=5, activation="relu")


@pytest.fixture(scope="session")
def small() -> ModelOptions:
    """Sizes that are distinct from each other: C 8, H 2, F 12, T 5."""
    return SMALL


@pytest.fixture(scope="session")
def study() -> Study:
    """Every wiring and initialisation, two depths and two seeds, on both sides."""
    return run_study(Plan(SMALL, depths=(2, 6), seeds=(0, 1)))


@pytest.fixture
def pass_of(small: ModelOptions) -> Any:
    """pass_of(wiring, depth, ...) -> the traces by side of one pass, and the agreement."""

    def run(wiring: Wiring, depth: int = 3, causal: bool = False, x: Any = None) -> Any:
        plan = Plan(small)
        loaded = Stacks(small, plan.sides).load(wiring, draw_weights("xavier", small, depth, 0))
        given = draw_input(plan, 0) if x is None else x
        return passes(loaded, given, draw_cotangent(plan, 0), wiring, causal=causal)

    return run
