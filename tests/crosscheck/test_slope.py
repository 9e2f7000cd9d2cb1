"""The finite difference knows slopes, and how little it knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from crosscheck.slope import slope, widths

X = np.array([0.3, -1.2, 2.0, 1e-4])
DOUT = np.array([1.0, -2.0, 0.5, 3.0])
ALONG = np.array([0.4, 1.3, -0.7, 1.1]) * widths(X)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (np.exp, np.exp),
        (lambda x: np.log(np.abs(x)), lambda x: 1 / x),
        (np.abs, np.sign),
        (lambda x: x**5, lambda x: 5 * x**4),
        (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    ],
)
def test_a_slope_is_right_within_its_uncertainty(
    function: Callable[[np.ndarray], np.ndarray], derivative: Callable[[np.ndarray], np.ndarray]
) -> None:
    exact = float((DOUT * derivative(X) * ALONG).sum())
    found = slope(function, X, ALONG, DOUT)
    assert found is not None
    assert abs(found.value - exact) <= found.uncertainty + 1e-13
    assert found.uncertainty < 1e-5 * abs(exact)


def test_a_kink_that_coarse_steps_reach_over_is_seen_through() -> None:
    kinked = slope(lambda x: np.abs(x - 0.3001), X[:1], np.ones(1), np.ones(1))
    assert kinked is not None
    assert kinked.value == pytest.approx(-1.0, abs=1e-6)


def test_where_nothing_can_be_measured_it_has_no_say() -> None:
    assert slope(lambda x: np.full_like(x, np.nan), X, ALONG, DOUT) is None
    jump = slope(lambda x: np.sign(x - 0.3), X[:1], np.ones(1), np.ones(1))
    assert jump is not None
    assert jump.uncertainty > 0.1 * abs(jump.value)


def test_widths_are_an_entrys_own_size_and_at_most_one() -> None:
    np.testing.assert_allclose(widths(np.array([1e-6, -0.5, 300.0])), [1e-6, 0.5, 1.0])
    np.testing.assert_allclose(widths(np.array([0.0, -0.5])), [0.5, 0.5])
    assert widths(np.zeros(2)).tolist() == [1.0, 1.0]
