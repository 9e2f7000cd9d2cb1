"""The third witness: a finite difference of a forward, with a bound of its own error.

Central differences at steps that shrink by a factor of eight are extrapolated (Richardson). Large
steps leave out terms of the series, and small ones lose digits; the step is taken at which both
errors together are smallest. Source: Ridders (1982), Advances in Engineering Software 4.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crosscheck.distance import largest_entry, norm
from crosscheck.sides import Array

STEPS, SHRINK = 8, 8.0  # the last step is 5e-7 of the first
WITNESSED = 1e-6  # what a gradient and the finite difference may differ by, relative
UNCERTAIN = 1e-3  # a finite difference that may be off by this share of the gradient has no say


@dataclass(frozen=True)
class Slope:
    """A directional derivative, and how far it may be off."""

    value: float
    uncertainty: float


@dataclass(frozen=True)
class Along:
    """A gradient, and a finite difference, along one direction."""

    gradient: float  # <gradient, direction>
    size: float  # |gradient * direction|, beside which the rounding of that sum is small
    measured: Slope | None  # None if no step gave a number

    @property
    def difference(self) -> float | None:
        """How far the two are apart, relative; None where the finite difference has no say."""
        if self.measured is None or self.measured.uncertainty > UNCERTAIN * self._scale:
            return None
        off = abs(self.measured.value - self.gradient)
        return off / self._scale if self._scale else 0.0

    @property
    def agrees(self) -> bool | None:
        """Whether the two are the same to what can be measured; None where there is no say."""
        if self.difference is None or self.measured is None:
            return None
        off = abs(self.measured.value - self.gradient)
        return off <= WITNESSED * self._scale + self.measured.uncertainty

    @property
    def _scale(self) -> float:
        return max(self.size, abs(self.measured.value) if self.measured else 0.0)


def along(gradient: Array, direction: Array, measured: Slope | None) -> Along:
    """Return what a gradient says along a direction, beside what was measured there."""
    return Along(float((gradient * direction).sum()), norm(gradient * direction), measured)


def slope(
    function: Callable[[Array], Array], x: Array, direction: Array, dout: Array
) -> Slope | None:
    """Return the derivative of <function(x), dout> along a direction that is not zero, in float64.

    None if no step gives a number.
    """
    largest = 0.25 / largest_entry(direction / widths(x))
    steps = [largest / SHRINK**i for i in range(STEPS)]
    with np.errstate(all="ignore"):
        measured = [_central(function, x, direction, dout, h) for h in steps]
        candidates = [_extrapolated(measured, i) for i in range(STEPS - 1)]
    known = [candidate for candidate in candidates if np.isfinite(candidate.uncertainty)]
    return min(known, key=lambda candidate: candidate.uncertainty, default=None)


def who_is_wrong(ours: float, reference: float, measured: Slope | None) -> str:
    """Return whom a finite difference of the same entry speaks against; empty if it has no say."""
    if measured is None or 4 * measured.uncertainty > abs(ours - reference):
        return ""
    off, theirs_off = abs(ours - measured.value), abs(reference - measured.value)
    if off > 3 * theirs_off:
        return "ours is wrong"
    if theirs_off > 3 * off:
        return "the reference is wrong here"
    return "both are wrong"


def _extrapolated(measured: list[tuple[float, float]], i: int) -> Slope:
    """Return what steps i and i + 1 say together. Finer steps that say otherwise cast doubt.

    Two coarse steps may agree by reaching over one kink; the finer ones do not reach it, and agree
    with one another. If they do not, it is rounding, which says nothing.
    """
    (coarse, _), (fine, noise), *finer = measured[i:]
    square = SHRINK**2
    value = (square * fine - coarse) / (square - 1)
    doubts = [
        abs(other - value) - 4 * abs(other - next_one)
        for (other, _), (next_one, _) in itertools.pairwise(finer)
    ]
    return Slope(value, max(abs(fine - coarse) + 2 * noise, *doubts, 0.0))


def widths(x: Array) -> Array:
    """Return how far each entry may be moved at most: by its own size, and by 1.

    So log and division stay away from their pole, abs from its kink, and sine within a wave.
    """
    entries = np.abs(x[x != 0])
    typical = float(np.exp(np.log(entries).mean())) if entries.size else 1.0
    return np.minimum(np.where(x == 0, typical, np.abs(x)), 1.0)


def _central(
    function: Callable[[Array], Array], x: Array, direction: Array, dout: Array, h: float
) -> tuple[float, float]:
    """Return the central difference at step h, and the rounding error that it may have."""
    ahead, behind = function(x + h * direction) * dout, function(x - h * direction) * dout
    size = max(np.abs(ahead).sum(), np.abs(behind).sum())
    return float((ahead - behind).sum() / (2 * h)), float(np.finfo(np.float64).eps * size / h)
