"""Common mistakes, recognised by arithmetic on a wrong array and the right one.

Each check asks one question about the pair. What it says is a hint, not a verdict: the numbers fit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosscheck.distance import explains, norm, relative_error, same
from crosscheck.sides import Array
from crosscheck.tape.arrangement import in_places, masked, misplaced, other_shape, repeated
from crosscheck.tape.at_hand import (
    chosen_elsewhere,
    factor_at_hand,
    itself,
    missing_term,
    multiples,
    off_by_known,
    part_of_the_sum,
)
from crosscheck.tape.factors import Sizes, scaled

__all__ = ["Sizes", "hint"]

NOTHING = 1e-9  # an array this much smaller than another is nothing but rounding
FLOAT32_ERRORS = 2e-9, 5e-7  # between these lie the relative errors that float32 makes


def hint(
    name: str,
    wrong: Array | None,
    right: Array | None,
    sizes: Sizes,
    at_hand: Mapping[str, Array] | None = None,
) -> str:
    """What kind of mistake turns `right` into `wrong`, in words; empty if none is recognised.

    name: what the array is called. at_hand: the other arrays that the rule had, such as its inputs,
    its output and dout. A multiple of one of them may have been added or left out.
    """
    if right is None:
        return ""
    if wrong is None:
        return f"{name} is missing: has it been cut off from the graph?"
    if wrong.dtype != right.dtype:
        return _other_dtype(name, wrong, right)
    if wrong.shape != right.shape:
        return other_shape(name, wrong, right)
    if right.dtype.kind != "f":
        return ""
    if np.isneginf(wrong).any() or np.isneginf(right).any():
        return masked(name, wrong, right)
    if not np.isfinite(wrong).all() or not np.isfinite(right).all():
        return ""
    if same(wrong, right):
        return ""
    others = {
        n: a
        for n, a in (at_hand or {}).items()
        if n != name and a.dtype.kind == "f" and np.isfinite(a).all()
    }
    return (
        _zero(name, wrong, right)
        or _with_digits_of_float32(name, wrong, right)
        or scaled(name, wrong, right, sizes, others)
        or itself(name, wrong, right, others)
        or misplaced(name, wrong, right, sizes.H)
        or repeated(name, wrong, right)
        or chosen_elsewhere(name, wrong, right, others)
        or in_places(name, wrong, right)
        or part_of_the_sum(name, wrong, right, others)
        or off_by_known(name, wrong, right, others)
        or factor_at_hand(name, wrong, right, others)
        or _shifted(name, wrong, right)
        or missing_term(name, wrong, right, others)
        or _scaled_by_line(name, wrong, right)
        or _as_far_as_float32(name, wrong, right)
    )


def _other_dtype(name: str, wrong: Array, right: Array) -> str:
    cause = "has a constant, such as a NumPy scalar, promoted it?"
    if wrong.dtype.itemsize < right.dtype.itemsize:
        cause = "is it cast, or made without a dtype?"
    return f"{name} is {wrong.dtype}, not {right.dtype}: {cause}"


def _zero(name: str, wrong: Array, right: Array) -> str:
    """One of the two is zero, or so small that it is what rounding leaves of zero."""
    ours, theirs = norm(wrong), norm(right)
    if not wrong.any() and right.any():
        return f"{name} is zero: is the way back cut?"
    if ours <= NOTHING * theirs:
        return (
            f"{name} is zero but for rounding: is something summed that cancels, such as the "
            "gradient of what a softmax or a norm has made?"
        )
    if theirs <= NOTHING * ours:
        return f"{name} should be zero, but for rounding: does a term not cancel?"
    return ""


def _with_digits_of_float32(name: str, wrong: Array, right: Array) -> str:
    """A float64 array of which every entry is a float32 number."""
    if wrong.dtype != np.float64 or relative_error(wrong, right) > FLOAT32_ERRORS[1]:
        return ""
    rounded = wrong.astype(np.float32)
    if (rounded != wrong).any() or (rounded == right).all():
        return ""
    return f"{name} has only the digits of float32: is it computed in float32, or cast to it?"


def _as_far_as_float32(name: str, wrong: Array, right: Array) -> str:
    """Float64 arrays that are as far apart as rounding to float32 puts them."""
    error = relative_error(wrong, right)
    if wrong.dtype != np.float64 or not FLOAT32_ERRORS[0] <= error <= FLOAT32_ERRORS[1]:
        return ""
    return (
        f"{name} is off by {error:.0e}, and that is as much as float32 rounds: is a step of it "
        "computed in float32, or has a constant too few digits?"
    )


def _shifted(name: str, wrong: Array, right: Array) -> str:
    """The same is added along a whole axis: a mean along it was, or was not, subtracted."""
    for axis in reversed(range(right.ndim)):
        if right.shape[axis] > 1:
            mean = (wrong - right).mean(axis=axis, keepdims=True)
            if explains(right + mean, wrong, right):
                return (
                    f"{name} is off by a constant in each line along axis {axis}: "
                    "is a mean or a sum along it missing?"
                )
    return ""


def _scaled_by_line(name: str, wrong: Array, right: Array) -> str:
    """Each line along the last axis is off by a factor of its own."""
    if right.ndim and right.shape[-1] > 1 and explains(multiples(wrong, right), wrong, right):
        return (
            f"{name} is off by a factor of its own in each line along the last axis: "
            "is what normalises the line computed differently?"
        )
    return ""
