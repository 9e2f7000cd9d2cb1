"""The words follow from the numbers: other numbers, other words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from crosscheck.flow.reading import OVERFLOW, UNDERFLOW, conclusion, reading, words
from crosscheck.flow.stacks import WIRINGS, Wiring
from crosscheck.flow.study import Plan, Study, run_study
from crosscheck.flow.summary import Summary, summarise
from crosscheck.sides import NUMPY

BASE = Summary(
    initialisation="xavier", wiring=Wiring("none", residual=False), depth=64,
    factors=(0.5, 0.6), halves=(0.55, 0.55), ratio=1e-17, activation=1e-15, variation=1e-15,
    gradient_variation=0.5, alike_from=2, queries=0.0, difference=1e-13, rounding=None,
    lost=False, agrees=True, last=0.5, first=0.5, inner=0.5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({}, "gradient", "vanishes"),
        ({"ratio": 1e17}, "gradient", "explodes"),
        ({"ratio": 0.02}, "gradient", "changes slowly"),  # 6 % a block
        ({"ratio": 0.02, "depth": 8}, "gradient", "neither vanishes nor explodes"),  # 39 % a block
        ({"ratio": 54.0, "depth": 8}, "gradient", "neither vanishes nor explodes"),
        ({"ratio": 0.5, "depth": 8}, "gradient", "changes slowly"),  # 8 % a block
        ({"ratio": 1e-4, "depth": 8}, "gradient", "vanishes"),
        ({"activation": 0.0, "ratio": 0.0}, "gradient", UNDERFLOW),
        ({"activation": math.inf}, "gradient", OVERFLOW),
        ({"ratio": math.nan}, "gradient", OVERFLOW),
        ({"ratio": math.inf, "variation": math.nan}, "tokens", ""),
        ({"ratio": math.nan}, "queries", ""),
        ({}, "evenly", "by about the same factor in every block"),
        ({"halves": (0.01, 0.9)}, "evenly", "mostly near the input"),
        ({"halves": (0.9, 0.01)}, "evenly", "mostly near the output"),
        ({}, "tokens", "become alike"),
        ({"variation": 0.02}, "tokens", "draw together"),
        ({"variation": 0.5}, "tokens", "stay apart"),
        ({}, "queries", "learn nothing"),
        ({"queries": 0.1}, "queries", ""),
    ],
)
def test_each_rule(change: dict[str, Any], field: str, said: str) -> None:
    assert getattr(words(replace(BASE, **change)), field) == said


def test_what_reads_the_same_is_told_together() -> None:
    other = replace(BASE, initialisation="default", ratio=1e-60, factors=(0.1,))
    different = replace(BASE, initialisation="kaiming", ratio=0.5)
    [(label, lines)] = reading([BASE, other, different])
    assert label == "no norm, no residual"
    assert len(lines) == 2
    assert lines[0].startswith("xavier, default: the gradient vanishes (times 1e-60 to 1e-17 over")
    assert "(0.1 to 0.6 each)" in lines[0]
    assert lines[1].startswith("kaiming: the gradient changes slowly (times 0.5 over 64 blocks)")


def test_the_conclusion_counts() -> None:
    kept = replace(BASE, wiring=WIRINGS[0], ratio=1.0, variation=0.5)
    assert conclusion([kept, BASE, replace(BASE, ratio=1.0)]) == (
        "With residual connections, of 1 stack: the gradient vanishes in 0 and explodes in 0; the "
        "tokens become alike in 0. Without residual connections, of 2 stacks: the gradient "
        "vanishes in 1 and explodes in 0; the tokens become alike in 2."
    )
    assert conclusion([]) == ""


def test_an_overflow_is_no_vanishing() -> None:
    lost = replace(BASE, ratio=math.nan, activation=math.inf)
    assert conclusion([lost]) == (
        "Without residual connections, of 1 stack: the gradient vanishes in 0 and explodes in 0 "
        "and leaves the range of float64 upwards in 1; the tokens become alike in 0."
    )
    assert reading([lost])[0][1] == [f"xavier: the gradient {OVERFLOW}."]


@pytest.fixture(scope="module", params=[0, 50])
def deep(request: pytest.FixtureRequest) -> Study:
    """The study's blocks in stacks of half its depth. Narrower blocks shrink gradients more."""
    seeds = (request.param, request.param + 1)
    plan = Plan(depths=(32,), initialisations=("default", "xavier"), seeds=seeds, sides=(NUMPY,))
    return run_study(plan)


def test_fresh_seeds_read_the_same(deep: Study) -> None:
    """The answer of the study, on seeds it was not written on: what vanishes, and what dies."""
    found = {(s.initialisation, s.wiring): words(s) for s in summarise(deep)}
    for (_, wiring), said in found.items():
        plain = wiring.norm == "none" and not wiring.residual
        assert (said.gradient == "vanishes") == plain, wiring
        if not wiring.residual:
            assert said.tokens == "become alike"
            assert said.queries == "learn nothing"
        elif wiring.norm == "pre":
            assert said.tokens == "stay apart"
