"""An array that is off by one factor in every entry, and what that factor may be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crosscheck.distance import EXPLAINED, explains, norm
from crosscheck.sides import Array

NEARLY_ONE = 1e-6  # a factor as near to 1 as this is a constant with too few digits

# Numbers that formulas have, and what they are called.
CONSTANTS = {
    math.sqrt(2.0): "sqrt(2)",
    math.pi: "pi",
    math.sqrt(math.pi): "sqrt(pi)",
    math.sqrt(2.0 * math.pi): "sqrt(2 pi)",
    2.0 * math.pi: "2 pi",
    1.0 / math.log(2.0): "1 / ln(2)",
    math.log(10.0): "ln(10)",
}


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


def scaled(
    name: str, wrong: Array, right: Array, sizes: Sizes, at_hand: Mapping[str, Array]
) -> str:
    """Every entry is off by the same factor, and what is known of the run may be that factor."""
    size = norm(right)
    factor = float((wrong / size * (right / size)).sum()) if size else 0.0
    if not factor or not explains(factor * right, wrong, right):
        return ""
    if math.isclose(factor, -1.0, rel_tol=EXPLAINED):
        return f"{name} has the wrong sign"
    if abs(factor - 1) < NEARLY_ONE:
        return (
            f"{name} is off by the factor 1 {factor - 1:+.1e}: "
            "has a constant too few digits, or only those of float32?"
        )
    subject = f"{name} has the wrong sign, and" if factor < 0 else name
    if is_ := _is_2_or_half(abs(factor), called(2.0, sizes, at_hand), _is_gradient(name)):
        return f"{subject} {is_}"
    for times, large, question in (
        (abs(factor), "large", "is a division by it missing?"),
        (1 / abs(factor), "small", "is it divided by it once too often?"),
    ):
        if names := " or ".join(called(times, sizes, at_hand)):
            if "n - 1" in names:
                question = "has a variance another correction?"
            return f"{subject} is {times:g}x too {large}, and that is {names}: {question}"
    if right.size == 1:
        return ""  # any number is some multiple of another
    return f"{name} is {factor:.10g} times what it should be, in every entry"


def called(factor: float, sizes: Sizes, at_hand: Mapping[str, Array]) -> list[str]:
    """Return everything known that is this factor, in words."""
    names = [text for f, text in sizes.factors() if _is(factor, f)]
    names += [text for f, text in CONSTANTS.items() if _is(factor, f)]
    axes = {n: None for array in at_hand.values() for n in array.shape if n > 2}
    names += [
        f"n / (n - 1) for n = {n}, the size of an axis" for n in axes if _is(factor, n / (n - 1))
    ]
    return names or [f"the size of an axis, {n}" for n in axes if _is(factor, n)]


def _is_2_or_half(factor: float, names: list[str], is_gradient: bool) -> str:
    """Say so if the factor is one of them. names: what else 2 is called. Both are asked."""
    also = " or ".join(names)
    if _is(factor, 0.5):
        or_else = f", or is it divided by {also} too often" if names else ""
        return f"is half of what it should be: is a factor 2 missing{or_else}?"
    if not _is(factor, 2.0):
        return ""
    cause = "it added up twice" if is_gradient else "a factor 1/2 missing"
    or_else = f", or is a division by {also} missing" if names else ""
    return f"is twice what it should be: is {cause}{or_else}?"


def _is(factor: float, known: float) -> bool:
    return math.isclose(factor, known, rel_tol=EXPLAINED)


def _is_gradient(name: str) -> bool:
    return name.startswith("d") or name.endswith(".grad")
