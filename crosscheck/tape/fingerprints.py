"""Common mistakes, recognised by arithmetic on a wrong array and the right one.

Each check asks one question about the pair. What it says is a hint, not a verdict: the numbers fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.engines import Array
from crosscheck.judge import frobenius

CLOSE = 1e-6  # relative: the mistake explains the difference, but for rounding
LARGE = 1 << 16  # entries; above it, orders are not searched for


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run, by which a factor may be forgotten; None where a model has no such."""

    B: int | None = None
    T: int | None = None
    C: int | None = None
    H: int | None = None

    def factors(self) -> Iterator[tuple[float, str]]:
        """Numbers that a derivation may multiply by, and what they are called."""
        B, T, C, H = self.B, self.T, self.C, self.H
        named = {
            "B": B,
            "T": T,
            "B*T": B * T if B and T else None,
            "C": C,
            "H": H,
            "K": C // H if C and H else None,
        }
        for name, size in named.items():
            if size and size > 1:
                yield float(size), name
                yield math.sqrt(size), f"sqrt({name} = {size})"


def hint(
    name: str,
    wrong: Array | None,
    right: Array | None,
    sizes: Sizes,
    at_hand: Mapping[str, Array] | None = None,
) -> str:
    """What kind of mistake turns `right` into `wrong`, in words; empty if none is recognised.

    name: what the array is called. at_hand: what else the rule had (inputs, output, dout), of which
    a multiple may have been added or left out.
    """
    if right is None:
        return ""
    if wrong is None:
        return f"{name} is missing: has it been cut off from the graph?"
    if wrong.dtype != right.dtype:
        return f"{name} is {wrong.dtype}, not {right.dtype}: has a constant promoted it?"
    if wrong.shape != right.shape:
        return _other_shape(name, wrong, right)
    if not np.isfinite(wrong).all() or not np.isfinite(right).all():
        return ""
    return (
        _zero(name, wrong, right)
        or _scaled(name, wrong, right, sizes)
        or _moved(name, wrong, right, sizes)
        or _signs_or_holes(name, wrong, right)
        or _shifted(name, wrong, right)
        or _missing_term(name, wrong, right, at_hand or {})
        or _scaled_by_line(name, wrong, right)
    )


def same(a: Array, b: Array) -> bool:
    """Whether two arrays are equal, but for rounding."""
    if a.shape != b.shape:
        return False
    return frobenius(a - b) <= CLOSE * frobenius(b)


def _other_shape(name: str, wrong: Array, right: Array) -> str:
    if wrong.ndim == 2 and same(wrong.T, right):
        return f"{name} is transposed"
    if wrong.size > right.size:
        return f"{name} has shape {wrong.shape}: is it not summed to {right.shape}?"
    return ""


def _zero(name: str, wrong: Array, right: Array) -> str:
    if frobenius(wrong) <= CLOSE * frobenius(right):
        return f"{name} is zero: is the way back cut?"
    return ""


def _scaled(name: str, wrong: Array, right: Array, sizes: Sizes) -> str:
    """Every entry is off by the same factor, and a size of the run may be that factor."""
    factor = _factor(wrong, right)
    if not same(wrong, factor * right):
        return ""
    if math.isclose(factor, -1.0, rel_tol=CLOSE):
        return f"{name} has the wrong sign"
    if math.isclose(factor, 2.0, rel_tol=CLOSE):
        return f"{name} is twice what it should be: is it added up twice?"
    too_large = [text for f, text in sizes.factors() if math.isclose(factor, f, rel_tol=CLOSE)]
    if too_large:
        return (
            f"{name} is {factor:g}x too large, and that is {' or '.join(too_large)}: "
            "is a division by it missing?"
        )
    too_small = [text for f, text in sizes.factors() if math.isclose(1 / factor, f, rel_tol=CLOSE)]
    if too_small:
        return (
            f"{name} is {1 / factor:g}x too small, and that is {' or '.join(too_small)}: "
            "is it divided by it once too often?"
        )
    return f"{name} is {factor:.6g} times what it should be, in every entry"


def _factor(wrong: Array, right: Array) -> float:
    size = frobenius(right)
    return float((wrong / size * (right / size)).sum())


def _moved(name: str, wrong: Array, right: Array, sizes: Sizes) -> str:
    """The right entries in other places."""
    for first, second in itertools.combinations(range(right.ndim), 2):
        swapped = right.swapaxes(first, second)
        if same(wrong, swapped):
            return f"{name} is transposed: axes {first} and {second} are swapped"
        if same(wrong, swapped.reshape(wrong.shape)):
            return f"{name} has its entries in another order: is a transpose missing?"
    if right.ndim and right.shape[0] % 3 == 0:
        thirds = dict(zip("qkv", np.split(right, 3), strict=True))
        for order in itertools.permutations("qkv"):
            if same(wrong, np.concatenate([thirds[letter] for letter in order])):
                return f"{name} has its thirds q, k, v in the order {', '.join(order)}"
    for axis, size in enumerate(right.shape):
        if permuted := _order(wrong, right, axis):
            what = "heads" if size == sizes.H else "entries"
            return f"{name} has the {what} along axis {axis} permuted: {permuted}"
    if right.size > 1 and same(np.sort(wrong, axis=None), np.sort(right, axis=None)):
        return f"{name} has the right entries in the wrong places"
    return ""


def _order(wrong: Array, right: Array, axis: int) -> list[int] | None:
    """The order in which the slices of right stand in wrong, if they do, and it is not theirs."""
    if right.size * right.shape[axis] > LARGE or right.shape[axis] < 2:
        return None
    ours = np.moveaxis(wrong, axis, 0).reshape(right.shape[axis], -1)
    theirs = np.moveaxis(right, axis, 0).reshape(right.shape[axis], -1)
    distances = np.abs(ours[:, None] - theirs).max(axis=-1)
    order = [int(i) for i in distances.argmin(axis=1)]
    permuted = sorted(order) == list(range(len(order))) and order != sorted(order)
    return order if permuted and same(ours, theirs[order]) else None


def _signs_or_holes(name: str, wrong: Array, right: Array) -> str:
    if same(np.abs(wrong), np.abs(right)):
        return f"some entries of {name} have the wrong sign"
    holes = wrong == 0
    if holes.any() and same(wrong[~holes], right[~holes]):
        return f"{name} is right where it is not zero, and {holes.mean():.0%} of it is zero"
    return ""


def _shifted(name: str, wrong: Array, right: Array) -> str:
    """The same is added along a whole axis: a mean along it was, or was not, subtracted."""
    difference = wrong - right
    for axis in reversed(range(right.ndim)):
        if right.shape[axis] > 1:
            mean = difference.mean(axis=axis, keepdims=True)
            if same(difference, np.broadcast_to(mean, difference.shape)):
                return (
                    f"{name} is off by a constant in each line along axis {axis}: "
                    "is a mean or a sum along it missing?"
                )
    return ""


def _missing_term(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """In each line along the last axis, the difference is a multiple of something at hand."""
    difference = wrong - right
    for other, array in at_hand.items():
        if array.shape != right.shape or array.dtype.kind != "f" or right.ndim == 0:
            continue
        for form, values in {
            other: array,
            f"{other} - mean": array - array.mean(axis=-1, keepdims=True),
        }.items():
            if same(difference, _multiples(difference, values)):
                return (
                    f"{name} is off by a multiple of ({form}) in each line: "
                    "is the term with it missing or wrong?"
                )
    return ""


def _multiples(array: Array, of: Array) -> Array:
    """The nearest to array that is, in each line along the last axis, a multiple of `of`."""
    along = (array * of).sum(axis=-1, keepdims=True)
    length = (of * of).sum(axis=-1, keepdims=True)
    nearest: Array = of * np.divide(along, length, out=np.zeros_like(along), where=length > 0)
    return nearest


def _scaled_by_line(name: str, wrong: Array, right: Array) -> str:
    """Each line along the last axis is off by a factor of its own."""
    if right.ndim and right.shape[-1] > 1 and same(wrong, _multiples(wrong, right)):
        return (
            f"{name} is off by a factor of its own in each line along the last axis: "
            "is what normalises the line computed differently (a total, a variance, eps)?"
        )
    return ""
