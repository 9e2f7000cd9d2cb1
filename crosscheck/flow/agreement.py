"""Whether two sides agree on a whole pass, and whether they could.

A deep stack can multiply a rounding error by a billion. Then no two programs agree, although each
of them is right. Whether a stack does so is measured: one side runs again, on inputs whose entries
are nudged by one unit in the last place. What a nudge changes is no fault of the other side. Where
both sides leave the range of float64 in the same layers, nothing is left to compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crosscheck.distance import norm
from crosscheck.draws import Stream, draws
from crosscheck.flow.measure import SMALLEST, Trace
from crosscheck.sides import Array

AGREEMENT = 1e-9  # the relative difference that two sides may always have
SHARE = 1e-3  # of the largest gradient in a block: a smaller one is measured against this much
# How many times the effect of a nudge the sides may differ by. A nudge is one rounding, and a pass
# makes many. Of 5 seeds none needs more than a few; a pass that needs more is not wrong for that.
ROUNDINGS = 100.0
# The sides may never differ by more than this. A stack may make so much of rounding that the limit
# above would let gradients pass that are a fifth too large. Where a nudge alone does more than
# this, which happens to some seeds of PyTorch's initialisation without a norm, no difference says
# anything.
CEILING = 0.05


@dataclass(frozen=True)
class Agreement:
    """What the comparison of two sides on one pass came to.

    A pass that overflows could not be compared even before: on the way there its rounding has grown
    as large as its numbers.
    """

    difference: float  # between the sides, see `trace_difference`
    rounding: float | None = None  # the largest effect of a nudge; None where none was tried
    overflow: bool = False  # whether both sides leave float64's range in the same layers

    @property
    def comparable(self) -> bool:
        """Whether a difference would say anything: neither overflow nor rounding has taken over."""
        return not self.overflow and (self.rounding is None or self.rounding <= CEILING)

    @property
    def good(self) -> bool:
        """Whether the difference is small, or rounding explains it, or it says nothing."""
        explained = min(ROUNDINGS * (self.rounding or 0.0), CEILING)
        return not self.comparable or self.difference <= max(AGREEMENT, explained)

    @property
    def roundings(self) -> float | None:
        """The difference as a multiple of the effect of a nudge, where one was tried."""
        return self.difference / self.rounding if self.rounding else None


def nudged(x: Array) -> list[Array]:
    """Return x with every entry nudged by one unit in its last place: up, down, and at random.

    One such nudge may happen to change little; of the three, the largest effect counts.
    """
    either = np.where(draws(Stream.NUDGES, 0).random(x.shape) < 0.5, -np.inf, np.inf)
    return [np.nextafter(x, way) for way in (np.inf, -np.inf, either)]


def trace_difference(one: Trace, two: Trace) -> float:
    """Return the largest `array_difference` of two traces.

    The floor is 0 for activations and for gradients at a block's input. For a parameter it is SHARE
    of the largest gradient in its block: once tokens are alike, the gradients of queries and keys
    are differences of almost equal numbers, and relative to themselves nothing but rounding.
    """
    return max(_differences(one, two), default=0.0)


def _differences(one: Trace, two: Trace) -> Iterator[float]:
    for a, b in zip(one.activations + one.gradients, two.activations + two.gradients, strict=True):
        yield array_difference(a, b)
    for ours, theirs in zip(one.parameters, two.parameters, strict=True):
        if ours.keys() != theirs.keys():
            yield math.inf
            continue
        floor = SHARE * max(map(norm, theirs.values()))
        yield from (array_difference(a, theirs[name], floor) for name, a in ours.items())


def array_difference(a: Array, b: Array, floor: float = 0.0) -> float:
    """Return |a - b| / (|b| + floor).

    It is infinite where an entry is not finite, and 0 where both norms are below SMALLEST.
    """
    gap, size = norm(a - b), norm(b)
    if math.isfinite(gap) and max(norm(a), size) < SMALLEST:
        return 0.0
    return gap / (size + floor) if math.isfinite(gap) and size + floor > 0 else math.inf


def overflow(one: Trace, two: Trace) -> bool:
    """Return whether both traces leave float64's range, and in the same layers."""
    left, same = (
        [not np.isfinite(array).all() for array in found.activations + found.gradients]
        for found in (one, two)
    )
    return any(left) and left == same
