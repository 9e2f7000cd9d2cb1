"""The lines between the last values that agree and the first that is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crosscheck.cuts.arrangement import Order
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import counterpart_of
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph, Slice
from crosscheck.cuts.sources_of_lines import cuts_off, reads, same_function, setters_of
from crosscheck.cuts.stand_in import stand_in_of
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.traces.trace import Place

# How much it weighs that a line stands beside the slice for one of these reasons.
INSTEAD = 9.0  # it makes what is used in the place of the lost value
CUT = 9.0  # it makes the value that the gradient belongs to anew, cut off from its gradient
CUT_NEAR = 6.0  # it is near, and cuts off a gradient
ORDER = 8.0  # it makes a parent in another order
CHAIN = 2.0  # it hands on what that was made from
SETS = 1.5  # it sets a number that a line of the slice reads
BORDER = 0.5  # it makes the last value that agrees
USES = 2.0  # it uses the value forward, whose gradient does not come back


@dataclass
class Segment:
    """The records in which the bug may have been born."""

    value: Value  # the value that is lost
    counterpart: int | None  # the record in its place
    slice: Slice
    is_shown: bool = False  # whether the next op shows that this record stands in its place
    # Lines beside those of the slice: what each weighs, and why it is here.
    beside: dict[Place, tuple[float, str]] = field(default_factory=dict)

    def add(self, place: Place | None, weight: float, why: str) -> None:
        """Add a line beside the slice."""
        if place is not None and weight > self.beside.get(place, (-99.0, ""))[0]:
            self.beside[place] = weight, why


@dataclass(frozen=True)
class Case:
    """All that is known of the two runs."""

    values: Sequence[Value]
    calls: Sequence[Call]  # of the reference
    graph: Graph
    finder: Finder
    # By the model's names: the leaf gradients and the output that disagree, as the plain run has
    # them.
    wrong: Mapping[str, Array | None]
    # The model's names for each leaf of the reference, where they are known.
    names: Mapping[str, Sequence[str]]


def segment_of(value: Value, case: Case) -> Segment:
    """Return where a value that is lost may have gone wrong."""
    graph = case.graph
    shown = stand_in_of(value, case.values, case.calls, graph, case.finder)
    if shown is not None:
        segment = _of_stand_in(value, *shown, graph)
    else:
        counterpart = _of_leaf(value, case)
        if counterpart is None:
            counterpart = counterpart_of(value, case.values, graph, case.finder)
        if counterpart is not None:
            part = graph.back([counterpart])
        elif value.backward:
            part = Slice(set(), set())
        else:
            part = graph.back(_sinks(value, case))
        segment = Segment(value, counterpart, part)
    _add_other_orders(segment, case)
    _add_border(segment, graph)
    if value.backward:
        _add_forward_lines(segment, case)
        if not segment.slice.inside:
            segment.slice = graph.back(_sinks(value, case))
    _add_setters(segment, graph)
    return segment


def _of_stand_in(value: Value, record: int, shown: int, graph: Graph) -> Segment:
    """The segment where it is known which record was taken for the value."""
    if not graph.is_right(record):
        return Segment(value, record, graph.back([record]), is_shown=True)
    segment = Segment(value, None, Slice(set(), {record}), is_shown=True)
    records = graph.trace.records
    held = graph.pairing.right.get(record)
    before = graph.ancestors(shown)
    same = [i for i in before if held is not None and graph.pairing.right.get(i) == held]
    record = max([record, *same])
    why = f"has what is used in the place of {value.name}"
    segment.add(graph.place_of(record), INSTEAD, why)
    shared = set(records[record].callers) & set(records[shown].callers)
    for depth, place in enumerate(records[record].callers):
        segment.add(place, INSTEAD - 0.5 - 0.1 * depth - (place in shared), f"calls what {why}")
    for depth, place in enumerate(records[shown].callers):
        segment.add(place, INSTEAD - 0.6 - 0.1 * depth, f"hands on what is used in the place of {value.name}")
    segment.add(graph.place_of(shown), INSTEAD - 2, f"uses something in the place of {value.name}")
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


def _add_other_orders(segment: Segment, case: Case) -> None:
    """The lines where a parent has its axes in an order that its shape does not tell."""
    graph, near = case.graph, _near_parents(segment.value, case)
    for parent in near:
        held = graph.pairing.found.get(parent, ())
        for record in held:
            order = graph.pairing.orders.get(record)
            taken = segment.slice.inside | segment.slice.border
            if order in (Order.TRANSPOSED, Order.SCRAMBLED) and record in taken:
                why = f"{case.values[parent].name} is in another order here"
                segment.add(graph.place_of(record), ORDER, why)
                for caller in graph.trace.records[record].callers[:1]:
                    segment.add(caller, ORDER - 0.5, why)
                for source in _chain(record, graph):
                    segment.add(graph.place_of(source), CHAIN, f"hands on what {case.values[parent].name} is made from")


def _chain(record: int, graph: Graph) -> Iterator[int]:
    """The right records that this one was made from, and those of the same value before them."""
    todo = [s for s in graph.parents[record] if not graph.is_given(s)]
    seen = set(todo)
    while todo:
        source = todo.pop()
        yield source
        value = graph.pairing.right.get(source)
        for earlier in graph.parents[source]:
            alike = graph.pairing.right.get(earlier) == value
            if value is not None and alike and earlier not in seen:
                seen.add(earlier)
                todo.append(earlier)


def _near_parents(value: Value, case: Case) -> set[int]:
    """The parents of a value, and those of its parents that are lost."""
    near: set[int] = set()
    todo = list(value.parents)
    while todo:
        parent = todo.pop()
        if parent not in near:
            near.add(parent)
            if parent not in case.graph.pairing.found and not case.values[parent].given:
                todo += case.values[parent].parents
    return near


def _add_border(segment: Segment, graph: Graph) -> None:
    for record in segment.slice.border:
        name = graph.waypoints.get(record)
        if record in graph.pairing.right and record not in graph.constant:
            continue
        if name is not None:
            segment.add(graph.place_of(record), BORDER, f"makes {name}")
        elif record in graph.constant and not graph.is_given(record):
            segment.add(graph.place_of(record), BORDER, "makes a constant that is read")


def _add_setters(segment: Segment, graph: Graph) -> None:
    """The lines that set a number, such as a scale, that a line of the slice reads."""
    with_records = {r.place for r in graph.trace.records}
    places = {graph.place_of(i) for i in segment.slice.inside}
    for place in [p for p in places if p is not None]:
        for setter in setters_of(place):
            if setter not in with_records and setter in graph.trace.executed:
                segment.add(setter, SETS, "sets a number that is read in the segment")


def _add_forward_lines(segment: Segment, case: Case) -> None:
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
    around = {graph.place_of(i) for i in holders | users}
    for record in sorted(holders | users):
        place = graph.place_of(record)
        if place is not None and cuts_off(place):
            segment.add(place, CUT if record in holders else CUT_NEAR, why)
    names = {records[i].name for i in holders}
    for place in graph.trace.executed:
        if not cuts_off(place):
            continue
        if any(reads(place, name) for name in names) and any(
            p is not None and same_function(p, place) for p in around
        ):
            segment.add(place, CUT_NEAR + 1, why)
        elif any(p is not None and same_function(p, place) and -1 <= p.line - place.line <= 2 for p in around):
            segment.add(place, CUT_NEAR, why)
    if segment.counterpart is None:
        for record in sorted(holders | users):
            segment.add(graph.place_of(record), USES, f"uses {case.values[forward].name}, whose gradient is lost")
