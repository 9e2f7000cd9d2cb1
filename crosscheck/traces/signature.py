"""The signature of an array: what is the same for all arrays with the same entries in any order.

Two arrays with other signatures hold other numbers. Two with equal signatures very likely hold the
same; where the arrays are at hand, comparing them sorted decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosscheck.sides import Array

TOLERANCE = 1e-9  # of the sum of the absolute values: more than rounding moves a sum


@dataclass(frozen=True)
class Signature:
    """Sums over the finite entries, in float64, and the counts of all others."""

    size: int  # how many entries
    not_finite: tuple[int, int, int]  # how many are NaN, infinity, minus infinity
    sums: tuple[float, ...]  # of x, x**2, x**3
    sizes: tuple[
        float, ...
    ]  # of abs(x), x**2, abs(x)**3: what a sum may be off by is a share of it

    def is_like(self, other: Signature, tolerance: float = TOLERANCE) -> bool:
        """Whether the two may be of arrays with the same entries, but for rounding."""
        return (
            self.size == other.size
            and self.not_finite == other.not_finite
            and all(
                abs(a - b) <= tolerance * max(size, size_of_other)
                for a, b, size, size_of_other in zip(
                    self.sums, other.sums, self.sizes, other.sizes, strict=True
                )
            )
        )


def signature(array: Array) -> Signature:
    """Return the signature of an array of numbers."""
    flat = np.asarray(array, np.float64).reshape(-1)
    finite = np.isfinite(flat)
    strange = (0, 0, 0)
    if not finite.all():
        strange = (
            int(np.isnan(flat).sum()),
            int(np.isposinf(flat).sum()),
            int(np.isneginf(flat).sum()),
        )
        flat = flat[finite]
    with np.errstate(over="ignore", invalid="ignore"):  # a sum that is not finite is like no other
        square, absolute = flat * flat, np.abs(flat)
        sums = float(flat.sum()), float(square.sum()), float((square * flat).sum())
        sizes = float(absolute.sum()), sums[1], float((square * absolute).sum())
    return Signature(int(np.size(array)), strange, sums, sizes)
