"""The forward lines in which a gradient may have been cut off, or changed."""

from __future__ import annotations

from crosscheck.cuts.beside import CHANGES
from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.sources_of_lines import cuts_off, lines_around, reads

# How much it weighs that a line stands beside the slice for one of these reasons.
CUT = 10.0  # it makes the value that the gradient belongs to anew, cut off from its gradient
CUT_NEAR = 6.6  # it is near, and cuts off a gradient


def add_forward_lines(segment: Segment, case: Case) -> None:
    """For a backward birth: the forward lines with the value that the gradient belongs to.

    A gradient that is cut off, or changed by a hook, leaves no trace on the way back.
    """
    graph, value = case.graph, segment.value
    forward = value.forward
    if forward is None:
        forward = next((p for p in value.parents if not case.values[p].backward), None)
    if forward is None:
        return
    records = graph.trace.records
    holders = {i for i in graph.pairing.found.get(forward, ()) if not records[i].backward}
    why = f"cuts {case.values[forward].name} off from its gradient, or changes it"
    users = {child for i in holders for child in graph.children[i] if not records[child].backward}
    region = _region(value, forward, holders, case)
    around = {graph.place_of(i) for i in holders | users | region}
    for record in sorted(holders | users | region):
        place = graph.place_of(record)
        if place is not None and cuts_off(place):
            segment.add(place, CUT if record in holders else CUT_NEAR, why)
    for record in _stops_near(holders, graph):
        near = any(child in graph.pairing.right for child in graph.children[record])
        segment.add(graph.place_of(record), CUT if near else CUT_NEAR, why)
    names = {records[i].name for i in holders}
    nearby = {line for p in around if p is not None for line in lines_around(p)}
    close = {p.line + step for p in around if p is not None for step in (0, -1, -2)}
    for place in nearby:
        if cuts_off(place):
            if any(reads(place, name) for name in names):
                segment.add(place, CUT_NEAR + 1, why)
            elif place.line in close:
                segment.add(place, CUT_NEAR, why)
    for parent in value.parents:
        for holder in graph.pairing.found.get(parent, ()):
            for child in graph.children[holder]:
                same = records[child].shape == records[holder].shape
                if records[child].changed and not records[child].backward and same:
                    segment.add(
                        graph.place_of(child), CHANGES,
                        f"changes {case.values[parent].name} in place, which the way back reads",
                    )  # fmt: skip


def _stops_near(holders: set[int], graph: Graph) -> list[int]:
    """The records through which no gradient comes back to a value, or from it to the one before.

    They stand between it and the next values of the reference. Where its gradient has arrived,
    only those after it matter.
    """
    records = graph.trace.records
    arrived = any(record.value in holders for record in records)
    near, todo = set(holders), list(holders)
    while todo:
        record = todo.pop()
        is_next = record in graph.pairing.right and record not in holders
        after = () if is_next else graph.children[record]
        before = () if arrived or is_next else graph.parents[record]
        for other in (*after, *(p for p in before if not graph.is_right(p))):
            if other not in near and not records[other].backward:
                near.add(other)
                todo.append(other)
    return sorted(record for record in near if records[record].stops)


def _following(forward: int, case: Case) -> set[int]:
    """The values made from this one, and from these as long as a gradient is just handed on.

    What comes back through a sum is what arrives there: it is found, wherever it was cut off.
    """
    following: set[int] = set()
    todo = [forward]
    while todo:
        last = todo.pop()
        for value in case.values:
            if last in value.parents and not value.backward and value.index not in following:
                following.add(value.index)
                arriving = [v for v in case.values if ("g", *value.keys[0][1:]) in v.keys]
                if any(v.given or sum(k[0] == "g" for k in v.keys) > 1 for v in arriving):
                    todo.append(value.index)
    return following


def _region(value: Value, forward: int, holders: set[int], case: Case) -> set[int]:
    """The forward records between the value before and the values after this one."""
    graph = case.graph
    before = {i for p in case.values[forward].parents for i in graph.pairing.found.get(p, ())}
    after = {i for v in _following(forward, case) for i in graph.pairing.found.get(v, ())}
    region: set[int] = set()
    for ends in (holders, after):
        todo = [i for i in ends if not graph.trace.records[i].backward]
        while todo:
            for parent in graph.parents[todo.pop()]:
                known = parent in graph.pairing.right and parent not in before | holders
                if parent not in region and not known and not graph.is_given(parent):
                    region.add(parent)
                    if parent not in before | holders:
                        todo.append(parent)
    return (region | after) - before
