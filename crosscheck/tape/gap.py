"""How far one array is from another: the numbers of a finding, and whether they pass.

And whether a mistake explains how far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosscheck.engines import Array
from crosscheck.judge import RELATIVE, frobenius

EXPLAINED = 1e-4  # of the difference may be left over
EXACT = 1e-12  # relative: equal but for rounding


@dataclass(frozen=True)
class Gap:
    """One of our arrays against the reference's.

    error: relative, |ours - reference| / |reference|, or |ours - reference| where that is zero;
    infinite where they cannot be subtracted. agrees: whether it is within what was allowed.
    worst: the index of the largest difference, with both values there. form: what is wrong before
    any value is, a missing array, shape, dtype or NaN; else empty.
    """

    agrees: bool
    error: float
    worst: tuple[int, ...] = ()
    ours: float = 0.0
    reference: float = 0.0
    form: str = ""


AGREES = Gap(agrees=True, error=0.0)


def gap_between(
    ours: Array | None, reference: Array | None, floor: float = 0.0, relative: float = RELATIVE
) -> Gap:
    """Compare two arrays; |ours - reference| may be relative * |reference| + floor.

    Entries that are equal have no difference, infinities and NaNs too: a mask puts -inf into both.
    """
    form = _form(ours, reference)
    if form or ours is None or reference is None:
        return AGREES if ours is None and reference is None else Gap(False, np.inf, form=form)
    with np.errstate(all="ignore"):
        equal = (ours == reference) | (np.isnan(ours) & np.isnan(reference))
        difference = np.where(equal, 0.0, ours.astype(np.float64) - reference)
    if not difference.size:
        return AGREES
    if not np.isfinite(difference).all():
        worst = _first(~np.isfinite(difference))
        return Gap(False, np.inf, worst, float(ours[worst]), float(reference[worst]), "not finite")
    distance = frobenius(difference)
    size = frobenius(np.where(np.isfinite(reference), reference, 0.0))
    worst = _first(np.abs(difference) == np.abs(difference).max())
    return Gap(
        agrees=distance <= relative * size + floor,
        error=distance / size if size > 0 else distance,
        worst=worst,
        ours=float(ours[worst]),
        reference=float(reference[worst]),
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
    """Whether two arrays are equal, but for rounding."""
    return a.shape == b.shape and frobenius(a - b) <= EXACT * frobenius(b)


def explains(mistake: Array, wrong: Array, right: Array) -> bool:
    """Whether a mistake would have made just this wrong array: it leaves next to nothing over."""
    if mistake.shape != wrong.shape:
        return False
    left_over = frobenius(wrong - mistake)
    return left_over <= EXPLAINED * frobenius(wrong - right) + EXACT * frobenius(right)
