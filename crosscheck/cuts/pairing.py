"""Which records of a trace hold which values of the reference: the cuts.

A value is *found* where a record has its entries, in any order; where records have all the blocks
into which an axis cuts it (heads, a loop over the batch, three projections instead of one); or
where a larger record contains it (queries, keys and values side by side).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosscheck.cuts.arrangement import Order, order_of
from crosscheck.cuts.classes import Value
from crosscheck.cuts.finder import Finder
from crosscheck.sides import Array
from crosscheck.traces.signature import signature
from crosscheck.traces.trace import Trace

BLOCKS = 64  # a value is cut into at most so many blocks along one axis
TILED = 64  # and along two axes at once, if they are no longer than this
MERGED = 4096  # and into so many along merged leading axes
LARGE = 1 << 18  # entries; the blocks of a larger value are looked for only if it is lost
FEW = 3  # and at most so many, where the value is large
PACKED = 12  # a record may hold at most so many arrays like the value


@dataclass
class Pairing:
    """The values that were found, and where."""

    found: dict[int, list[int]] = field(default_factory=dict)  # by value: the records, in order
    # By record: the value it holds, or holds a block of. Only where its entries are in an order
    # that axes explain.
    right: dict[int, int] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)  # of the records that hold a value whole
    contained: set[int] = field(default_factory=set)  # values that are found in larger records only
    blocks: set[int] = field(default_factory=set)  # records that hold a block of a value only

    def is_found(self, value: Value) -> bool:
        """Whether the value was given, was found, or is of a kind that proves nothing."""
        return value.given or value.is_trivial or value.index in self.found


def pair(values: Sequence[Value], finder: Finder) -> Pairing:
    """Pair all values of the reference with the records that hold them."""
    pairing = Pairing()
    trace = finder.trace
    candidates: dict[int, list[int]] = defaultdict(list)
    for value in values:
        if value.is_trivial:
            continue
        records = finder.equal(value.array, value.signature)
        if not records and value.signature.not_finite[2]:
            records = finder.masked(value.array)
        if records:
            pairing.found[value.index] = records
            for record in records:
                candidates[record].append(value.index)
    for record, of_record in candidates.items():
        backward = trace.records[record].backward
        index = min(of_record, key=lambda i: (values[i].backward != backward, i))
        order = _order(trace, record, values[index])
        pairing.orders[record] = order
        if order != Order.SCRAMBLED:
            pairing.right[record] = index
    for value in values:
        if pairing.is_found(value):
            continue
        if pieces := in_blocks(value.arrays, finder):
            pairing.found[value.index] = sorted(pieces)
            _note_blocks(pairing, value, pieces, trace)
        elif (larger := _in_larger(value, finder)) is not None:
            pairing.found[value.index] = [larger]
            pairing.contained.add(value.index)
    for value in values:
        _note_more_blocks(pairing, value, finder)
    return pairing


def _note_blocks(pairing: Pairing, value: Value, pieces: Mapping[int, Array], trace: Trace) -> None:
    """These records hold blocks of a value; those in a strange order do not count as right."""
    for record, block in pieces.items():
        if record in pairing.right or record in pairing.orders:
            continue
        held = trace.arrays.get(record)
        order = Order.SAME if held is None else order_of(held, [block])
        pairing.orders[record] = order
        if order != Order.SCRAMBLED:
            pairing.right[record] = value.index
            pairing.blocks.add(record)


def _note_more_blocks(pairing: Pairing, value: Value, finder: Finder) -> None:
    """Note the records that hold a block of a value which is found whole: a loop's own view."""
    if value.is_trivial or value.size > LARGE or not pairing.is_found(value):
        return
    for array in value.arrays:
        for blocks in cuttings(array, finder.of_size):
            unknown = [i for i in finder.of_size(blocks[0].size) if i not in pairing.right]
            if not unknown or blocks[0].size < 2:
                continue
            for block in blocks:
                found = {i: block for i in finder.equal(block) if i not in finder.trivial}
                _note_blocks(pairing, value, found, finder.trace)


def _order(trace: Trace, record: int, value: Value) -> Order:
    if record not in trace.arrays:
        return Order.SAME
    return order_of(trace.arrays[record], value.arrays)


def cuttings(array: Array, is_size: Callable[[int], Any]) -> Iterator[list[Array]]:
    """All ways to cut an array into blocks or tiles whose first has a size that is looked for.

    is_size: whether records of this many entries are there; an array is not cut for nothing.
    """
    yield from (blocks for blocks in blocks_of(array, is_size) if is_size(blocks[0].size))
    yield from (tiles for tiles in tiles_of(array, is_size) if is_size(tiles[0].size))


def blocks_of(array: Array, is_size: Callable[[int], Any] = bool) -> Iterator[list[Array]]:
    """Cut an array along one axis, or along merged leading axes, into equal blocks."""
    for axis, size in enumerate(array.shape):
        for n in range(2, min(size, BLOCKS) + 1):
            if size % n == 0 and is_size(array.size // n):
                yield np.split(array, n, axis=axis)
    count = 1
    for axes in range(1, array.ndim):
        count *= array.shape[axes - 1]
        if axes > 1 and 1 < count <= MERGED:
            yield list(array.reshape(count, *array.shape[axes:]))
    if array.ndim == 4:  # a loop over sequences and heads, where heads stand behind tokens
        B, _, H, _ = array.shape
        if 1 < B * H <= MERGED:
            yield [array[b, :, h] for b in range(B) for h in range(H)]


def tiles_of(array: Array, is_size: Callable[[int], Any] = bool) -> Iterator[list[Array]]:
    """Cut an array into tiles of one length, of which the last is shorter, along one axis.

    Then along both of its last axes, where the tiles may be of one length throughout.
    """
    for axis, size in enumerate(array.shape):
        for length in range(-(-size // BLOCKS), size):
            if length > 1 and size % length and is_size(array.size // size * length):
                yield np.split(array, range(length, size, length), axis=axis)
    if array.ndim > 1 and max(array.shape[-2:]) <= TILED:
        for length in range(2, max(array.shape[-2:])):
            rows = np.split(array, range(length, array.shape[-2], length), axis=-2)
            ends = range(length, array.shape[-1], length)
            yield [tile for row in rows for tile in np.split(row, ends, axis=-1)]


def in_blocks(arrangements: Sequence[Array], finder: Finder) -> dict[int, Array]:
    """Return the records that hold the blocks of one cutting of an array, with their blocks.

    Empty if there is no such cutting.
    """
    for array in arrangements:
        for blocks in cuttings(array, finder.of_size):
            found: dict[int, Array] = {}
            for block in blocks:
                records = finder.equal(block)
                if not records:
                    break
                found |= dict.fromkeys(records, block)
            else:
                whole = {i: block for i, block in found.items() if i not in finder.trivial}
                if whole:
                    return whole
    return {}


def _in_larger(value: Value, finder: Finder) -> int | None:
    """Return a record that contains the value beside others like it; None if there is none."""
    for n in range(2, PACKED + 1 if value.size <= LARGE else FEW + 1):
        for record in finder.of_size(n * value.size):
            array = finder.trace.arrays.get(record)
            if array is None:
                continue
            for part in parts_of(array, n, value.size > LARGE):
                # The sums are cheap, and are seldom equal by chance.
                if abs(part.sum() - value.signature.sums[0]) <= 1e-9 * value.signature.sizes[0]:
                    one = signature(part)
                    if one.is_like(value.signature):
                        return record
    return None


def parts_of(array: Array, n: int, only_beside: bool = False) -> Iterator[Array]:
    """One of n equal parts of an array, along each axis: side by side, or taking turns.

    only_beside: leave out those that take turns.
    """
    for axis, size in enumerate(array.shape):
        if size % n:
            continue
        moved = np.moveaxis(array, axis, 0)
        for groups in range(1, size // n + 1):
            if (size // n) % groups or (only_beside and groups > 1):
                continue
            cut = moved.reshape(groups, n, size // n // groups, *moved.shape[1:])
            for i in range(n):
                yield cut[:, i]
