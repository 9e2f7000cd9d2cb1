"""Which of the user's records stands in the place of a value that is lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from crosscheck.cuts.arrangement import views
from crosscheck.cuts.classes import Value
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.pairing import blocks_of
from crosscheck.distance import norm
from crosscheck.sides import Array

MORE = 0.05  # by so much a block must look more like the value than a whole array does
LARGE = 1 << 18  # entries; above it, only a few orders of axes are tried


def counterpart_of(
    value: Value, values: Sequence[Value], graph: Graph, finder: Finder
) -> int | None:
    """Return the record that most looks like a wrong spelling of the value; None if there is none.

    A gradient that is tied to the record of its value is known. Otherwise it is, among the records
    of this size that are no values of the reference, the one whose entries are the nearest.
    """
    records = graph.trace.records
    tied = _tied(value, graph)
    if tied:
        return max(tied, key=lambda i: (round(_likeness(graph, i, value), 9), -i))
    candidates = [
        i for i in finder.of_size(value.size) if not graph.is_right(i) and i not in graph.trivial
    ]
    candidates = [i for i in candidates if records[i].backward == value.backward] or candidates
    reached = _reached(value, values, graph)
    if reached is not None:
        near = [i for i in candidates if i in reached]
        candidates = near if value.backward else near or candidates
    candidates = [i for i in candidates if i not in graph.waypoints] or candidates
    of_blocks = _block(value, graph, finder, reached)
    if not candidates:
        return None if of_blocks is None else of_blocks[1]
    if of_blocks is not None:
        best = max(_likeness(graph, i, value) for i in candidates)
        if of_blocks[0] > best + MORE:
            return of_blocks[1]
    return max(candidates, key=lambda i: (round(_likeness(graph, i, value), 9), -i))


def _block(
    value: Value, graph: Graph, finder: Finder, reached: set[int] | None
) -> tuple[float, int] | None:
    """The record that most looks like a block of the value, and how much it does."""
    best: tuple[float, int] | None = None
    if value.size > LARGE:
        return None
    for array in value.arrays:
        for blocks in blocks_of(array):
            size = blocks[0].size
            if size < 2:
                continue
            for i in finder.of_size(size):
                if graph.is_settled(i) or (reached is not None and i not in reached):
                    continue
                if graph.trace.records[i].backward != value.backward:
                    continue
                alike = max(likeness_of(graph.trace.array(i), [block]) for block in blocks[:1])
                if best is None or alike > best[0] + 1e-9:
                    best = alike, i
    return best


def _tied(value: Value, graph: Graph) -> list[int]:
    """The gradients that arrived last at the records of the value's own value."""
    if value.forward is None:
        return []
    holders = set(graph.pairing.found.get(value.forward, ()))
    last = {r.value: r.index for r in graph.trace.records if r.value in holders}
    return [i for i in last.values() if not graph.is_right(i)]


def _reached(value: Value, values: Sequence[Value], graph: Graph) -> set[int] | None:
    """The records that are computed from all parents of the value that were found."""
    reached: set[int] | None = None
    for parent in value.parents:
        held = graph.pairing.found.get(parent)
        if held and not values[parent].given:
            after = graph.after(held)
            reached = after if reached is None else reached & after
    return reached


def _likeness(graph: Graph, index: int, value: Value) -> float:
    record = graph.trace.records[index]
    if value.size > LARGE:  # its array may be out of reach: the sums have to do
        ours, theirs = record.signature, value.signature
        sizes = zip(ours.sums, theirs.sums, ours.sizes, theirs.sizes, strict=True)
        return 1 - float(np.mean([abs(a - b) / (c + d or 1.0) for a, b, c, d in sizes]))
    return likeness(graph.trace.array(index), value)


def likeness(array: Array, value: Value) -> float:
    """Return how much an array looks like the value, from 0 to 1, in whatever order of axes."""
    return likeness_of(array, value.arrays)


def likeness_of(array: Array, arrangements: Sequence[Array]) -> float:
    """Return how much an array looks like another, of which these are arrangements."""
    flat = _finite(array).reshape(-1)
    if flat.size != arrangements[0].size:
        return 0.0
    size = norm(flat)
    best = 0.0
    for i, view in enumerate(views(arrangements)):
        if i > len(arrangements) and flat.size > LARGE:
            break
        expected = _finite(view).reshape(-1)
        both = size * norm(expected)
        if both:
            best = max(best, abs(float(np.vdot(flat, expected))) / both)
    ours, theirs = np.sort(flat), np.sort(_finite(arrangements[0]), axis=None)
    both = size + norm(theirs)
    close = 1 - norm(ours - theirs) / both if both else 0.0
    return max(best, close * close)


def _finite(array: Array) -> Array:
    """The array with its infinities at zero: a mask puts them there."""
    return np.where(np.isfinite(array), array, 0.0)


def aligned(array: Array, expected: Array) -> Array:
    """Return the array in the shape and the order of axes of what is expected.

    Where no order of axes makes it look most like that but the one it has, it is reshaped.
    """
    if array.size != expected.size:
        return array
    best, chosen = -1.0, array.reshape(expected.shape)
    if expected.size > LARGE:
        return chosen
    for order in _orders(array, expected):
        both = norm(_finite(order)) * norm(_finite(expected))
        alike = abs(float(np.vdot(_finite(order), _finite(expected)))) / both if both else 0.0
        if alike > best + 1e-6:
            best, chosen = alike, order
    return chosen


def _orders(array: Array, expected: Array) -> list[Array]:
    orders = [array.reshape(expected.shape)]
    if expected.ndim <= 4:
        for axes in itertools.permutations(range(expected.ndim)):
            shape = tuple(expected.shape[i] for i in axes)
            back = np.argsort(axes)
            orders.append(array.reshape(shape).transpose(back))
    return orders
