"""Do two engines agree on a whole pass, and if not, could they?

A deep stack can multiply a rounding error by a billion, and then no two programs agree, each being
right. Whether this one does is measured: one engine runs again, on inputs whose entries are moved
by one unit in the last place. What that changes is no fault of the other engine. Where both leave
the range of float64 in the same layers, nothing is left to compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crosscheck.engines import Array
from crosscheck.flow.measure import SMALLEST, Trace, norm

AGREEMENT = 1e-9  # how far apart the engines may be, relative
SHARE = 1e-3  # of a block's largest gradient: what a smaller one is measured against at least
# How far, in the effect of moving the input by one unit in the last place: that is one rounding,
# and a pass makes many. Of 5 seeds none needs more than a few; who needs more is not wrong at once.
ROUNDINGS = 100.0
# And never further than this: a stack may make so much of rounding that the limit above would let
# gradients pass that are a fifth too large. Where rounding alone does more than this, which happens
# to some seeds of PyTorch's initialisation without a norm, no difference says anything.
CEILING = 0.05


@dataclass(frozen=True)
class Agreement:
    """difference: between the engines; rounding: what moving the input did, where it was tried.

    overflow: whether both engines leave float64's range, in the same layers. Such a pass could not
    be compared: on the way there its rounding has grown as large as its numbers.
    """

    difference: float
    rounding: float | None = None
    overflow: bool = False

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
        """The difference as a multiple of what moving the input did, where that was tried."""
        return self.difference / self.rounding if self.rounding else None


def moved(x: Array) -> list[Array]:
    """x with every entry moved by one unit in its last place: up, down, and now up, now down.

    One such move may happen to change little; of three, the largest effect counts.
    """
    either = np.where(np.random.default_rng(0).random(x.shape) < 0.5, -np.inf, np.inf)
    return [np.nextafter(x, way) for way in (np.inf, -np.inf, either)]


def difference(one: Trace, two: Trace) -> float:
    """How far apart two traces are: the largest |a - b| / (|b| + floor) over all arrays.

    The floor is 0 for activations and gradients at a block's input. For a parameter it is SHARE of
    the largest gradient in its block: once tokens are alike, the gradients of queries and keys are
    differences of almost equal numbers, and relative to themselves nothing but rounding. What is
    below SMALLEST on both sides agrees, what is not finite does not.
    """
    return max(_differences(one, two), default=0.0)


def overflow(one: Trace, two: Trace) -> bool:
    """Whether both traces leave float64's range, and in the same layers."""
    left, same = (
        [not np.isfinite(array).all() for array in found.activations + found.gradients]
        for found in (one, two)
    )
    return any(left) and left == same


def _differences(one: Trace, two: Trace) -> Iterator[float]:
    for a, b in zip(one.activations + one.gradients, two.activations + two.gradients, strict=True):
        yield apart(a, b)
    for ours, theirs in zip(one.parameters, two.parameters, strict=True):
        sizes = {name: norm(array) for name, array in theirs.items()}
        floor = SHARE * max(sizes.values())
        if ours.keys() != theirs.keys():
            yield math.inf
            continue
        yield from (apart(a, theirs[name], floor) for name, a in ours.items())


def apart(a: Array, b: Array, floor: float = 0.0) -> float:
    """|a - b| / (|b| + floor); see `difference`."""
    if max(size := norm(b), norm(a)) < SMALLEST:
        return 0.0
    distance = norm(a - b)
    known = math.isfinite(distance) and size + floor > 0
    return distance / (size + floor) if known else math.inf
