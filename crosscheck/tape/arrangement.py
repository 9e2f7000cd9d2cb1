"""The right entries in the wrong places, or only some of them: the fingerprints of arrangement."""

from __future__ import annotations

import itertools

import numpy as np

from crosscheck.distance import EXACT, same
from crosscheck.in_projection import split
from crosscheck.sides import Array

LARGE = 1 << 16  # entries; above it, orders are not searched for


def other_shape(name: str, wrong: Array, right: Array) -> str:
    """Say what is wrong with an array of another shape."""
    if wrong.ndim == 2 and same(wrong.T, right):
        return f"{name} is transposed"
    if wrong.size > right.size:
        return f"{name} has shape {wrong.shape}: is it not summed to {right.shape}?"
    if wrong.size == right.size:
        return f"{name} has shape {wrong.shape}, not {right.shape}: are its axes in another order?"
    return ""


def misplaced(name: str, wrong: Array, right: Array, heads: int | None) -> str:
    """The right entries in other places."""
    for first, second in itertools.combinations(range(right.ndim), 2):
        swapped = right.swapaxes(first, second)
        if same(wrong, swapped):
            return f"{name} is transposed: axes {first} and {second} are swapped"
        if same(wrong, swapped.reshape(wrong.shape)):
            return f"{name} has its entries in another order: is a transpose missing?"
    if right.ndim and right.shape[0] % 3 == 0:
        parts = split(right)
        for order in itertools.permutations(parts):
            if same(wrong, np.concatenate([parts[letter] for letter in order])):
                return f"{name} has its parts q, k, v in the order {', '.join(order)}"
    for axis, size in enumerate(right.shape):
        if permuted := _order(wrong, right, axis):
            what = "heads" if size == heads else "entries"
            return f"{name} has the {what} along axis {axis} permuted: {permuted}"
    if right.size > 1 and same(np.sort(wrong, axis=None), np.sort(right, axis=None)):
        return f"{name} has the right entries in the wrong places"
    return ""


def _order(wrong: Array, right: Array, axis: int) -> list[int] | None:
    """Return in which other order the slices of right stand in wrong; None if they do not."""
    if right.size * right.shape[axis] > LARGE or right.shape[axis] < 2:
        return None
    ours = np.moveaxis(wrong, axis, 0).reshape(right.shape[axis], -1)
    theirs = np.moveaxis(right, axis, 0).reshape(right.shape[axis], -1)
    distances = np.abs(ours[:, None] - theirs).max(axis=-1)
    order = [int(i) for i in distances.argmin(axis=1)]
    permuted = sorted(order) == list(range(len(order))) and order != sorted(order)
    return order if permuted and same(ours, theirs[order]) else None


def in_places(name: str, wrong: Array, right: Array) -> str:
    """Some entries are right, or all are right except for their signs."""
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
                f"{axis}, {slices[:6].tolist()}{question if name.startswith('d') else ''}"
            )
    return ""


def masked(name: str, wrong: Array, right: Array) -> str:
    """A mask that hides other pairs of query and key."""
    hidden, shown = np.isneginf(wrong), np.isneginf(right)
    more, less = int((hidden & ~shown).sum()), int((shown & ~hidden).sum())
    if not more and not less:
        return ""
    return f"{name} masks {more} entries that it should not, and leaves {less} that it should mask"
