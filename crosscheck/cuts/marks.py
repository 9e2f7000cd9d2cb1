"""A tick, a cross or a tilde for each line of the user's files that ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crosscheck.cuts.classes import Value
from crosscheck.cuts.flow_graph import Graph
from crosscheck.traces.trace import Place


class Kind(StrEnum):
    """What is known of a line."""

    RIGHT = "right"  # what it makes are values or gradients of the reference
    WRONG = "wrong"  # the bug was born there
    INHERITED = "inherited"  # it computes from what is wrong
    NONE = "none"  # it ran: another spelling, or nothing to say


SIGNS = {Kind.RIGHT: "✓", Kind.WRONG: "✗", Kind.INHERITED: "~", Kind.NONE: " "}


@dataclass(frozen=True)
class Mark:
    """What is said of one line."""

    place: Place
    kind: Kind
    text: str = ""  # which values they are; what was expected; from which line it follows

    @property
    def sign(self) -> str:
        """The sign that stands beside the line."""
        return SIGNS[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "mark": str(self.kind),
            "sign": self.sign.strip(),
            "text": self.text,
        }


def marks_of(
    graph: Graph, values: Sequence[Value], first: Place | None, said: str, wrong: Collection[int]
) -> list[Mark]:
    """Return the marks of all lines that ran, by file and line.

    first: the line that is blamed; None if nothing is wrong. said: what is said of it. wrong: the
    records that are computed from what is wrong.
    """
    ticks: dict[Place, dict[str, None]] = defaultdict(dict)
    inner: dict[Place, dict[str, None]] = defaultdict(dict)
    follows: set[Place] = set()
    for record in graph.trace.records:
        place = graph.place_of(record.index)
        if place is None:
            continue
        if record.index in graph.pairing.right:
            value = values[graph.pairing.right[record.index]]
            block = "a block of " if record.index in graph.pairing.blocks else ""
            ticks[place][block + value.name] = None
        elif record.index in wrong:
            follows.add(place)
        elif record.index in graph.waypoints:
            inner[place][graph.waypoints[record.index]] = None
    marks = []
    lines = {*graph.trace.executed, *ticks, *inner, *follows, *([first] if first else [])}
    for place in sorted(lines):
        if place == first:
            marks.append(Mark(place, Kind.WRONG, said))
        elif place in follows and first is not None:
            marks.append(Mark(place, Kind.INHERITED, f"follows from {_line(first, place)}"))
        elif named := ticks.get(place) or inner.get(place):
            marks.append(Mark(place, Kind.RIGHT, _few(named)))
        else:
            marks.append(Mark(place, Kind.NONE))
    return marks


def _line(of: Place, seen_from: Place) -> str:
    return str(of.line) if of.file == seen_from.file else f"{of.file}:{of.line}"


def _few(names: Collection[str], at_most: int = 2) -> str:
    shown = list(names)[:at_most]
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(shown) + more
