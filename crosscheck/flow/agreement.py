"""Whether two sides agree on a whole pass, and whether they could.

A deep stack can multiply a rounding error by a billion. Then no two programs agree, although each
of them is right. Whether a stack does so is measured: one side runs again, on an input and weights
that are nudged by some units in the last place. What a nudge changes is no fault of the other side.
Where both sides leave the range of float64 in the same layers, nothing is left to compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from crosscheck.amplification import moved
from crosscheck.distance import norm
from crosscheck.flow.measure import SMALLEST, Trace
from crosscheck.sides import Array, Dialect

AGREEMENT = 1e-9  # the relative difference that two sides may always have
SHARE = 1e-3  # of the largest gradient in a block: a smaller one is measured against this much
# By how many units in the last place the nudges move every entry, one after the other. One unit is
# one rounding of each number, and a pass makes many. A ReLU whose input is nearly zero, which one
# side rounds up and the other down, may change everything after it. The larger a nudge is, the more
# often it turns such a ReLU over, up to every other time: 12 nudges miss one in 500. The first that
# explains a difference is the last that is tried, so only real disagreements need them all.
NUDGES = (4, 16, *[64] * 10)
# How many times the largest effect of a nudge the sides may differ by. Where gradients are small
# differences of large numbers, as behind a softmax that picks single tokens, what they are is
# rounding: a nudge of any size then does about as much as the sides differ by, or a little less.
MARGIN = 8.0
# The sides may never differ by more than this: else gradients that are a fifth too large could pass
# for right. Where rounding explains more than this, a difference says nothing, however large it is:
# effects are no longer in proportion, and one nudge may do a thousand times what another does.
CEILING = 0.05


@dataclass(frozen=True)
class Agreement:
    """What the comparison of two sides on one pass came to.

    It is one of three: the sides agree; they differ by more than rounding explains; or the pass is
    not comparable, because nothing that they might differ by could be told from rounding. A pass
    that overflows could not be compared even before: on the way there its rounding has grown as
    large as its numbers.
    """

    difference: float  # between the sides, see `trace_difference`
    rounding: float | None = None  # the largest effect of a nudge; None where none was tried
    overflow: bool = False  # whether both sides leave float64's range in the same layers

    @property
    def explained(self) -> float:
        """How large a difference rounding explains."""
        return max(AGREEMENT, MARGIN * (self.rounding or 0.0))

    @property
    def comparable(self) -> bool:
        """Whether a difference would say anything: neither overflow nor rounding has taken over."""
        return not self.overflow and self.explained <= CEILING

    @property
    def good(self) -> bool:
        """Whether rounding explains the difference, or it says nothing."""
        return not self.comparable or self.difference <= self.explained


Nudge = Callable[[Array], Array]


def judge(difference: float, effect: Callable[[Nudge], float]) -> Agreement:
    """Return what a difference comes to; where it is not small, measure what rounding does.

    effect: makes the pass of the first side again, on nudged numbers, and returns how far it is
    from what it was. It is called for one nudge of NUDGES after the other, until the difference is
    explained or says nothing.
    """
    found = Agreement(difference)
    for seed, units in enumerate(NUDGES):
        if found.good:
            break
        rounding = effect(draw_nudge(units, seed))
        found = Agreement(difference, max(found.rounding or 0.0, rounding))
    return found


def draw_nudge(units: int, seed: int) -> Nudge:
    """Return what moves every entry of an array by so many units in its last place, up or down."""
    return partial(moved, draw=seed, units=units)


@contextmanager
def nudged_weights(side: Dialect, stack: Any, nudge: Nudge) -> Iterator[None]:
    """Within this block the weights of a stack are nudged."""
    weights = side.weights(stack)
    side.load(stack, {name: nudge(weight) for name, weight in weights.items()})
    try:
        yield
    finally:
        side.load(stack, weights)


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
    with np.errstate(all="ignore"):  # what is not finite becomes an infinite difference
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
