"""Each mistake is recognised on a pair made with it, and nothing is read into anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hints import RIGHT, SIZES, B, C, T, drawn

from crosscheck.distance import explains, same
from crosscheck.tape.fingerprints import hint


def test_zero_missing_and_of_another_type() -> None:
    assert hint("dx", 0 * RIGHT, RIGHT, SIZES) == "dx is zero: is the way back cut?"
    assert "dx is missing" in hint("dx", None, RIGHT, SIZES)
    assert hint("dx", RIGHT, None, SIZES) == ""
    words = hint("dx", RIGHT, RIGHT.astype(np.float32), SIZES)
    assert (
        words == "dx is float64, not float32: has a constant, such as a NumPy scalar, promoted it?"
    )


@pytest.mark.parametrize(("i", "which"), [(0, "first"), (-1, "last")])
@pytest.mark.parametrize("axis", [0, 1])
def test_summed_over_one_entry_only(i: int, which: str, axis: int) -> None:
    part = np.take(RIGHT, i, axis=axis).sum(axis=0)
    words = hint("dbias", part, RIGHT.sum(axis=(0, 1)), SIZES, {"dout": RIGHT})
    assert words == f"dbias is summed over the {which} entry of axis {axis} only"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_constant_in_each_line(axis: int) -> None:
    shape = list(RIGHT.shape)
    shape[axis] = 1
    words = hint("dx", RIGHT + drawn(*shape, seed=1), RIGHT, SIZES)
    assert words.startswith(f"dx is off by a constant in each line along axis {axis}")


def test_a_multiple_of_what_was_at_hand() -> None:
    out, x = drawn(B, T, C, seed=1), drawn(B, T, C, seed=2)
    share = drawn(B, T, 1, seed=3)
    at_hand = {"x": x, "out": out}
    assert "off by a multiple of (out) in each line" in hint(
        "dx", RIGHT + share * out, RIGHT, SIZES, at_hand
    )
    centered = x - x.mean(axis=-1, keepdims=True)
    assert "off by a multiple of (x - mean) in each line" in hint(
        "dx", RIGHT - share * centered, RIGHT, SIZES, at_hand
    )


def test_what_was_at_hand_returned_as_it_is() -> None:
    dout = drawn(B, T, 1, seed=1)
    words = hint("dx", np.broadcast_to(dout, RIGHT.shape), RIGHT, SIZES, {"dout": dout})
    assert words == "dx is dout itself: is a factor or a mask missing?"


def test_a_factor_of_its_own_in_each_line() -> None:
    words = hint("out", RIGHT * (2 + drawn(B, T, 1, seed=1)), RIGHT, SIZES)
    assert words.startswith("out is off by a factor of its own in each line")


@given(st.integers(0, 10_000), st.sampled_from([(5,), (4, 6), (3, 5, 8)]))
def test_nothing_is_read_into_unrelated_numbers(seed: int, shape: tuple[int, ...]) -> None:
    wrong, right, x, dout = np.random.default_rng(seed).standard_normal((4, *shape))
    assert hint("dx", wrong, right, SIZES, {"x": x, "dout": dout}) == ""


@given(st.integers(0, 10_000), st.sampled_from([1e-3, 1e-5, 1e-10]))
def test_nothing_is_read_into_noise_on_the_right_numbers(seed: int, size: float) -> None:
    right, noise, x = np.random.default_rng(seed).standard_normal((3, 4, 6))
    assert hint("dx", right + size * noise, right, SIZES, {"x": x}) == ""


def test_zero_but_for_rounding() -> None:
    assert hint("dx", 1e-17 * drawn(B, T, C, seed=1), RIGHT, SIZES).startswith(
        "dx is zero but for rounding"
    )
    assert hint("dx", RIGHT, 1e-17 * RIGHT, SIZES).startswith("dx should be zero, but for rounding")


def test_float32_within_float64_is_known_by_its_digits_and_by_its_size() -> None:
    rounded = RIGHT.astype(np.float32).astype(np.float64)
    assert hint("out", rounded, RIGHT, SIZES).startswith("out has only the digits of float32")
    product = drawn(6, 6, seed=1).astype(np.float32) @ drawn(6, 6, seed=2)
    words = hint("out", product, drawn(6, 6, seed=1) @ drawn(6, 6, seed=2), SIZES)
    assert "that is as much as float32 rounds" in words
    assert hint("out", rounded, rounded, SIZES) == ""
    assert hint("out", 3.0 * rounded, rounded, SIZES) == "out is 3x too large, and that is B: " + (
        "is a division by it missing?"
    )


@pytest.mark.parametrize(
    ("times", "words"),
    [(-1, "is bias never added?"), (1, "added twice"), (-2, "is bias subtracted, not added?")],
)
def test_a_bias_that_is_added_otherwise(times: int, words: str) -> None:
    bias = drawn(C, seed=8)
    assert words in hint("out", RIGHT + times * bias, RIGHT, SIZES, {"bias": bias})


def test_a_factor_at_hand_that_is_left_out_or_there_twice() -> None:
    y = 1.5 + drawn(B, T, C, seed=8) ** 2
    at_hand = {"y": y}
    assert "multiplied by y once too often" in hint("dy", RIGHT * y, RIGHT, SIZES, at_hand)
    assert "lacks the factor y^2" in hint("dy", RIGHT / y**2, RIGHT, SIZES, at_hand)
    assert "lacks the factor (1 - y)" in hint("dy", RIGHT / (1 - y), RIGHT, SIZES, at_hand)


def test_what_is_chosen_anew_on_the_way_back() -> None:
    dout, keep = RIGHT, drawn(B, T, C, seed=4) > 0
    right, anew = dout * keep / 0.75, dout * keep[..., ::-1] / 0.75
    assert "are they chosen anew" in hint("dx", anew, right, SIZES, {"dout": dout})
    cut = np.where(dout > 0, dout, 0.0)
    assert "is dout looked at, where x should be?" in hint(
        "dx", cut, dout * keep, SIZES, {"dout": dout}
    )


def test_what_is_no_float_has_no_hint() -> None:
    ids = np.arange(6)
    assert hint("indices", 2 * ids, ids, SIZES) == ""


def test_nan_has_no_hint() -> None:
    wrong = RIGHT.copy()
    wrong[0, 0, 0] = np.nan
    assert hint("dx", wrong, RIGHT, SIZES) == ""


def test_an_explanation_leaves_nearly_nothing_over() -> None:
    noise = drawn(B, T, C, seed=1)
    assert explains(2 * RIGHT, 2 * RIGHT + 1e-5 * noise, RIGHT)
    assert not explains(2 * RIGHT, 2 * RIGHT + 1e-3 * noise, RIGHT)
    assert not explains(RIGHT[:1], 2 * RIGHT, RIGHT)
    assert same(RIGHT * (1 + 1e-15), RIGHT)
    assert not same(RIGHT * (1 + 1e-10), RIGHT)
    assert not same(RIGHT[0], RIGHT)
