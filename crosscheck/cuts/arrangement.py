"""In which order an array of the user's holds the entries of a value."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np

from crosscheck.sides import Array

TOLERANCE = 1e-9  # of the largest entry
LARGE = 1 << 20  # entries; above it, only a part of the entries is compared first
MASKING = -1e4  # no score is as low: it hides an entry from a softmax
AXES = 6  # at most so many axes are permuted


class Order(StrEnum):
    """How an array stands to a value with the same entries."""

    SAME = "same"  # equal up to its shape
    PERMUTED = "permuted"  # with its axes in another order
    # The shape is one that the value has, and the axes lie otherwise: what reads it by its shape
    # reads the transposed.
    TRANSPOSED = "transposed"
    SCRAMBLED = "scrambled"  # no order of axes explains it


def order_of(array: Array, arrangements: Sequence[Array]) -> Order:
    """Return how an array stands to a value, of which these are the reference's arrangements.

    All have the same entries, in some order.
    """
    if np.isneginf(arrangements[0]).any():  # a large negative number masks as well
        array = np.where(array < MASKING, -np.inf, array)
    finest = max(arrangements, key=lambda a: sum(n > 1 for n in a.shape))
    finest = finest.reshape([n for n in finest.shape if n > 1] or [1])
    for other in arrangements:
        if is_merged(array.shape, other.shape) and _equal(array, other):
            return Order.SAME
    if finest.ndim > AXES:
        return Order.PERMUTED
    for axes in itertools.permutations(range(finest.ndim)):
        turned = finest.transpose(axes)
        if is_merged(array.shape, turned.shape) and _equal(array, turned):
            known = any(array.shape == a.shape for a in arrangements)
            return Order.TRANSPOSED if known else Order.PERMUTED
    return Order.SCRAMBLED


def is_merged(coarse: Sequence[int], fine: Sequence[int]) -> bool:
    """Whether axes of one shape are runs of axes of the other, merged. Axes of size 1 are none."""
    if math.prod(coarse) != math.prod(fine):
        return False
    one, other = (
        set(itertools.accumulate(coarse, lambda a, b: a * b)),
        set(itertools.accumulate(fine, lambda a, b: a * b)),
    )
    one, other = one - {1}, other - {1}
    return one <= other or other <= one


def views(arrangements: Sequence[Array]) -> Iterator[Array]:
    """The arrangements, and the finest of them with its axes in every other order."""
    yield from arrangements
    finest = max(arrangements, key=lambda a: a.ndim)
    if finest.ndim <= AXES - 1:
        for axes in itertools.permutations(range(finest.ndim)):
            yield finest.transpose(axes)


def _equal(a: Array, b: Array) -> bool:
    a, b = a.reshape(-1), b.reshape(-1)
    if a.size > LARGE and not _close(a[: 1 << 12], b[: 1 << 12]):
        return False
    return _close(a, b)


def _close(a: Array, b: Array) -> bool:
    with np.errstate(invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(a - b))
    largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return bool(np.nanmax(apart, initial=0.0) <= TOLERANCE * largest)
