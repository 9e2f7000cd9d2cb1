"""What a run hands back: the output and the gradients of its leaves, by the model's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.classes import Value, are_equal
from crosscheck.cuts.flow_graph import Graph, Slice
from crosscheck.cuts.segment import segment_of
from crosscheck.cuts.sources_of_lines import (
    hands_back,
    is_loop,
    lines_around,
    names_set,
    setters_of,
)
from crosscheck.cuts.wiring import INSTEAD, wiring_lines
from crosscheck.distance import gap_between, largest_gradient
from crosscheck.judge import FLOOR
from crosscheck.sides import Array

OUTPUT = "output"


def wrong_among(
    actual: Mapping[str, Array | None], expected: Mapping[str, Array | None]
) -> dict[str, Array | None]:
    """Return what of the user's is not as expected, by its name."""
    gradients = [a for name, a in expected.items() if name != OUTPUT]
    floor = FLOOR * largest_gradient(gradients)
    return {
        name: actual.get(name)
        for name, right in expected.items()
        if not gap_between(actual.get(name), right, 0.0 if name == OUTPUT else floor).agrees
    }


def names_of_leaves(
    values: Sequence[Value], expected: Mapping[str, Array | None]
) -> dict[str, list[str]]:
    """Return the model's names for the leaves of the reference, which are known by content."""
    names: dict[str, list[str]] = {}
    for value in values:
        if value.parameter:
            names[value.parameter] = [
                name
                for name, array in expected.items()
                if array is not None and name != OUTPUT and are_equal(array, value.array)
            ]
    return names


def of_a_leaf(case: Case, expected: Mapping[str, Array | None]) -> Segment | None:
    """The segment where every value is found, and yet something that is handed back is wrong.

    It is in another order, was written over, or is handed back in the place of another.
    """
    graph = case.graph
    for name, array in case.wrong.items():
        right = expected[name]
        value = None if right is None else _with(right, case.values)
        if value is None:
            continue
        segment = segment_of(value, case)
        held = [*graph.pairing.found.get(value.index, ())]
        if array is not None:
            handed = case.finder.equal(np.asarray(array))[-1:]
            if handed and not graph.is_settled(handed[0]):
                return segment  # it was changed after it had been right
            held = [*handed, *held]
        for record in held:
            _add_handed_back(segment, record, name, graph)
        return segment
    return None


def _add_handed_back(segment: Segment, record: int, name: str, graph: Graph) -> None:
    """The line that made what is handed back under a name, its caller, and the lines after it."""
    place = graph.place_of(record)
    for depth, line in enumerate((place, *graph.callers_of(record)[:1])):
        segment.add(line, INSTEAD - depth, f"has what is handed back as {name}")
    if place is None:
        return
    for after in lines_around(place):
        if place < after and any(hands_back(after, n) for n in names_set(place)):
            segment.add(after, INSTEAD + 0.5, f"hands back {name}")


def crossed(case: Case, expected: Mapping[str, Array | None]) -> Segment | None:
    """The segment where what is handed back under a name was computed from another gradient."""
    graph, values = case.graph, case.values
    for name, array in case.wrong.items():
        right = expected[name]
        value = None if right is None or name == OUTPUT else _with(right, values)
        if array is None or value is None:
            continue
        for record in case.finder.equal(array)[-1:]:
            other = graph.pairing.right.get(record)
            if other is None or other == value.index or not values[other].parameter:
                continue
            due = {p for p in value.parents if values[p].backward}
            given = [
                p
                for p in sorted(graph.ancestors(record))
                if (i := graph.pairing.right.get(p)) in values[other].parents
                and values[i].backward
                and i not in due
                and not values[i].given
            ]
            if given:
                segment = Segment(value, None, Slice(set(), set()), is_shown=True)
                for place, weight, why, of in wiring_lines(given[-1], record, False, graph):
                    segment.add(place, weight, why, of)
                    for line in setters_of(place):
                        if is_loop(line) and line not in segment.beside:
                            segment.add(line, weight - 0.2, "sets what is read there")
                return segment
    return None


def _with(array: Array, values: Sequence[Value]) -> Value | None:
    """The value with these entries."""
    return next((v for v in values if v.size == array.size and are_equal(v.array, array)), None)
