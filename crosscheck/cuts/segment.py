"""The lines between the last values that agree and the first that is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crosscheck.cuts.arrangement import Order
from crosscheck.cuts.classes import Value
from crosscheck.cuts.counterpart import counterpart_of
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph, Slice
from crosscheck.cuts.sources_of_lines import (
    cuts_off,
    defaults_of,
    is_alias,
    keeps,
    lines_around,
    names_set,
    passes_through,
    reads,
    same_function,
    setters_of,
)
from crosscheck.cuts.stand_in import stand_in_of, taken_instead
from crosscheck.cuts.wiring import INSTEAD as INSTEAD
from crosscheck.cuts.wiring import wiring_lines
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.traces.trace import Place

# How much it weighs that a line stands beside the slice for one of these reasons.
CUT = 10.0  # it makes the value that the gradient belongs to anew, cut off from its gradient
CUT_NEAR = 6.0  # it is near, and cuts off a gradient
ORDER = 9.0  # it makes a parent in another order
FRONTIER_OF_ORDER = 3.0  # it calls the line that does
CHAIN = 2.0  # it hands on what that was made from
AGAIN = 0.8  # the last value that agrees appears in it once more
SETS = 1.5  # it sets a number that a line of the slice reads
NEAREST = 2  # so many lines that set what a line reads
COMMON = 6.0  # several first wrong lines read what it sets
KEEPS = 4.0  # it keeps something for the way back that may be something else
CHANGES = 6.0  # it changes in place what is read later
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
    of: dict[Place, int] = field(default_factory=dict)  # the record that such a line made, if any

    def add(self, place: Place | None, weight: float, why: str, of: int | None = None) -> None:
        """Add a line beside the slice."""
        if place is not None and weight > self.beside.get(place, (-99.0, ""))[0]:
            self.beside[place] = weight, why
            if of is not None:
                self.of[place] = of


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
    _add_other_orders(segment, case)
    _add_border(segment, case)
    if value.backward:
        _add_forward_lines(segment, case)
        if not segment.slice.inside and not segment.is_shown:
            segment.slice = graph.back(_sinks(value, case))
    _add_setters(segment, graph)
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


def _add_other_orders(segment: Segment, case: Case) -> None:
    """The lines where a parent has its axes in an order that its shape does not tell."""
    graph, near = case.graph, _near_parents(segment.value, case)
    for parent in near:
        held = graph.pairing.found.get(parent, ())
        for record in held:
            order = graph.pairing.orders.get(record)
            taken = segment.slice.inside | segment.slice.border
            before = {graph.pairing.orders.get(p) for p in graph.parents[record]}
            handed_on = order in before and order == Order.SCRAMBLED
            if order in (Order.TRANSPOSED, Order.SCRAMBLED) and record in taken and not handed_on:
                why = f"{case.values[parent].name} is in another order here"
                segment.add(graph.place_of(record), ORDER, why)
                for caller in graph.callers_of(record)[:1]:
                    segment.add(caller, FRONTIER_OF_ORDER, why)
                for source in _chain(record, graph):
                    turned = graph.pairing.orders.get(source) == Order.PERMUTED
                    segment.add(
                        graph.place_of(source), ORDER - 0.3 if turned else CHAIN,
                        f"hands on what {case.values[parent].name} is made from",
                    )  # fmt: skip


def _chain(record: int, graph: Graph) -> Iterator[int]:
    """The right records that this one was made from, and those of the same value before them."""
    todo = [s for s in graph.parents[record] if not graph.is_given(s)]
    seen = set(todo)
    while todo:
        source = todo.pop()
        yield source
        value = graph.pairing.right.get(source)
        for earlier in graph.parents[source]:
            alike = value is not None and graph.pairing.right.get(earlier) == value
            alike |= graph.place_of(source) == graph.place_of(record)
            if alike and earlier not in seen and not graph.is_given(earlier):
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


def _add_border(segment: Segment, case: Case) -> None:
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


def _add_setters(segment: Segment, graph: Graph) -> None:
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
    for setter, count in read.items():
        common = count >= 2 and count == len(frontier)
        segment.add(
            setter, COMMON if common else SETS,
            "sets what several first wrong lines read" if common else "sets what the segment reads",
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
    if segment.counterpart is None and not segment.is_shown:
        for record in sorted(holders | users):
            segment.add(
                graph.place_of(record),
                USES,
                f"uses {case.values[forward].name}, whose gradient is lost",
            )


def _region(value: Value, forward: int, holders: set[int], case: Case) -> set[int]:
    """The forward records between the value before and the values after this one."""
    graph = case.graph
    before = {i for p in case.values[forward].parents for i in graph.pairing.found.get(p, ())}
    following = [v.index for v in case.values if forward in v.parents and not v.backward]
    after = {i for v in following for i in graph.pairing.found.get(v, ())}
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
    return region - before
