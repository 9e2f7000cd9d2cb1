"""How agreement is judged (law 5 of CONTRIBUTING.md): the arithmetic, and nothing else.

float64 gives the verdict. With a the model's gradient, b the reference's, |.| the Frobenius norm:

    |a - b| <= RELATIVE * |b| + FLOOR * (largest gradient of the model)

An honest implementation is at 1e-15; the bugs we know, at 1e-6 and above. float32 is judged against
the float64 truth: our rounding error may be at most ROUNDING times the reference's own.

A deep or narrow model can multiply one rounding by a billion. Then honest code fails these limits,
and the reference would fail them against itself. So where a row fails, it is measured what rounding
does to the reference: see `amplification.py`. What that explains is not proved, and no failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from crosscheck.distance import RELATIVE, distance, norm, relative_error
from crosscheck.sides import Array

FLOOR = 1e-12
FLOOR32 = 1e-5
ROUNDING = 8.0
SHARE = 0.5  # of an array: if rounding changes that much, the array is nothing else
ROUNDING_FLOOR = 1e-6  # below this, a relative float32 error is a matter of luck, for both sides


class Verdict(StrEnum):
    """What one row of a comparison came to."""

    AGREE = "agree"
    ZERO = "agree, zero"
    ABSENT = "agree, absent"
    VACUOUS = "vacuous"
    AMPLIFIED = "amplified"
    UNCHECKED = "not checked"
    DISAGREE = "disagree"
    MISSING = "missing"
    NOT_FINITE = "not finite"
    SHAPE = "shape differs"
    DTYPE = "dtype differs"
    ROUNDING = "rounding"

    @property
    def good(self) -> bool:
        """Whether the row passes."""
        return self in (Verdict.AGREE, Verdict.ZERO, Verdict.ABSENT)

    @property
    def unproved(self) -> bool:
        """Whether the row says nothing: neither that the sides agree, nor that they do not."""
        return self in (Verdict.VACUOUS, Verdict.AMPLIFIED, Verdict.UNCHECKED)

    @property
    def wrong(self) -> bool:
        """Whether the sides differ, and nothing excuses it."""
        return not self.good and not self.unproved


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what it rests on."""

    verdict: Verdict
    reason: str  # in words; empty for plain agreement
    error: float | None = None  # relative; None where there was nothing to measure


_USUAL_CAUSE = {
    "float32": "is a float64 number such as np.sqrt(2) among the operands? NumPy 2 promotes by it",
    "float64": "is something converted to float32 on the way?",
}


def judge_form(a: Array | None, b: Array | None, dtype: str) -> Judgement | None:
    """What can be said before looking at values: presence, shape, dtype, finiteness."""
    if a is None and b is None:
        return Judgement(Verdict.ABSENT, "no gradient arrives, on either side")
    if a is None or b is None:
        return Judgement(Verdict.MISSING, f"the {'model' if a is None else 'reference'} has none")
    if a.shape != b.shape:
        return Judgement(Verdict.SHAPE, f"the model {a.shape}, the reference {b.shape}")
    for side, array in (("the model", a), ("the reference", b)):
        if array.dtype != dtype:
            said = f"{side} gave {array.dtype} in a {dtype} run: {_USUAL_CAUSE[dtype]}"
            return Judgement(Verdict.DTYPE, said)
        if not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            return Judgement(Verdict.NOT_FINITE, f"{count} of {array.size} entries in {side}")
    return None


def judge_output(a: Array, b: Array) -> Judgement:
    """The float64 verdict on an output or a loss, which has no model to be small beside."""
    return _judge(a, b, floor=0.0)


def judge_gradient(a: Array, b: Array, largest: float) -> Judgement:
    """The float64 verdict on a gradient. largest: the norm of the model's largest gradient.

    A row is vacuous if a wrong gradient would have passed it: one that is off by a hundredth. But
    where two gradients agree even without the floor, the smallest one is tested.
    """
    return _judge(a, b, FLOOR * largest)


def judge_zero(a: Array, b: Array, allowed: float) -> Judgement:
    """The verdict on a gradient that theory says is zero: its norm is within `allowed` of it."""
    biggest = max(norm(a), norm(b))
    if biggest <= allowed:
        return Judgement(Verdict.ZERO, "zero, as theory says")
    return Judgement(Verdict.DISAGREE, f"norm {biggest:.1e} where theory says zero")


def judge_amplified(judged: Judgement, difference: float, effect: float, size: float) -> Judgement:
    """Judge a difference that is too large once more, beside what rounding does to the reference.

    difference: |ours - theirs|. effect: what moving weights and input by one unit in the last place
    changes in the reference, in the same norm. size: the norm of the reference.
    """
    if difference > ROUNDING * effect:
        return judged
    if effect >= SHARE * size:
        return judge_vanishing(size, judged.error)  # it is nothing but rounding
    reason = (
        f"the difference is {difference:.1e}; but one unit in the last place of the weights and "
        f"the input changes the reference by {effect:.1e}"
    )
    return Judgement(Verdict.AMPLIFIED, reason, judged.error)


def judge_vanishing(size: float, error: float | None = None) -> Judgement:
    """The verdict where the reference's array, of this norm, is too small to test anything."""
    reason = f"the reference's norm is {size:.1e}: nothing is tested here"
    return Judgement(Verdict.VACUOUS, reason, error)


def vanishes(size: float, floor: float) -> bool:
    """Whether a gradient of this norm is so small that one off by a hundredth would pass."""
    return 0.01 * size <= RELATIVE * size + floor


def _judge(a: Array, b: Array, floor: float) -> Judgement:
    error, size, difference = relative_error(a, b), norm(b), distance(a, b)
    allowed = RELATIVE * size + floor
    if difference > allowed:
        times = f"{difference / allowed:.1e} times" if allowed else "more than"
        return Judgement(Verdict.DISAGREE, f"the difference is {times} what is allowed", error)
    agrees_without_floor = size > 0.0 and difference <= RELATIVE * size
    if vanishes(size, floor) and not agrees_without_floor:
        return judge_vanishing(size, error)
    return Judgement(Verdict.AGREE, "", error)


def judge_rounding(ours: float, theirs: float) -> Judgement:
    """The float32 verdict. ours, theirs: each side's relative error against the float64 truth."""
    if ours <= max(ROUNDING * theirs, ROUNDING_FLOOR):
        return Judgement(Verdict.AGREE, "", ours)
    reason = f"float32 error {ours:.1e}, the reference's own is {theirs:.1e}"
    return Judgement(Verdict.ROUNDING, reason, ours)
