"""Do two engines agree on a whole pass, and if not, could they?

A deep stack can multiply a rounding error by a billion, and then no two programs agree, each being
right. Whether this one does is measured: one engine runs once more, on an input whose entries are
moved by one unit in the last place. What that changes is no fault of the other engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from crosscheck.engines import Array
from crosscheck.flow.measure import SMALLEST, Trace, norm

AGREEMENT = 1e-9  # how far apart the engines may be, relative
SHARE = 1e-3  # of a block's largest gradient: what a smaller one is measured against at least
# How far, in the effect of moving the input by one unit in the last place. That is one rounding,
# and 64 blocks of a dozen ops each make about so many.
ROUNDINGS = 1000.0


@dataclass(frozen=True)
class Agreement:
    """difference: between the engines; rounding: what moving the input did, where it was tried."""

    difference: float
    rounding: float | None = None

    @property
    def good(self) -> bool:
        """Whether the difference is small, or no larger than rounding makes it."""
        allowed = ROUNDINGS * (self.rounding or 0.0)
        return self.difference <= AGREEMENT or self.difference <= allowed < math.inf


def difference(one: Trace, two: Trace) -> float:
    """How far apart two traces are: the largest |a - b| / (|b| + floor) over all arrays.

    The floor is 0 for activations and gradients at a block's input. For a parameter it is SHARE of
    the largest gradient in its block: once tokens are alike, the gradients of queries and keys are
    differences of almost equal numbers, and relative to themselves nothing but rounding. What is
    below SMALLEST on both sides agrees, what is not finite does not.
    """
    return max(_differences(one, two), default=0.0)


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
