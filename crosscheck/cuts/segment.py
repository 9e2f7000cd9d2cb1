"""The lines between the last values that agree and the first that is lost."""

from __future__ import annotations

from crosscheck.cuts.beside import add_border, add_origins, add_setters
from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import counterpart_of
from crosscheck.cuts.flow_graph import Slice
from crosscheck.cuts.forward_lines import add_forward_lines
from crosscheck.cuts.other_orders import add_other_orders
from crosscheck.cuts.sources_of_lines import passes_through, same_function
from crosscheck.cuts.stand_in import stand_in_of, taken_instead
from crosscheck.cuts.wiring import INSTEAD, wiring_lines


def segment_of(value: Value, case: Case) -> Segment:
    """Return where a value that is lost may have gone wrong."""
    graph = case.graph
    shown = stand_in_of(value, case.values, case.calls, graph, case.finder)
    if shown is not None and graph.is_right(shown[0]):
        segment = _of_stand_in(value, *shown, case)
    else:
        counterpart = None if shown is None else shown[0]
        if counterpart is None:
            counterpart = _of_leaf(value, case)
        if counterpart is None:
            counterpart = _of_children(value, case)
        if counterpart is not None:
            part = graph.back([counterpart])
        elif value.backward:
            part = Slice(set(), set())
        else:
            part = graph.back(_sinks(value, case))
        segment = Segment(value, counterpart, part, is_shown=shown is not None)
        instead = taken_instead(value, case.values, graph, case.finder)
        if instead is not None:
            for place, weight, why, of in wiring_lines(*instead, False, graph):
                segment.add(place, weight, why, of)
    add_other_orders(segment, case)
    add_border(segment, case)
    add_origins(segment, graph)
    if value.backward:
        add_forward_lines(segment, case)
        if not segment.slice.inside and not segment.is_shown:
            segment.slice = graph.back(_sinks(value, case))
    add_setters(segment, graph)
    return segment


def _of_children(value: Value, case: Case) -> int | None:
    """The counterpart of a value; where it has none, that of the first value after it."""
    found = counterpart_of(value, case.values, case.graph, case.finder)
    if found is not None or not value.backward:
        return found
    for child in case.values:
        lost = not case.graph.pairing.is_found(child)
        if lost and child.backward and value.index in child.parents:
            found = counterpart_of(child, case.values, case.graph, case.finder)
            if found is not None:
                return found
    return None


def _of_stand_in(value: Value, record: int, shown: int, case: Case) -> Segment:
    """The segment where it is known which record was taken for the value."""
    graph = case.graph
    segment = Segment(value, None, Slice(set(), {record}), is_shown=True)
    terms = [p for p in value.parents if case.values[p].backward]
    op = "" if value.call is None else value.call.op
    is_sum = op in ("mul", "div") or (len(terms) > 1 if value.backward else op in ("add", "sub"))
    if op == "add" and case.values[min(value.parents)].is_trivial:
        is_sum = False  # a mask
    for place, weight, why, of in wiring_lines(record, shown, is_sum, graph):
        segment.add(place, weight, why, of)
    lines = [p for r in graph.trace.records for p in (r.place, *r.callers) if p is not None]
    for place in graph.trace.executed:
        if passes_through(place) and not any(same_function(place, p) for p in set(lines)):
            segment.add(place, INSTEAD + 0.1, "hands back what it was given, as it is")
    return segment


def _of_leaf(value: Value, case: Case) -> int | None:
    """The record with what the plain run has for a leaf's gradient, or for the output."""
    for name in case.names.get(value.parameter, ()) if value.parameter else ():
        array = case.wrong.get(name)
        if array is not None:
            records = [i for i in case.finder.equal(array) if not case.graph.is_given(i)]
            if records:
                return records[-1]
    return None


def _sinks(value: Value, case: Case) -> set[int]:
    """The records of whatever the plain run has that is wrong."""
    sinks: set[int] = set()
    for name, array in case.wrong.items():
        if array is not None and (name == "output") != value.backward:
            sinks |= set(case.finder.equal(array)[-1:])
    return sinks
