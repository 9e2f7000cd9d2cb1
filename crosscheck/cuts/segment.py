"""The lines between the last values that agree and the first that is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crosscheck.cuts.arrangement import Order
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import counterpart_of
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph, Slice
from crosscheck.cuts.sources_of_lines import cuts_off, reads
from crosscheck.sides import Array
from crosscheck.traces.trace import Place


@dataclass
class Segment:
    """The records in which the bug may have been born."""

    value: Value  # the value that is lost
    counterpart: int | None  # the record in its place
    slice: Slice
    # Lines beside those of the slice, each with why it is here.
    beside: dict[Place, str] = field(default_factory=dict)


def segment_of(
    value: Value,
    values: Sequence[Value],
    graph: Graph,
    finder: Finder,
    wrong: Mapping[str, Array | None],
    names: Mapping[str, Sequence[str]],
) -> Segment:
    """Return where a value that is lost may have gone wrong.

    wrong: by the model's names, the leaf gradients and the output that disagree, as the plain run
    has them. names: the model's names for each leaf of the reference, where they are known.
    """
    counterpart = _of_leaf(value, graph, finder, wrong, names)
    if counterpart is None:
        counterpart = counterpart_of(value, values, graph, finder)
    if counterpart is not None:
        part = graph.back([counterpart])
    else:
        part = _of_sinks(value, graph, finder, wrong)
    segment = Segment(value, counterpart, part)
    _add_other_orders(segment, values, graph)
    if value.backward:
        _add_forward_lines(segment, values, graph)
    return segment


def _of_leaf(
    value: Value,
    graph: Graph,
    finder: Finder,
    wrong: Mapping[str, Array | None],
    names: Mapping[str, Sequence[str]],
) -> int | None:
    """The record with what the plain run has for a leaf's gradient, or for the output."""
    for name in names.get(value.parameter, ()) if value.parameter else ():
        array = wrong.get(name)
        if array is not None:
            records = [i for i in finder.equal(array) if not graph.is_given(i)]
            if records:
                return records[-1]
    return None


def _of_sinks(
    value: Value, graph: Graph, finder: Finder, wrong: Mapping[str, Array | None]
) -> Slice:
    """The slice of whatever the plain run has that is wrong."""
    sinks: set[int] = set()
    for name, array in wrong.items():
        if array is None or (name == "output") == value.backward:
            continue
        sinks |= set(finder.equal(array)[-1:])
    return graph.back(sinks)


def _add_other_orders(segment: Segment, values: Sequence[Value], graph: Graph) -> None:
    """The lines where a parent has its axes in an order that its shape does not tell."""
    for parent in _near_parents(segment.value, values, graph):
        for record in graph.pairing.found.get(parent, ()):
            order = graph.pairing.orders.get(record)
            place = graph.trace.records[record].place
            if order in (Order.TRANSPOSED, Order.SCRAMBLED) and place is not None:
                segment.beside.setdefault(place, f"{values[parent].name} is in another order here")


def _near_parents(value: Value, values: Sequence[Value], graph: Graph) -> set[int]:
    """The parents of a value, and those of its excused parents."""
    near: set[int] = set()
    todo = list(value.parents)
    while todo:
        parent = todo.pop()
        if parent in near:
            continue
        near.add(parent)
        if parent not in graph.pairing.found and not values[parent].given:
            todo += values[parent].parents
    return near


def _add_forward_lines(segment: Segment, values: Sequence[Value], graph: Graph) -> None:
    """For a backward birth: the forward lines with the value that the gradient belongs to.

    A gradient that is cut off, or changed by a hook, leaves no trace on the way back.
    """
    forward = segment.value.forward
    if forward is None:
        forward = next((p for p in segment.value.parents if not values[p].backward), None)
    if forward is None:
        return
    records = graph.trace.records
    holders = set(graph.pairing.found.get(forward, ()))
    names = {records[i].name for i in holders if not records[i].backward}
    files = {records[i].place.file for i in holders if records[i].place is not None}  # type: ignore[union-attr]
    for record in sorted(holders):
        place = records[record].place
        if place is not None and not records[record].backward and cuts_off(place):
            segment.beside.setdefault(place, "cuts the value off from its gradient, or changes it")
    for place in graph.trace.executed:
        if place.file in files and cuts_off(place) and any(reads(place, n) for n in names):
            segment.beside.setdefault(place, "cuts the value off from its gradient, or changes it")
