"""What a rule had at hand, and left out, took twice, or took in the place of something else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from crosscheck.distance import explains
from crosscheck.sides import Array


def itself(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """Something that the rule was given has been returned as it is, or repeated."""
    for other, array in at_hand.items():
        fits = array.ndim == wrong.ndim and all(
            a in (1, b) for a, b in zip(array.shape, wrong.shape, strict=True)
        )
        if fits and explains(np.broadcast_to(array, wrong.shape), wrong, right):
            return f"{name} is {other} itself: is a factor or a mask missing?"
    return ""


def part_of_the_sum(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """Only one entry of a leading axis of dout has been summed, not all."""
    dout = at_hand.get("dout")
    added = 0 if dout is None else dout.ndim - right.ndim
    if dout is None or added < 1 or dout.shape[added:] != right.shape:
        return ""
    for axis, i in itertools.product(range(added), (0, -1)):
        part = np.take(dout, i, axis=axis)
        if explains(part.sum(axis=tuple(range(added - 1))), wrong, right):
            which = "first" if i == 0 else "last"
            return f"{name} is summed over the {which} entry of axis {axis} only"
    return ""


def off_by_known(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """Something at hand, a bias for instance, is left out, added twice, or has the wrong sign."""
    for other, array in at_hand.items():
        if array.ndim < right.ndim and array.shape == right.shape[right.ndim - array.ndim :]:
            for times, question in (
                (-1, f"is {other} never added?"),
                (-2, f"is {other} subtracted, not added?"),
                (1, f"is {other} added twice, or not subtracted?"),
            ):
                if array.size > 1 and explains(right + times * array, wrong, right):
                    return f"{name} is off by {times} times {other}: {question}"
    return ""


def factor_at_hand(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """A factor that the rule had at hand is left out, or is there once too often."""
    for other, array in at_hand.items():
        if array.size < 2 or not _broadcasts(array, right):
            continue
        for form, values in {
            other: array,
            f"{other}^2": array * array,
            f"(1 - {other})": 1 - array,
        }.items():
            if explains(right * values, wrong, right):
                return (
                    f"{name} is multiplied by {form} once too often: is a division by it missing?"
                )
            if explains(wrong * values, right, wrong):
                return f"{name} lacks the factor {form}, or is divided by it once too often"
    return ""


def chosen_elsewhere(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """Both arrays are dout, or one multiple of it, at some entries, but not at the same ones."""
    dout = at_hand.get("dout")
    if dout is None or dout.shape != right.shape:
        return ""
    kept, should = wrong != 0, right != 0
    if not should.any() or kept.all() or should.all() or (kept == should).all():
        return ""
    there = should & (dout != 0)
    times = float(np.median(right[there] / dout[there])) if there.any() else 0.0
    given = times * dout
    if not explains(given * kept, wrong, right) or not explains(given * should, right, wrong):
        return ""
    if (kept == (dout > 0)).all():
        return f"{name} is cut where dout is negative: is dout looked at, where x should be?"
    return (
        f"{name} lets other entries of dout through than it should: "
        "are they chosen anew, and not kept from the forward?"
    )


def missing_term(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """In each line along the last axis, the difference is a multiple of something at hand."""
    for other, array in at_hand.items():
        if array.shape != right.shape or right.shape[-1:] < (2,):
            continue
        for form, values in _centred(other, array):
            if explains(right + multiples(wrong - right, values), wrong, right):
                return (
                    f"{name} is off by a multiple of ({form}) in each line: "
                    "is the term with it missing or wrong?"
                )
    return ""


def multiples(array: Array, of: Array) -> Array:
    """The nearest to array that is, in each line along the last axis, a multiple of `of`."""
    along = (array * of).sum(axis=-1, keepdims=True)
    length = (of * of).sum(axis=-1, keepdims=True)
    nearest: Array = of * np.divide(along, length, out=np.zeros_like(along), where=length > 0)
    return nearest


def _centred(name: str, array: Array) -> Iterator[tuple[str, Array]]:
    yield name, array
    yield f"{name} - mean", array - array.mean(axis=-1, keepdims=True)


def _broadcasts(array: Array, to: Array) -> bool:
    """Whether array can be stretched to the shape of the other."""
    if array.ndim > to.ndim:
        return False
    pairs = zip(reversed(array.shape), reversed(to.shape), strict=False)
    return all(a in (1, b) for a, b in pairs)
