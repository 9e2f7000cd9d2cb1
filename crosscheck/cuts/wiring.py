"""The lines to blame where something is used in the place of a value that it is not."""

from __future__ import annotations

from collections.abc import Iterator

from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.sources_of_lines import same_function
from crosscheck.traces.trace import Place

INSTEAD = 9.0  # the likeliest line; the others follow in steps
STEP = 0.4


def wiring_lines(record: int, shown: int, is_sum: bool, graph: Graph) -> Iterator[tuple[Place, float, str]]:
    """Yield lines, what each weighs, and why.

    record: what is used in the place of the value. shown: what was computed from it. is_sum:
    whether the value is a sum of two branches, one of which may have been left out.
    """
    users = _stack(shown, graph)
    record = _nearest_alike(record, shown, graph)
    ranked: list[tuple[Place, str]] = []
    makers = _stack(record, graph)
    common = next(
        ((m, u) for u in range(len(users)) for m in range(len(makers))
         if same_function(makers[m], users[u])),
        None,
    )  # fmt: skip
    maker_line = "makes what is used in the place of another value"
    user_line = "uses something in the place of another value"
    calls = "hands it on"
    if common is None:
        ranked += [(place, calls) for place in users[1:]] + [(p, user_line) for p in users[:1]]
    else:
        m, u = common
        if u > 0:  # it came as an argument
            ranked += [(users[u], calls), (makers[m], maker_line), (users[0], user_line)]
        elif _is_made_anew(record, graph) or (is_sum and m > 0):
            ranked += [(makers[m], maker_line), (users[0], user_line)]
        else:
            ranked += [(users[0], user_line), (makers[m], maker_line)]
        ranked += [(place, maker_line) for place in makers[:1]]
        ranked += [(place, calls) for place in users[1 : u + 1]]
    for earlier in _alike_before(record, graph):
        place = graph.place_of(earlier)
        if place is not None:
            ranked.append((place, maker_line))
    seen: set[Place] = set()
    for place, why in ranked:
        if place not in seen:
            yield place, INSTEAD - STEP * len(seen), why
            seen.add(place)


def _stack(index: int, graph: Graph) -> list[Place]:
    """The line of a record, and those that called, innermost first."""
    place = graph.place_of(index)
    return [] if place is None else [place, *graph.callers_of(index)]


def _nearest_alike(record: int, shown: int, graph: Graph) -> int:
    """The record with the same value that `shown` was given, by the shortest way."""
    value = graph.pairing.right.get(record)
    level, seen = [shown], {shown}
    while level and value is not None:
        found = [i for i in level if i != shown and graph.pairing.right.get(i) == value]
        if found:
            return max(found)
        level = [p for i in level for p in graph.parents[i] if p not in seen]
        seen |= set(level)
    return record


def _alike_before(record: int, graph: Graph) -> Iterator[int]:
    """The records of the same value that this one was made from, the latest first."""
    value = graph.pairing.right.get(record)
    while value is not None:
        earlier = [p for p in graph.parents[record] if graph.pairing.right.get(p) == value]
        if not earlier:
            return
        record = max(earlier)
        yield record


def _is_made_anew(record: int, graph: Graph) -> bool:
    """Whether the value had been made already, and not by what led to this record."""
    value = graph.pairing.right.get(record)
    if value is None or graph.is_given(record):
        return False
    own = {record, *_alike_before(record, graph)}
    shape = graph.trace.records[record].shape
    return any(
        i not in own and i < record and graph.trace.records[i].shape == shape
        for i in graph.pairing.found.get(value, ())
    )
