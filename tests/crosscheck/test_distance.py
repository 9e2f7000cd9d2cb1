"""The numbers of a finding: the worst entry is the worst, and the tolerance is the smallest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from crosscheck.distance import gap_between

NUMBERS = st.floats(-1e3, 1e3, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-3)


@given(st.data(), array_shapes(max_dims=3, max_side=4))
def test_the_gap_is_what_numpy_says(data: Any, shape: tuple[int, ...]) -> None:
    a, b = (data.draw(arrays(np.float64, shape, elements=NUMBERS)) for _ in range(2))
    gap = gap_between(a, b)
    difference = np.abs(a - b)
    assert gap.form == ""
    assert difference[gap.worst] == difference.max()
    assert (gap.ours, gap.reference) == (a[gap.worst], b[gap.worst])
    distance, size = np.linalg.norm(a - b), np.linalg.norm(b)
    assert gap.error == pytest.approx(distance / size if size else distance, rel=1e-12)
    assert gap.agrees == (distance <= 1e-10 * size)


@given(st.data(), array_shapes(max_dims=3, max_side=4))
def test_its_error_is_the_smallest_tolerance_that_passes(data: Any, shape: tuple[int, ...]) -> None:
    a, b = (data.draw(arrays(np.float64, shape, elements=NUMBERS)) for _ in range(2))
    error = gap_between(a, b).error
    if error and b.any():
        assert gap_between(a, b, relative=error * (1 + 1e-9)).agrees
        assert not gap_between(a, b, relative=error * (1 - 1e-9)).agrees


ONES = np.ones((2, 3))


def changed(value: float) -> np.ndarray:
    array = ONES.copy()
    array[1, 2] = value
    return array


def test_the_floor_allows_what_is_small_beside_other_gradients() -> None:
    tiny = 1e-14 * ONES
    assert not gap_between(2 * tiny, tiny).agrees
    assert gap_between(2 * tiny, tiny, floor=1e-13).agrees
    assert not gap_between(ONES, tiny, floor=1e-13).agrees


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_the_same_infinity_on_both_sides_is_no_difference(value: float) -> None:
    assert gap_between(changed(value), changed(value)).agrees
    apart = changed(value)
    apart[0, 1] = 1.5
    gap = gap_between(apart, changed(value))
    assert not gap.agrees
    assert gap.worst == (0, 1)
    assert gap.error == pytest.approx(0.5 / np.sqrt(5))


@pytest.mark.parametrize(("ours", "theirs"), [(np.nan, 1.0), (1.0, np.inf), (-np.inf, np.inf)])
def test_an_infinity_on_one_side_is_the_worst_there_is(ours: float, theirs: float) -> None:
    gap = gap_between(changed(ours), changed(theirs))
    assert (gap.agrees, gap.error, gap.worst, gap.form) == (False, np.inf, (1, 2), "not finite")
    assert gap.reference == theirs


@pytest.mark.parametrize(
    ("ours", "theirs", "form"),
    [
        (None, ONES, "missing here"),
        (ONES, None, "missing there"),
        (ONES.T, ONES, "shape (3, 2), the reference has (2, 3)"),
        (ONES.astype(np.float32), ONES, "dtype float32, the reference has float64"),
        (ONES.astype(int), ONES, "dtype int64, the reference has float64"),
    ],
)
def test_what_cannot_be_subtracted_is_told(ours: Any, theirs: Any, form: str) -> None:
    gap = gap_between(ours, theirs)
    assert (gap.agrees, gap.error, gap.form) == (False, np.inf, form)


def test_nothing_against_nothing_agrees() -> None:
    assert gap_between(None, None).agrees
    assert gap_between(np.zeros((0, 3)), np.zeros((0, 3))).agrees


def test_against_zero_the_error_is_absolute() -> None:
    gap = gap_between(changed(4.0) - 1, np.zeros((2, 3)))
    assert (gap.agrees, gap.error, gap.worst) == (False, 3.0, (1, 2))


def test_integers_of_another_width_may_agree() -> None:
    ids = np.arange(6)
    assert gap_between(ids.astype(np.int32), ids).agrees
    assert not gap_between(ids.astype(np.int32) + 1, ids).agrees
