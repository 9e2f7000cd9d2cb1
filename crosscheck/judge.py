"""How agreement is judged (law 5 of CONTRIBUTING.md): the arithmetic, and nothing else.

float64 gives the verdict. With a the model's gradient, b the reference's, |.| the Frobenius norm:

    |a - b| <= RELATIVE * |b| + FLOOR * (largest gradient of the model)

An honest implementation is at 1e-15; the bugs we know, at 1e-6 and above. float32 is judged against
the float64 truth: our rounding error may be at most ROUNDING times the reference's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from crosscheck.distance import RELATIVE, norm, relative_error
from crosscheck.sides import Array

FLOOR = 1e-12
FLOOR32 = 1e-5
ROUNDING = 8.0
ROUNDING_FLOOR = 1e-6  # below this, a relative float32 error is a matter of luck, for both sides


class Verdict(StrEnum):
    """What one row of a comparison came to."""

    AGREE = "agree"
    ZERO = "agree, zero"
    DISAGREE = "disagree"
    VACUOUS = "vacuous"
    MISSING = "missing"
    NOT_FINITE = "not finite"
    SHAPE = "shape differs"
    DTYPE = "dtype differs"
    ROUNDING = "rounding"

    @property
    def good(self) -> bool:
        """Whether the row passes."""
        return self in (Verdict.AGREE, Verdict.ZERO)


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what it rests on."""

    verdict: Verdict
    reason: str  # in words; empty for plain agreement
    error: float | None = None  # relative; None where there was nothing to measure


def judge_form(a: Array | None, b: Array | None, dtype: str) -> Judgement | None:
    """What can be said before looking at values: presence, shape, dtype, finiteness."""
    for side, array in (("the model", a), ("the reference", b)):
        if array is None:
            return Judgement(Verdict.MISSING, f"{side} has none")
    assert a is not None  # for the type checker: the loop has seen to it
    assert b is not None
    if a.shape != b.shape:
        return Judgement(Verdict.SHAPE, f"the model {a.shape}, the reference {b.shape}")
    for side, array in (("the model", a), ("the reference", b)):
        if array.dtype != dtype:
            return Judgement(Verdict.DTYPE, f"{side} gave {array.dtype} in a {dtype} run")
        if not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            return Judgement(Verdict.NOT_FINITE, f"{count} of {array.size} entries in {side}")
    return None


def judge_output(a: Array, b: Array) -> Judgement:
    """The float64 verdict on an output or a loss, which has no model to be small beside."""
    return _judge(a, b, floor=0.0)


def judge_gradient(a: Array, b: Array, largest: float) -> Judgement:
    """The float64 verdict on a gradient. largest: the norm of the model's largest gradient.

    A row is vacuous if a wrong gradient would have passed it: one that is off by a hundredth.
    """
    return _judge(a, b, FLOOR * largest)


def judge_zero(a: Array, b: Array, allowed: float) -> Judgement:
    """The verdict on a gradient that theory says is zero: its norm is within `allowed` of it."""
    biggest = max(norm(a), norm(b))
    if biggest <= allowed:
        return Judgement(Verdict.ZERO, "zero, as theory says")
    return Judgement(Verdict.DISAGREE, f"norm {biggest:.1e} where theory says zero")


def _judge(a: Array, b: Array, floor: float) -> Judgement:
    error, size = relative_error(a, b), norm(b)
    allowed = RELATIVE * size + floor
    if size == 0.0 or 0.01 * size <= allowed:
        reason = f"the reference's norm is {size:.1e}: nothing is tested here"
        return Judgement(Verdict.VACUOUS, reason, error)
    if error * size <= allowed:
        return Judgement(Verdict.AGREE, "", error)
    return Judgement(Verdict.DISAGREE, f"{error * size / allowed:.1e} times what is allowed", error)


def judge_rounding(ours: float, theirs: float) -> Judgement:
    """The float32 verdict. ours, theirs: each side's relative error against the float64 truth."""
    if ours <= max(ROUNDING * theirs, ROUNDING_FLOOR):
        return Judgement(Verdict.AGREE, "", ours)
    reason = f"float32 error {ours:.1e}, the reference's own is {theirs:.1e}"
    return Judgement(Verdict.ROUNDING, reason, ours)
