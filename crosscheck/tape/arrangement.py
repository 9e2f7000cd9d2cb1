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
    if right.ndim in (1, 2) and right.shape[0] % 3 == 0:
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


def repeated(name: str, wrong: Array, right: Array) -> str:
    """Along one axis, all entries are the same, and should not be."""
    for axis, size in enumerate(right.shape):
        first = np.take(wrong, [0], axis=axis)
        if size < 2 or not same(np.broadcast_to(first, wrong.shape), wrong):
            continue
        for i in range(size):
            if same(first, np.take(right, [i], axis=axis)):
                return (
                    f"{name} repeats entry {i} of axis {axis}: is it computed for one entry only?"
                )
        for what, values in (
            ("mean", right.mean(axis, keepdims=True)),
            ("sum", right.sum(axis, keepdims=True)),
        ):
            if same(first, values):
                return f"{name} is its {what} along axis {axis}, in every entry: should it be one?"
        return f"{name} is the same in every entry along axis {axis}, and should not be"
    return ""


def in_places(name: str, wrong: Array, right: Array) -> str:
    """Some entries are right, or all are right except for their signs."""
    if same(np.abs(wrong), np.abs(right)):
        return f"some entries of {name} have the wrong sign"
    off = np.abs(wrong - right) > EXACT * np.abs(right).max()
    if off.all():
        return ""
    if not right[off].any():
        return f"{name} is right, except where it should be zero: is it cut there, or zeroed first?"
    if words := _wrong_slices(name, wrong, off):
        return words
    if not wrong[off].any():
        return f"{name} is right where it is not zero, and {off.mean():.0%} of it is zero"
    return ""


def _wrong_slices(name: str, wrong: Array, off: Array) -> str:
    """Whole slices along an axis, but not all of them, have wrong entries."""
    for axis in range(max(off.ndim - 1, 1)):
        size = off.shape[axis] if off.ndim else 1
        others = tuple(i for i in range(off.ndim) if i != axis)
        slices = np.flatnonzero(off.any(axis=others))
        if not 0 < len(slices) < size:
            continue
        if off.ndim > 2 and axis == off.ndim - 2 and slices.tolist() == list(range(1, size)):
            continue  # under a causal mask the first token sees only itself: right by chance
        is_zero = not np.take(wrong, slices, axis=axis).any()
        how = "zero" if is_zero else "wrong"
        if size - len(slices) == 1 and size > 2:
            (right_one,) = set(range(size)) - set(slices.tolist())
            return (
                f"{name} is right in entry {right_one} of axis {axis} only, and {how} in the "
                f"{len(slices)} others: is one entry computed, and not all?"
            )
        question = ": are these used more than once, and = is written for +=?"
        if is_zero or not name.startswith("d"):
            question = ""
        return (
            f"{name} is {how} in {len(slices)} of {size} slices along axis {axis}, "
            f"{slices[:6].tolist()}{question}"
        )
    return ""


def masked(name: str, wrong: Array, right: Array) -> str:
    """A mask that hides other pairs of query and key."""
    hidden, shown = np.isneginf(wrong), np.isneginf(right)
    more, less = int((hidden & ~shown).sum()), int((shown & ~hidden).sum())
    if not more and not less:
        return ""
    entries = "entry" if more == 1 else "entries"
    return (
        f"{name} masks {more} {entries} that it should not, and leaves {less} that it should mask"
    )
