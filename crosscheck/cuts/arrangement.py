"""In which order an array of the user's holds the entries of a value."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np

from crosscheck.sides import Array

TOLERANCE = 1e-9  # of the largest entry
LARGE = 1 << 16  # entries; above it, only SAMPLE of them are compared
SAMPLE = 1 << 12
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
            known = any(_axes(array) == _axes(a) for a in arrangements)
            crossed = _is_crossed(_axes(array), turned.shape, axes)
            return Order.TRANSPOSED if known or crossed else Order.PERMUTED
    return Order.SCRAMBLED


def _is_crossed(coarse: Sequence[int], fine: Sequence[int], axes: Sequence[int]) -> bool:
    """Whether axes are merged into one in another order than they had: (K, H) for (H, K).

    coarse: the sizes of an array. fine: those of the axes before they were merged, and `axes` their
    positions in the value. What reads a merged axis reads it by position.
    """
    if len(coarse) >= len(fine):
        return False
    left = list(zip(fine, axes, strict=True))
    for size in coarse:
        count, last = 1, -1
        while count < size and left:
            n, axis = left.pop(0)
            if axis < last:
                return True
            count, last = count * n, axis
    return False


def _axes(array: Array) -> list[int]:
    """The sizes of the axes that have more than one entry."""
    return [n for n in array.shape if n > 1]


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
    if a.size > LARGE:  # some entries tell, and no array is copied
        chosen = np.linspace(0, a.size - 1, SAMPLE).astype(int)
        return are_close(a.flat[chosen], b.flat[chosen])
    return are_close(a.reshape(-1), b.reshape(-1))


def are_close(a: Array, b: Array) -> bool:
    """Whether entries of one shape are equal but for rounding, beside the largest of b.

    NaN is equal to NaN alone, and an infinity to itself.
    """
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return bool(apart.max(initial=0.0) <= TOLERANCE * largest)
