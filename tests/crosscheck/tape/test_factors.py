"""A factor in every entry is measured, and called by all that it may be."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.hints import RIGHT, SIZES, B, C, H, K, T, drawn

from crosscheck.tape.fingerprints import Sizes, hint


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-1.0, "dq has the wrong sign"),
        (-5.0, "dq has the wrong sign, and is 5x too large, and that is T"),
        (
            2.0,
            "twice what it should be: is it added up twice, or is a division by sqrt(H = 4) miss",
        ),
        (
            0.5,
            "dq is half of what it should be: is a factor 2 missing, or is it divided by sqrt(H",
        ),
        (math.sqrt(2 * math.pi), "and that is sqrt(2 pi): is a division by it missing?"),
        (1 + 2e-8, "dq is off by the factor 1 +2.0e-08: has a constant too few digits"),
        (math.sqrt(K), "2.64575x too large, and that is sqrt(K = 7): is a division by it missing?"),
        (1 / (B * T), "15x too small, and that is B*T: is it divided by it once too often?"),
        (B * T, "15x too large, and that is B*T: is a division by it missing?"),
        (T, "5x too large, and that is T: is a division by it missing?"),
        (1 / B, "3x too small, and that is B: is it divided by it once too often?"),
        (math.sqrt(C), "5.2915x too large, and that is sqrt(C = 28)"),
        (H, "4x too large, and that is H"),
        (1.7, "dq is 1.7 times what it should be, in every entry"),
    ],
)
def test_a_factor(factor: float, words: str) -> None:
    assert words in hint("dq", factor * RIGHT, RIGHT, SIZES)


def test_a_factor_that_is_two_things_is_called_both() -> None:
    words = hint("dq", 4 * RIGHT, RIGHT, Sizes(B, T, 64, 4))
    assert "4x too large, and that is sqrt(K = 16) or H" in words or "H or sqrt(K = 16)" in words


def test_twice_is_also_the_root_of_a_head_of_four_channels() -> None:
    words = hint("out", 2 * RIGHT, RIGHT, Sizes(C=28, H=7))
    assert words == (
        "out is twice what it should be: is a factor 1/2 missing, "
        "or is a division by sqrt(K = 4) missing?"
    )
    assert hint("out", 2 * RIGHT, RIGHT, Sizes()) == (
        "out is twice what it should be: is a factor 1/2 missing?"
    )


@pytest.mark.parametrize("factor", [7 / 6, 6 / 7])
def test_another_correction_of_the_variance(factor: float) -> None:
    words = hint("out", factor * RIGHT, RIGHT, SIZES, {"x": drawn(B, T, 7)})
    assert "n / (n - 1) for n = 7, the size of an axis: has a variance another correction?" in words


def test_a_factor_by_which_nothing_is_known_has_no_name() -> None:
    words = hint("dq", 5 * RIGHT, RIGHT, Sizes())
    assert words == "dq is 5 times what it should be, in every entry"


@given(st.floats(0.01, 100.0), st.integers(0, 50))
def test_every_factor_is_measured(factor: float, seed: int) -> None:
    assume(abs(factor - 1) > 1e-6)
    assume(min(abs(factor - 2), abs(factor - 0.5)) > 1e-3)
    right = drawn(4, 6, seed=seed)
    words = hint("dx", factor * right, right, Sizes())
    number = words.removeprefix("dx is ").removesuffix(" times what it should be, in every entry")
    assert float(number) == pytest.approx(factor, rel=1e-8)
