"""The lines to blame where something is used in the place of a value that it is not."""

from __future__ import annotations

from collections.abc import Iterator

from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.sources_of_lines import (
    hands_back,
    lines_around,
    names_set,
    same_function,
)
from crosscheck.traces.trace import Place

INSTEAD = 9.0  # the likeliest line; the others follow in steps
STEP = 0.4


def wiring_lines(
    record: int, shown: int, is_sum: bool, graph: Graph
) -> Iterator[tuple[Place, float, str, int]]:
    """Yield lines, what each weighs, why, and the record that it is there for.

    record: what is used in the place of the value. shown: what was computed from it. is_sum:
    whether the value is a sum of which a term may have been left out.
    """
    record = _nearest_alike(record, shown, graph)
    chain = [record, *_alike_before(record, graph)]
    anew = _made_anew(chain, graph)
    reader, maker_of = _reader(record, shown, graph), anew if anew is not None else record
    users, makers = _stack(reader, graph), _stack(maker_of, graph)
    common = next(
        ((m, u) for u in range(len(users)) for m in range(len(makers))
         if same_function(makers[m], users[u])),
        None,
    )  # fmt: skip
    maker_line = "makes what is used in the place of another value"
    user_line = "uses something in the place of another value"
    calls = "hands it on"
    changed = [graph.place_of(i) for i in chain if graph.trace.records[i].changed]
    ranked = [(place, "changes in place what is read later") for place in changed if place]
    if common is None:
        ranked += [(place, calls) for place in users[1:]] + [(p, user_line) for p in users[:1]]
    else:
        m, u = common
        maker, user = (makers[m], maker_line), (users[u], calls if u else user_line)
        ranked += [maker, user] if anew is not None or is_sum else [user, maker]
        ranked += _kept(makers[m], maker_line) if u == 0 else []
        ranked += [(users[0], user_line), *((place, maker_line) for place in makers[:1])]
        ranked += [(place, calls) for place in users[1:u]]
    start = chain[-1]
    for earlier in (*chain[:1], start):
        place = graph.place_of(earlier)
        if place is not None:
            ranked += [*_kept(place, "hands it back"), (place, maker_line)]
    seen: set[Place] = set()
    for place, why in ranked:
        if place not in seen:
            of = maker_of if place in makers else reader
            yield place, INSTEAD - STEP * len(seen), why, of
            seen.add(place)


def _kept(place: Place, why: str) -> list[tuple[Place, str]]:
    """The lines that hand back, or keep, what this line sets."""
    names = names_set(place)
    return [
        (line, why)
        for line in lines_around(place)
        if line.line > place.line and any(hands_back(line, name) for name in names)
    ][:1]


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


def _reader(record: int, shown: int, graph: Graph) -> int:
    """The record that was computed from this one at once, on the shortest way to `shown`."""
    level, seen = [shown], {shown}
    while level:
        for index in level:
            if record in graph.parents[index]:
                return index
        level = [p for i in level for p in graph.parents[i] if p not in seen]
        seen |= set(level)
    return shown


def _alike_before(record: int, graph: Graph) -> Iterator[int]:
    """The records of the same value that this one was made from, the latest first."""
    value = graph.pairing.right.get(record)
    while value is not None:
        earlier = [p for p in graph.parents[record] if graph.pairing.right.get(p) == value]
        if not earlier:
            return
        record = max(earlier)
        yield record


def _made_anew(chain: list[int], graph: Graph) -> int | None:
    """The first record of a chain that makes its value a second time; None if none does."""
    value = graph.pairing.right.get(chain[0])
    if value is None:
        return None
    records = graph.trace.records
    for index in reversed(chain):
        record = records[index]
        if graph.is_given(index):
            continue
        alike = (record.shape, record.op, record.place) if record.op else record.shape
        for other in graph.pairing.found.get(value, ()):
            if other in chain or other > index or records[other].backward != record.backward:
                continue
            r = records[other]
            if alike == ((r.shape, r.op, r.place) if record.op else r.shape):
                return index
    return None
