"""The signature of an array: what is the same for all arrays with the same entries in any order.

Two arrays with other signatures hold other numbers. Two with equal signatures very likely hold the
same; where the arrays are at hand, comparing them sorted decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosscheck.sides import Array

CHUNK = 1 << 15  # entries that are measured at a time
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
    if np.size(array) > CHUNK:
        return _in_chunks(array)
    flat = np.asarray(array, np.float64).reshape(-1)
    strange = (0, 0, 0)
    if not (finite := np.isfinite(flat)).all():
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


def _in_chunks(array: Array) -> Signature:
    """Return the signature of a large array: no copy of it is made, and chunks stay in the cache.

    Whatever its layout is, its entries are read in the order in which they lie in memory.
    """
    lying = array.transpose(sorted(range(array.ndim), key=lambda i: -abs(array.strides[i])))
    flat = lying.reshape(-1)  # a view, unless it is cut out of a larger array
    parts = [signature(flat[i : i + CHUNK]) for i in range(0, flat.size, CHUNK)]
    a, b, c = (sum(column) for column in zip(*(part.not_finite for part in parts), strict=True))
    sums, sizes = (
        tuple(map(sum, zip(*columns, strict=True)))
        for columns in ([part.sums for part in parts], [part.sizes for part in parts])
    )
    return Signature(flat.size, (a, b, c), sums, sizes)
