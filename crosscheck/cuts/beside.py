"""The lines that make, keep or set what is read in a segment."""

from __future__ import annotations

from collections import Counter

import numpy as np

from crosscheck.cuts.arrangement import MASKING
from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import LARGE, aligned
from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.sources_of_lines import (
    asks_for_sizes,
    defaults_of,
    is_alias,
    is_factor,
    keeps,
    lines_around,
    names_set,
    origins_of,
    setters_of,
)
from crosscheck.cuts.waypoints import GOES_ON
from crosscheck.distance import largest_entry
from crosscheck.sides import Array
from crosscheck.traces.trace import Place

# How much it weighs that a line stands beside the slice for one of these reasons.
MULTIPLE = 1e-9  # of the largest entry: so near is an array to a multiple of another
AGAIN = 0.8  # the last value that agrees appears in it once more
SETS = 1.5  # it sets a number that a line of the slice reads
NEAREST = 2  # so many lines that set what a line reads
MASKS = 8.5  # it sets the mask of a first wrong line that masks
COMMON = 6.0  # several first wrong lines read what it sets
KEEPS = 4.0  # it keeps something for the way back that may be something else
STOPS = 8.5  # it makes an inner value, and a term that the usual derivation adds is missing
SCALES = 8.3  # it sets a number, and the first wrong array is the right one times a number
CHANGES = 6.0  # it changes in place what is read later
BORDER = 0.5  # it makes the last value that agrees


def add_border(segment: Segment, case: Case) -> None:
    """The lines that make what is read in the slice, and is no value of the reference.

    And those in which a value of the reference that is read there appears once more.
    """
    graph = case.graph
    records = graph.trace.records
    for record in segment.slice.border:
        place, name = graph.place_of(record), graph.waypoints.get(record)
        if record in graph.constant and not graph.is_given(record):
            segment.add(place, BORDER, "makes a constant that is read")
        elif name is not None and record not in graph.pairing.right:
            _add_waypoint(segment, record, name, graph)
        for source in graph.parents[record]:
            if source in graph.waypoints and source not in graph.pairing.right:
                changed = records[source].changed and segment.value.backward
                forward = segment.value.backward and not records[source].backward
                at = graph.place_of(source)
                kept = forward and at is not None and keeps(at, "")
                weight = CHANGES if changed else KEEPS if kept else BORDER
                segment.add(graph.place_of(source), weight, f"makes {graph.waypoints[source]}")
        held = graph.pairing.right.get(record)
        if held in segment.value.parents and _lacks_factor(segment, case.values[held], graph):
            why = f"makes {case.values[held].name}, and not that times a number"
            segment.add(graph.place_of(graph.pairing.found[held][0]), SCALES, why)
        if held is not None and not graph.is_given(record):
            first = graph.pairing.found.get(held, [record])[0]
            if graph.place_of(first) != place:
                segment.add(place, AGAIN, f"has {case.values[held].name} once more")


def _add_waypoint(segment: Segment, record: int, name: str, graph: Graph) -> None:
    """The line that makes an inner value of a known derivation, and those that keep it."""
    place, made = graph.place_of(record), graph.trace.records[record]
    changed = made.changed and (segment.value.backward or not made.backward)
    why = f"makes {name}" + (", in the place of what was there" if changed else "")
    segment.add(place, CHANGES if changed else BORDER, why)
    read = {graph.waypoints[i] for i in segment.slice.border if i in graph.waypoints} - {name}
    lines = {graph.place_of(i) for i in segment.slice.inside}  # where more than one, it does go on
    if name in GOES_ON and len(lines) == 1 and not any(GOES_ON[name] in other for other in read):
        segment.add(place, STOPS, f"stops at {name}, and the usual derivation goes on")
    if segment.value.backward and not made.backward and place is not None:
        for line in lines_around(place):
            if line.line > place.line and any(keeps(line, n) for n in names_set(place)):
                segment.add(line, KEEPS, f"keeps {name} for the way back")


def add_origins(segment: Segment, graph: Graph) -> None:
    """The lines that gave its name to what was changed in place, and is read on the way back.

    Whether the array was a copy is decided there.
    """
    read = segment.slice.inside | segment.slice.border
    read |= {p for i in segment.slice.inside for p in graph.parents[i]}
    if not any(r.backward and r.place is not None for r in graph.trace.records):
        read |= set(range(len(graph.trace.records)))  # the run ended before the way back
    for record in sorted(read):
        made, place = graph.trace.records[record], graph.place_of(record)
        if segment.value.backward and made.changed and not made.backward and place is not None:
            segment.add(place, CHANGES, "changes in place what the way back may read")
            for depth, line in enumerate(origins_of(place), 1):
                segment.add(line, CHANGES - depth * 0.3, "names what is changed in place later")


def add_setters(segment: Segment, graph: Graph) -> None:
    """The lines that set a number, such as a scale, that the first wrong lines read."""
    with_records = {
        r.place
        for r in graph.trace.records
        if r.index not in graph.trivial and r.index not in graph.constant
    }
    frontier = {
        graph.place_of(i)
        for i in segment.slice.inside
        if all(graph.is_settled(s) for s in graph.parents[i])
    }
    scaled = _is_scaled(segment, graph)
    read: Counter[Place] = Counter()
    for place in [p for p in frontier if p is not None]:
        setters = [
            p
            for p in setters_of(place)
            if p.line < place.line and (p not in with_records or is_alias(p))
        ]
        read.update(setters[-NEAREST:])
        for line in defaults_of(place):
            weight = SCALES if scaled and is_factor(line) else SETS - 0.1
            segment.add(line, weight, "sets a number that the segment reads")
    if segment.counterpart is not None and _hides(segment.counterpart, graph):
        for setter in read:  # a mask that hides the wrong entries
            weight = SETS if asks_for_sizes(setter) else MASKS
            segment.add(setter, weight, "sets what the first wrong line reads, such as a mask")
    for setter, count in read.items():
        common = count >= 2 and count == len(frontier)
        weight = SCALES if scaled and is_factor(setter) else COMMON if common else SETS
        segment.add(
            setter, weight,
            "sets what several first wrong lines read" if common else "sets what the segment reads",
        )  # fmt: skip


def _is_scaled(segment: Segment, graph: Graph) -> bool:
    """Whether the array in the place of the lost value is that value times one number."""
    if segment.counterpart is None or segment.value.size > LARGE:
        return False
    array = graph.trace.array(segment.counterpart)
    return _are_multiples(aligned(array, segment.value.array), segment.value.array)


def _lacks_factor(segment: Segment, last: Value, graph: Graph) -> bool:
    """Whether the lost value is `last` times a number, and nothing is `last` times another one."""
    call = segment.value.call
    scales = call is not None and call.op in ("mul", "div") and len(call.inputs) == 1
    if not scales or last.backward != segment.value.backward or last.size > LARGE:
        return False
    array = graph.trace.array
    return not any(
        _are_multiples(array(child), array(i))
        for i in graph.pairing.found[last.index]
        for child in graph.children[i]
        if not graph.is_settled(child)
    )


def _are_multiples(a: Array, b: Array) -> bool:
    """Whether one array is the other times a number."""
    if a.shape != b.shape or not np.any(b):
        return False
    factor = np.vdot(a, b) / np.vdot(b, b)
    return bool(largest_entry(a - factor * b) <= MULTIPLE * largest_entry(a))


def _hides(record: int, graph: Graph) -> bool:
    """Whether a record hides entries from a softmax."""
    held = graph.trace.arrays.get(record)
    return held is not None and bool((held < MASKING).any())
