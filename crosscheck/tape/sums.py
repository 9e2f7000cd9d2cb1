"""What is sent back to each tensor of our run, added up beside the engine.

If a tensor's gradient is not this sum, then the walk back has lost a gradient or taken it too soon.
That is told from our own run alone: no rounding that other ops have amplified can look like it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.arrays import checksum
from crosscheck.distance import gap_between, norm
from crosscheck.sides import Array


@dataclass
class _Sum:
    count: int = 0  # how many gradients were sent
    total: Array | None = None  # in float64; None if there is to be no other gradient
    sizes: float = 0.0  # the sum of their norms: beside it, rounding is small
    checksum: int = 0  # of the only gradient that there is to be

    def is_equal(self, array: Array | None, relative: float) -> bool:
        if self.checksum and array is not None:
            return self.checksum == checksum(array)
        if self.total is not None and not np.isfinite(self.total).all():
            return True  # where numbers overflow, there is no sum to tell from another
        total = (
            self.total if array is None or self.total is None else self.total.astype(array.dtype)
        )
        return gap_between(array, total, relative * self.sizes).agrees


class Sums:
    """The sums by the key of the call that made the tensor, or by the name of a leaf."""

    def __init__(self, uses: Mapping[str, int], relative: float) -> None:
        self._uses = uses  # how many ops use a tensor: what one alone sends is not kept
        self._relative = relative  # what two orders of adding up may differ by
        self._sums: dict[str, _Sum] = {}
        self._counts: dict[str, int] = {}  # how many had been sent when the walk took the sum
        self._wrong: set[str] = set()  # where the walk took something else

    def add(self, key: str, gradient: Array) -> None:
        """Note that a gradient is sent to a tensor."""
        held = self._sums.setdefault(key, _Sum())
        held.count += 1
        if self._uses[key] == 1:
            held.checksum = checksum(gradient)
            return
        held.sizes += norm(gradient)
        held.total = gradient.astype(np.float64) if held.total is None else held.total + gradient

    def taken(self, key: str, dout: Array) -> None:
        """Note that the walk back goes on from this call, with this gradient."""
        held = self._sums.get(key, _Sum())
        self._counts[key] = held.count
        if held.count and not held.is_equal(dout, self._relative):
            self._wrong.add(key)
        held.total = None  # nobody asks for it any more

    def are_wrong(self, key: str) -> bool:
        """Whether the walk took something else, or took it before all gradients were sent."""
        return key in self._wrong or self._sums.get(key, _Sum()).count > self._counts.get(key, 0)

    def is_of_leaf(self, name: str, gradient: Array | None) -> bool:
        """Whether the `.grad` of a leaf is the sum of what was sent to it."""
        return self._sums.get(name, _Sum()).is_equal(gradient, self._relative)
