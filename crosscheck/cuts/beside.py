"""The lines that make, keep or set what is read in a segment."""

from __future__ import annotations

from collections import Counter

from crosscheck.cuts.arrangement import MASKING
from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.sources_of_lines import (
    asks_for_sizes,
    defaults_of,
    is_alias,
    keeps,
    lines_around,
    names_set,
    setters_of,
)
from crosscheck.traces.trace import Place

# How much it weighs that a line stands beside the slice for one of these reasons.
AGAIN = 0.8  # the last value that agrees appears in it once more
SETS = 1.5  # it sets a number that a line of the slice reads
NEAREST = 2  # so many lines that set what a line reads
MASKS = 8.5  # it sets the mask of a first wrong line that masks
COMMON = 6.0  # several first wrong lines read what it sets
KEEPS = 4.0  # it keeps something for the way back that may be something else
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
            changed = records[record].changed and not records[record].backward
            changed |= records[record].changed and segment.value.backward
            why = f"makes {name}" + (", in the place of what was there" if changed else "")
            segment.add(place, CHANGES if changed else BORDER, why)
            if segment.value.backward and not records[record].backward and place is not None:
                for line in lines_around(place):
                    if line.line > place.line and any(keeps(line, n) for n in names_set(place)):
                        segment.add(line, KEEPS, f"keeps {name} for the way back")
        for source in graph.parents[record]:
            if source in graph.waypoints and source not in graph.pairing.right:
                changed = records[source].changed and segment.value.backward
                forward = segment.value.backward and not records[source].backward
                at = graph.place_of(source)
                kept = forward and at is not None and keeps(at, "")
                weight = CHANGES if changed else KEEPS if kept else BORDER
                segment.add(graph.place_of(source), weight, f"makes {graph.waypoints[source]}")
        held = graph.pairing.right.get(record)
        if held is not None and not graph.is_given(record):
            first = graph.pairing.found.get(held, [record])[0]
            if graph.place_of(first) != place:
                segment.add(place, AGAIN, f"has {case.values[held].name} once more")


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
    read: Counter[Place] = Counter()
    for place in [p for p in frontier if p is not None]:
        setters = [
            p
            for p in setters_of(place)
            if p.line < place.line and (p not in with_records or is_alias(p))
        ]
        read.update(setters[-NEAREST:])
        for line in defaults_of(place):
            segment.add(line, SETS - 0.1, "sets a number that the segment reads")
    if segment.counterpart is not None and _hides(segment.counterpart, graph):
        for setter in read:  # a mask that hides the wrong entries
            weight = SETS if asks_for_sizes(setter) else MASKS
            segment.add(setter, weight, "sets what the first wrong line reads, such as a mask")
    for setter, count in read.items():
        common = count >= 2 and count == len(frontier)
        segment.add(
            setter, COMMON if common else SETS,
            "sets what several first wrong lines read" if common else "sets what the segment reads",
        )  # fmt: skip


def _hides(record: int, graph: Graph) -> bool:
    """Whether a record hides entries from a softmax."""
    held = graph.trace.arrays.get(record)
    return held is not None and bool((held < MASKING).any())
