"""Fits, of what is known: powers and exponentials."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crosscheck.flow.fit import factor_per_block, geometric_mean, halves, power


@pytest.mark.parametrize("factor", [0.09, 0.95, 1.0, 3.0])
def test_the_factor_of_a_geometric_series(factor: float) -> None:
    gradients = [7.0 * factor ** (20 - layer) for layer in range(21)]
    assert factor_per_block(gradients) == pytest.approx(factor, rel=1e-12)
    assert halves(gradients) == pytest.approx((factor, factor), rel=1e-12)


def test_what_has_left_the_range_is_left_out() -> None:
    gradients = [0.0, 1e-310, *(1e-280 * 10.0**layer for layer in range(9))]
    assert factor_per_block(gradients) == pytest.approx(0.1)
    assert factor_per_block([0.0, 0.0, 1.0]) == 0.0
    assert factor_per_block([math.inf, 4.0, 2.0]) == pytest.approx(2.0)


def test_halves_tell_ends_apart() -> None:
    """All of it in the first half: 8, 4, 2, 1, 1, 1, 1."""
    first, second = halves([8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    assert (first, second) == (pytest.approx(2.0), pytest.approx(1.0))


def test_a_power_is_found_through_noise() -> None:
    sizes = np.array([8, 16, 32, 64])
    assert power(sizes, 3.0 * sizes**-0.5) == pytest.approx(-0.5)
    noisy = 3.0 * sizes**-0.5 * np.exp([0.01, -0.01, -0.01, 0.01])
    assert power(sizes, noisy) == pytest.approx(-0.5, abs=0.01)


def test_the_geometric_mean() -> None:
    assert geometric_mean([1e-200, 1e-100]) == pytest.approx(1e-150)
    assert geometric_mean([1.0, 0.0]) == 0.0
