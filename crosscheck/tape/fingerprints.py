"""Common mistakes, recognised by arithmetic on a wrong array and the right one.

Each check asks one question about the pair. What it says is a hint, not a verdict: the numbers fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.distance import EXPLAINED, explains, norm
from crosscheck.sides import Array
from crosscheck.tape.arrangement import in_places, masked, misplaced, other_shape


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run. A rule may forget to divide or multiply by one of them."""

    B: int | None = None  # sequences
    T: int | None = None  # tokens of a sequence
    C: int | None = None  # channels; None if the model has no attention
    H: int | None = None  # heads; None if the model has no attention

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

    name: what the array is called. at_hand: the other arrays that the rule had, such as its inputs,
    its output and dout. A multiple of one of them may have been added or left out.
    """
    if right is None:
        return ""
    if wrong is None:
        return f"{name} is missing: has it been cut off from the graph?"
    if wrong.dtype != right.dtype:
        return f"{name} is {wrong.dtype}, not {right.dtype}: has a constant promoted it?"
    if wrong.shape != right.shape:
        return other_shape(name, wrong, right)
    if right.dtype.kind != "f":
        return ""
    if np.isneginf(wrong).any() or np.isneginf(right).any():
        return masked(name, wrong, right)
    if not np.isfinite(wrong).all() or not np.isfinite(right).all():
        return ""
    others = {n: a for n, a in (at_hand or {}).items() if a.dtype.kind == "f"}
    return (
        _zero(name, wrong, right)
        or _scaled(name, wrong, right, sizes)
        or _itself(name, wrong, right, others)
        or misplaced(name, wrong, right, sizes.H)
        or in_places(name, wrong, right)
        or _part_of_the_sum(name, wrong, right, others)
        or _off_by_known(name, wrong, right, others)
        or _shifted(name, wrong, right)
        or _missing_term(name, wrong, right, others)
        or _scaled_by_line(name, wrong, right)
    )


def _zero(name: str, wrong: Array, right: Array) -> str:
    return "" if wrong.any() or not right.any() else f"{name} is zero: is the way back cut?"


def _scaled(name: str, wrong: Array, right: Array, sizes: Sizes) -> str:
    """Every entry is off by the same factor, and a size of the run may be that factor."""
    size = norm(right)
    factor = float((wrong / size * (right / size)).sum()) if size else 0.0
    if not explains(factor * right, wrong, right):
        return ""
    if math.isclose(factor, -1.0, rel_tol=EXPLAINED):
        return f"{name} has the wrong sign"
    if math.isclose(factor, 2.0, rel_tol=EXPLAINED):
        is_gradient = name.startswith("d") or name.endswith(".grad")
        question = ": is it added up twice?" if is_gradient else ""
        return f"{name} is twice what it should be{question}"
    if math.isclose(factor, 0.5, rel_tol=EXPLAINED):
        return f"{name} is half of what it should be"
    for times, large, question in (
        (factor, "large", "is a division by it missing?"),
        (1 / factor if factor else 0.0, "small", "is it divided by it once too often?"),
    ):
        names = [text for f, text in sizes.factors() if math.isclose(times, f, rel_tol=EXPLAINED)]
        if names:
            return f"{name} is {times:g}x too {large}, and that is {' or '.join(names)}: {question}"
    if right.size == 1:
        return ""  # any number is some multiple of another
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


def _off_by_known(name: str, wrong: Array, right: Array, at_hand: Mapping[str, Array]) -> str:
    """Something at hand, a bias for instance, has been added, left out, or taken with a sign."""
    for other, array in at_hand.items():
        if array.ndim < right.ndim and array.shape == right.shape[right.ndim - array.ndim :]:
            for times in (-2, -1, 1):
                if array.size > 1 and explains(right + times * array, wrong, right):
                    return (
                        f"{name} is off by {times} times {other}: has it the wrong sign, or none?"
                    )
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
        if array.shape != right.shape or right.shape[-1:] < (2,) or not np.isfinite(array).all():
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
