"""Finds the records that hold given entries, in any order."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from crosscheck.cuts.arrangement import MASKING, TOLERANCE, are_close
from crosscheck.cuts.classes import SORTED_UP_TO
from crosscheck.sides import Array
from crosscheck.traces.signature import Signature, signature
from crosscheck.traces.trace import Trace


class Finder:
    """All records of a trace, by how many entries they have."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.trivial = {r.index for r in trace.records if _is_flat(r.signature)}
        self._sorted: dict[int, Array] = {}
        by_size: dict[int, list[int]] = defaultdict(list)
        for record in trace.records:
            by_size[record.signature.size].append(record.index)
        self._by_size = {size: np.array(indices) for size, indices in by_size.items()}
        self._sums = {
            size: np.array([trace.records[i].signature.sums for i in indices])
            for size, indices in by_size.items()
        }
        self._sizes = {
            size: np.array([trace.records[i].signature.sizes for i in indices])
            for size, indices in by_size.items()
        }

    def of_size(self, size: int) -> list[int]:
        """Return the records of so many entries, in order."""
        return [int(i) for i in self._by_size.get(size, ())]

    def equal(self, array: Array, mark: Signature | None = None) -> list[int]:
        """Return the records that have the same entries as this array, in any order."""
        if array.size not in self._by_size:
            return []
        mark = mark or signature(array)
        indices, sums = self._by_size[array.size], self._sums[array.size]
        with np.errstate(all="ignore"):
            allowed = TOLERANCE * np.maximum(self._sizes[array.size], np.array(mark.sizes))
            near = (np.abs(sums - np.array(mark.sums)) <= allowed).all(axis=1)
        found = [
            int(i)
            for i in indices[near]
            if self.trace.records[i].signature.not_finite == mark.not_finite
        ]
        if not found or array.size > SORTED_UP_TO:
            return found
        expected = np.sort(array, axis=None)
        return [i for i in found if self._has(i, expected)]

    def masked(self, array: Array) -> list[int]:
        """Return the records that have a large negative number for each minus infinity in array.

        All other entries are the same, in any order.
        """
        found: list[int] = []
        if array.size > SORTED_UP_TO:
            return found
        finite = np.sort(array[np.isfinite(array)], axis=None)
        for index in self.of_size(array.size):
            held = self.trace.arrays.get(index)
            if held is None or not finite.size:
                continue
            ours = np.sort(held, axis=None)
            hidden, seen = ours[: -finite.size], ours[-finite.size :]
            if (
                hidden.size
                and hidden.max() < MASKING
                and np.abs(seen - finite).max() <= (TOLERANCE * np.abs(finite).max())
            ):
                found.append(index)
        return found

    def _has(self, index: int, expected: Array) -> bool:
        if index not in self.trace.arrays:
            return True  # its signature has to do
        if index not in self._sorted:
            self._sorted[index] = np.sort(self.trace.arrays[index], axis=None)
        return are_close(self._sorted[index], expected)


def _is_flat(mark: Signature) -> bool:
    """Whether all entries are one number: then the mean of the squares is the mean, squared."""
    if any(mark.not_finite):
        return False
    mean, square = mark.sums[0] / max(mark.size, 1), mark.sums[1] / max(mark.size, 1)
    if mark.size == 1:
        return mean in (0.0, 1.0)
    return bool(square - mean * mean <= 1e-12 * square)
