"""The lines that make a value in another order than its shape tells."""

from __future__ import annotations

from collections.abc import Iterator

from crosscheck.cuts.arrangement import Order
from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.flow_graph import Graph

# How much it weighs that a line stands beside the slice for one of these reasons.
ORDER = 9.0  # it makes a parent in another order
FRONTIER_OF_ORDER = 3.0  # it calls the line that does
UNPACKS = 8.2  # it hands out several values that may be confused
CHAIN = 2.0  # it hands on what that was made from


def add_other_orders(segment: Segment, case: Case) -> None:
    """Add the lines where a parent has its axes in an order that its shape does not tell."""
    graph = case.graph
    taken = segment.slice.inside | segment.slice.border
    for parent in _near_parents(segment.value, case):
        for record in graph.pairing.found.get(parent, ()):
            order = graph.pairing.orders.get(record)
            before = {graph.pairing.orders.get(p) for p in graph.parents[record]}
            handed_on = order in before and order == Order.SCRAMBLED
            if order in (Order.TRANSPOSED, Order.SCRAMBLED) and record in taken and not handed_on:
                _add(segment, record, case.values[parent].name, graph)


def _add(segment: Segment, record: int, name: str, graph: Graph) -> None:
    """Add the line of a record in another order, and the lines that led there."""
    orders, right = graph.pairing.orders, graph.pairing.right
    why = f"has {name} in another order"
    segment.add(graph.place_of(record), ORDER, why)
    for caller in graph.callers_of(record)[:1]:
        segment.add(caller, FRONTIER_OF_ORDER, why)
    chain = list(_chain(record, graph))
    for source in chain:
        place, order = graph.place_of(source), orders.get(source)
        there = {right[i] for i in chain if i in right and graph.place_of(i) == place}
        if len(there) > 1 and orders.get(record) == Order.TRANSPOSED:
            segment.add(place, UNPACKS, "hands out several values")
        if order in (Order.TRANSPOSED, Order.SCRAMBLED):  # it was so already
            segment.add(place, ORDER + 0.3, why)
        weight = CHAIN
        if order == Order.PERMUTED:
            weight = ORDER + (0.2 if orders.get(record) == Order.SCRAMBLED else -0.3)
        segment.add(place, weight, f"hands on what {name} is made from")


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
