"""How large an array is, and how far two arrays are apart.

This is the one measure that the whole of crosscheck uses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from crosscheck.sides import Array

SAFE = 1e-130  # norms from here to 1 / SAFE have squares that lose no digit in float64
RELATIVE = 1e-10  # what two float64 arrays that should agree may differ by, relative
EXACT = 1e-12  # what rounding leaves between two arrays that are equal, relative
EXPLAINED = 1e-4  # the share of a difference that a mistake may leave over and still explain it


def norm(array: Array) -> float:
    """Return the Frobenius norm, computed in float64.

    Where squares would leave the range of float64, the array is first divided by its largest entry.
    """
    wide = array.astype(np.float64, copy=False)
    plain = math.sqrt(np.vdot(wide, wide))
    if SAFE <= plain <= 1 / SAFE:
        return plain
    largest = largest_entry(wide)
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(wide / largest))


def largest_entry(array: Array) -> float:
    """Return the largest magnitude of an entry; 0 for an empty array, NaN if there is a NaN."""
    return max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))


def distance(a: Array, b: Array) -> float:
    """Return |a - b|; NaN where both have the same infinity."""
    with np.errstate(invalid="ignore"):
        return norm(a.astype(np.float64) - b)


def relative_error(a: Array, b: Array) -> float:
    """Return |a - b| / |b|; 0 if both are zero, 1 if only b is."""
    difference, size = distance(a, b), norm(b)
    return difference / size if size > 0 else float(difference > 0)


def cosine(a: Array, b: Array) -> float | None:
    """Return the cosine of the angle between two arrays; None if either is zero or not finite."""
    sizes = norm(a), norm(b)
    if not all(0.0 < size < math.inf for size in sizes):
        return None
    return float(np.vdot(a / sizes[0], b / sizes[1]))


def worst_entry(a: Array, b: Array) -> tuple[int, ...]:
    """Return the index of the largest |a - b|. Entries that are equal have no difference."""
    with np.errstate(all="ignore"):
        difference = np.where(a == b, 0.0, np.abs(a.astype(np.float64) - b))
    difference[np.isnan(difference)] = np.inf
    return tuple(int(i) for i in np.unravel_index(np.argmax(difference), difference.shape))


def largest_gradient(gradients: Iterable[Array | None]) -> float:
    """Return the largest norm of the gradients that are there and finite; 0 if there are none."""
    norms = [norm(gradient) for gradient in gradients if gradient is not None]
    return max((size for size in norms if math.isfinite(size)), default=0.0)


def largest_difference(a: Array | None, b: Array | None) -> float:
    """Return the largest |a - b| of an entry; infinite where only one of the two is there."""
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    return largest_entry(a - b)


@dataclass(frozen=True)
class Gap:
    """One of our arrays against the reference's."""

    agrees: bool  # whether the difference is within what was allowed
    error: float  # relative_error, or |ours| where the reference is zero; infinite for a wrong form
    worst: tuple[int, ...] = ()  # the index of the largest difference
    ours: float = 0.0  # our entry there
    reference: float = 0.0  # the reference's entry there
    form: str = ""  # what is wrong before any value is: a missing array, shape, dtype or NaN
    difference: float = 0.0  # |ours - reference|; infinite for a wrong form


AGREES = Gap(agrees=True, error=0.0)


def gap_between(
    ours: Array | None, reference: Array | None, floor: float = 0.0, relative: float = RELATIVE
) -> Gap:
    """Compare two arrays; |ours - reference| may be relative * |reference| + floor.

    Entries that are equal have no difference, infinities and NaNs too: a mask puts -inf into both.
    """
    form = _form(ours, reference)
    if form or ours is None or reference is None:
        return (
            AGREES
            if ours is None and reference is None
            else Gap(False, np.inf, form=form, difference=np.inf)
        )
    with np.errstate(all="ignore"):
        equal = (ours == reference) | (np.isnan(ours) & np.isnan(reference))
        difference = np.where(equal, 0.0, ours.astype(np.float64) - reference)
    if not difference.size:
        return AGREES
    if not np.isfinite(difference).all():
        worst = _first(~np.isfinite(difference))
        ends = float(ours[worst]), float(reference[worst])
        return Gap(False, np.inf, worst, *ends, "not finite", np.inf)
    apart = norm(difference)
    size = norm(np.where(np.isfinite(reference), reference, 0.0))
    worst = _first(np.abs(difference) == np.abs(difference).max())
    return Gap(
        agrees=apart <= relative * size + floor,
        error=apart / size if size > 0 else apart,
        worst=worst,
        ours=float(ours[worst]),
        reference=float(reference[worst]),
        difference=apart,
    )


def _form(ours: Array | None, reference: Array | None) -> str:
    if ours is None or reference is None:
        return "" if ours is reference else "missing here" if ours is None else "missing there"
    if ours.shape != reference.shape:
        return f"shape {ours.shape}, the reference has {reference.shape}"
    if ours.dtype != reference.dtype and "f" in (ours.dtype.kind, reference.dtype.kind):
        return f"dtype {ours.dtype}, the reference has {reference.dtype}"
    return ""


def _first(where: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0])


def same(a: Array, b: Array) -> bool:
    """Whether two arrays are equal to within rounding."""
    return a.shape == b.shape and norm(a - b) <= EXACT * norm(b)


def explains(mistake: Array, wrong: Array, right: Array) -> bool:
    """Whether a mistake would have made just this wrong array: it leaves next to nothing over."""
    if mistake.shape != wrong.shape:
        return False
    left_over = norm(wrong - mistake)
    return left_over <= EXPLAINED * norm(wrong - right) + EXACT * norm(right)
