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

EXPLAINED = 1e-4  # of the difference may be left over
EXACT = 1e-12  # relative: equal but for rounding
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
    if right.dtype.kind != "f":
        return ""
    if np.isneginf(wrong).any() or np.isneginf(right).any():
        return _masked(name, wrong, right)
    if not np.isfinite(wrong).all() or not np.isfinite(right).all():
        return ""
    others = {n: a for n, a in (at_hand or {}).items() if a.dtype.kind == "f"}
    return (
        _zero(name, wrong, right)
        or _scaled(name, wrong, right, sizes)
        or _itself(name, wrong, right, others)
        or _moved(name, wrong, right, sizes)
        or _in_places(name, wrong, right)
        or _part_of_the_sum(name, wrong, right, others)
        or _shifted(name, wrong, right)
        or _missing_term(name, wrong, right, others)
        or _scaled_by_line(name, wrong, right)
    )


def same(a: Array, b: Array) -> bool:
    """Whether two arrays are equal, but for rounding."""
    return a.shape == b.shape and frobenius(a - b) <= EXACT * frobenius(b)


def explains(mistake: Array, wrong: Array, right: Array) -> bool:
    """Whether a mistake would have made just this wrong array: it leaves next to nothing over."""
    if mistake.shape != wrong.shape:
        return False
    left_over = frobenius(wrong - mistake)
    return left_over <= EXPLAINED * frobenius(wrong - right) + EXACT * frobenius(right)


def _other_shape(name: str, wrong: Array, right: Array) -> str:
    if wrong.ndim == 2 and same(wrong.T, right):
        return f"{name} is transposed"
    if wrong.size > right.size:
        return f"{name} has shape {wrong.shape}: is it not summed to {right.shape}?"
    if wrong.size == right.size:
        return f"{name} has shape {wrong.shape}, not {right.shape}: are its axes in another order?"
    return ""


def _masked(name: str, wrong: Array, right: Array) -> str:
    """A mask that hides other pairs of query and key."""
    hidden, shown = np.isneginf(wrong), np.isneginf(right)
    more, less = int((hidden & ~shown).sum()), int((shown & ~hidden).sum())
    if not more and not less:
        return ""
    return f"{name} masks {more} entries that it should not, and leaves {less} that it should mask"


def _zero(name: str, wrong: Array, right: Array) -> str:
    return "" if wrong.any() or not right.any() else f"{name} is zero: is the way back cut?"


def _scaled(name: str, wrong: Array, right: Array, sizes: Sizes) -> str:
    """Every entry is off by the same factor, and a size of the run may be that factor."""
    size = frobenius(right)
    factor = float((wrong / size * (right / size)).sum()) if size else 0.0
    if not explains(factor * right, wrong, right):
        return ""
    if math.isclose(factor, -1.0, rel_tol=EXPLAINED):
        return f"{name} has the wrong sign"
    if math.isclose(factor, 2.0, rel_tol=EXPLAINED):
        return f"{name} is twice what it should be: is it added up twice?"
    if math.isclose(factor, 0.5, rel_tol=EXPLAINED):
        return f"{name} is half of what it should be"
    for times, large, question in (
        (factor, "large", "is a division by it missing?"),
        (1 / factor if factor else 0.0, "small", "is it divided by it once too often?"),
    ):
        names = [text for f, text in sizes.factors() if math.isclose(times, f, rel_tol=EXPLAINED)]
        if names:
            return f"{name} is {times:g}x too {large}, and that is {' or '.join(names)}: {question}"
    return f"{name} is {factor:.10g} times what it should be, in every entry"


def _itself(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """Something that the rule was given has been returned as it is, or repeated."""
    for other, array in at_hand.items():
        fits = array.ndim == wrong.ndim and all(
            a in (1, b) for a, b in zip(array.shape, wrong.shape, strict=True)
        )
        if fits and explains(np.broadcast_to(array, wrong.shape), wrong, right):
            return f"{name} is {other} itself: is a factor missing?"
    return ""


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


def _in_places(name: str, wrong: Array, right: Array) -> str:
    """Some entries are right, or all but for their signs."""
    if same(np.abs(wrong), np.abs(right)):
        return f"some entries of {name} have the wrong sign"
    holes = (wrong == 0) & (right != 0)
    if holes.any() and same(wrong[~holes], right[~holes]):
        return f"{name} is right where it is not zero, and {holes.mean():.0%} of it is zero"
    off = np.abs(wrong - right) > EXACT * np.abs(right).max()
    for axis in range(right.ndim - 1):
        others = tuple(i for i in range(right.ndim) if i != axis)
        slices = np.flatnonzero(off.any(axis=others))
        if 0 < len(slices) < right.shape[axis]:
            question = ": are these used more than once, and = is written for +=?"
            return (
                f"{name} is wrong in {len(slices)} of {right.shape[axis]} slices along axis "
                f"{axis}, {slices[:6].tolist()}{question if name != 'out' else ''}"
            )
    return ""


def _part_of_the_sum(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
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


def _shifted(name: str, wrong: Array, right: Array) -> str:
    """The same is added along a whole axis: a mean along it was, or was not, subtracted."""
    for axis in reversed(range(right.ndim)):
        if right.shape[axis] > 1:
            mean = (wrong - right).mean(axis=axis, keepdims=True)
            if explains(right + mean, wrong, right):
                return (
                    f"{name} is off by a constant in each line along axis {axis}: "
                    "is a mean or a sum along it missing?"
                )
    return ""


def _missing_term(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """In each line along the last axis, the difference is a multiple of something at hand."""
    for other, array in at_hand.items():
        if array.shape != right.shape or right.ndim == 0 or not np.isfinite(array).all():
            continue
        for form, values in {
            other: array,
            f"{other} - mean": array - array.mean(axis=-1, keepdims=True),
        }.items():
            if explains(right + _multiples(wrong - right, values), wrong, right):
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
    if right.ndim and right.shape[-1] > 1 and explains(_multiples(wrong, right), wrong, right):
        return (
            f"{name} is off by a factor of its own in each line along the last axis: "
            "is what normalises the line computed differently?"
        )
    return ""
