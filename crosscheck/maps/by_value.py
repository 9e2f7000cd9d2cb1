"""Which weight is which where two models hold the same numbers already: found by content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from crosscheck.in_projection import with_parts
from crosscheck.sides import Array


def find_by_value(
    weights: Mapping[str, Array], reference: Mapping[str, Array], places: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the places of the entries of each weight whose numbers the reference holds too.

    weights: the model's. places: those of the reference's weights. Numbers are compared as float32.
    A weight whose entries are all equal shows nothing, and is left out like one that is not found.
    """
    size = 1 + max((int(array.max()) for array in places.values()), default=-1)
    flat = np.zeros(size, np.float32)
    for name, array in places.items():
        flat[array] = reference[name]
    found, lookup = {}, None
    for name, weight in weights.items():
        held = weight.astype(np.float32)
        if is_constant(held):
            continue
        index = next((i for i in _usual(held, places) if np.array_equal(flat[i], held)), None)
        if index is None:
            lookup = lookup or _Lookup(flat)  # it sorts all numbers, which takes a while
            index = lookup.of(held)
        if index is not None:
            found[name] = index
    return found


def is_constant(array: Array) -> bool:
    """Whether all entries are equal, as where a layer starts with zeros or ones."""
    return not array.size or bool((array == array.flat[0]).all())


class _Lookup:
    """Where a number stands among those of the reference, if it stands there once."""

    def __init__(self, flat: Array) -> None:
        self.order = np.argsort(flat, kind="stable")
        self.values = flat[self.order]

    def of(self, held: Array) -> Array | None:
        """Return the place of each entry; None if a number is not there, or is there twice."""
        low = np.searchsorted(self.values, held, side="left")
        high = np.searchsorted(self.values, held, side="right")
        return self.order[low] if (high - low == 1).all() else None


def _usual(held: Array, places: Mapping[str, Array]) -> Iterator[Array]:
    """Yield the places of each weight of this size, and of its transpose, in the shape of this."""
    whole_and_parts = {**places, **dict(with_parts(places))}
    for array in whole_and_parts.values():
        if array is not None and array.size == held.size:
            yield array.reshape(held.shape)
            yield array.T.reshape(held.shape)
