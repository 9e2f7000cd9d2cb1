"""The arithmetic of the verdicts, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck import judge
from crosscheck.distance import norm, relative_error
from crosscheck.judge import Verdict


def test_the_norm_is_the_root_of_the_sum_of_squares() -> None:
    assert norm(np.array([[3.0, 0.0], [0.0, -4.0]])) == 5.0


def test_the_norm_of_tiny_and_huge_entries_neither_vanishes_nor_overflows() -> None:
    assert norm(np.full(4, 1e-300)) == pytest.approx(2e-300)
    assert norm(np.full(4, 1e300)) == pytest.approx(2e300)
    assert norm(np.full(4, 1e-40, np.float32)) == pytest.approx(2e-40, rel=1e-4)


def test_the_norm_of_nothing_is_zero_and_of_nan_is_nan() -> None:
    assert norm(np.zeros((0, 3))) == 0.0
    assert np.isnan(norm(np.array([1.0, np.nan])))


def test_the_error_is_relative_to_the_reference() -> None:
    b = np.array([3.0, 4.0])
    assert relative_error(b + np.array([0.0, 0.5]), b) == pytest.approx(0.1)
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert relative_error(np.ones(2), np.zeros(2)) == 1.0


@pytest.mark.parametrize(
    ("size", "off", "verdict"),
    [
        (1.0, 0.9e-10, Verdict.AGREE),
        (1.0, 1.2e-10, Verdict.DISAGREE),
        (1e-3, 1.05e-12, Verdict.AGREE),  # the floor, 1e-12 of the largest, is added
        (1e-3, 1.2e-12, Verdict.DISAGREE),
        (1.1e-10, 0.0, Verdict.AGREE),
        (0.9e-10, 1e-19, Verdict.VACUOUS),  # an error of a hundredth, 0.9e-12, would pass
        (0.9e-10, 0.9e-20, Verdict.AGREE),  # to 10 digits, which no floor has helped
        (0.0, 0.0, Verdict.VACUOUS),
    ],
)
def test_a_gradient_beside_a_largest_of_one(size: float, off: float, verdict: Verdict) -> None:
    b = np.array([size])
    assert judge.judge_gradient(b + off, b, largest=1.0).verdict == verdict


def test_an_output_has_no_floor() -> None:
    b = np.array([1e-30])
    assert judge.judge_output(b, b).verdict == Verdict.AGREE
    assert judge.judge_output(b * (1 + 1e-9), b).verdict == Verdict.DISAGREE
    assert judge.judge_output(np.zeros(1), np.zeros(1)).verdict == Verdict.VACUOUS


@pytest.mark.parametrize("side", [0, 1])
def test_an_expected_zero_must_be_zero_on_both_sides(side: int) -> None:
    pair = [np.zeros(3), np.zeros(3)]
    pair[side][1] = 1e-15
    assert judge.judge_zero(*pair, allowed=1e-12).verdict == Verdict.ZERO
    pair[side][1] = 1e-11
    assert judge.judge_zero(*pair, allowed=1e-12).verdict == Verdict.DISAGREE


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (7.9e-6, 1e-6, Verdict.AGREE),
        (8.1e-6, 1e-6, Verdict.ROUNDING),
        (0.9e-6, 1e-9, Verdict.AGREE),  # too small to be anything but luck
        (float("nan"), 1e-6, Verdict.ROUNDING),
    ],
)
def test_rounding_is_measured_by_pytorchs_own(ours: float, theirs: float, verdict: Verdict) -> None:
    assert judge.judge_rounding(ours, theirs).verdict == verdict


def test_form_comes_before_values() -> None:
    good = np.ones(3)
    assert judge.judge_form(good, good, "float64") is None
    forms = {
        Verdict.MISSING: (None, good),
        Verdict.SHAPE: (np.ones(4), good),
        Verdict.DTYPE: (good.astype(np.float32), good),
        Verdict.NOT_FINITE: (np.array([1.0, np.inf, np.nan]), good),
    }
    for verdict, (a, b) in forms.items():
        judgement = judge.judge_form(a, b, "float64")
        assert judgement is not None
        assert judgement.verdict == verdict
        assert not verdict.good
        mirrored = judge.judge_form(b, a, "float64")
        assert mirrored is not None
        assert mirrored.verdict == verdict


def test_a_verdict_is_good_or_proves_nothing_or_is_wrong() -> None:
    good, unproved = (
        ("agree", "agree, zero", "agree, absent"),
        ("vacuous", "amplified", "not checked"),
    )
    for verdict in Verdict:
        kinds = verdict in good, verdict in unproved, verdict not in good + unproved
        assert (verdict.good, verdict.unproved, verdict.wrong) == kinds
