"""Cuts by value: where a run of the user's parts from a run of the same function, by content.

What is found here explains; it never judges. Whether anything is wrong, the plain run has said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosscheck.cuts.births import births_of, excused_of
from crosscheck.cuts.case import Case, Segment
from crosscheck.cuts.classes import Value, are_equal, values_of
from crosscheck.cuts.expected import expectation
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph, Slice
from crosscheck.cuts.marks import Mark, marks_of
from crosscheck.cuts.pairing import LARGE, Pairing, pair
from crosscheck.cuts.ranking import SURE, Suspect, rank
from crosscheck.cuts.segment import segment_of
from crosscheck.cuts.sources_of_lines import (
    hands_back,
    is_loop,
    lines_around,
    names_set,
    setters_of,
)
from crosscheck.cuts.waypoints import all_waypoints
from crosscheck.cuts.wiring import INSTEAD, wiring_lines
from crosscheck.distance import gap_between, largest_gradient
from crosscheck.judge import FLOOR
from crosscheck.sides import INPUT, Array
from crosscheck.tape.call import LOSS, Call
from crosscheck.traces.trace import Place, Trace

OUTPUT = "output"
TRIED = 5  # births whose evidence is weighed
BETTER = 0.5  # by so much the evidence of a later birth must be better


@dataclass(frozen=True)
class Line:
    """A line in which the bug may stand."""

    place: Place
    why: str  # the evidence, in words
    score: float = 0.0  # how much it weighs
    # What made the array there, and what it is called, where the trace knows: of an engine, whose
    # lines serve all ops, they say more than the line.
    op: str = ""
    operand: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "why": self.why,
            "op": self.op,
            "operand": self.operand,
        }


@dataclass(frozen=True)
class Cuts:
    """What the pairing of two runs by value has found."""

    value: str  # the value of the reference at which the bug was born; empty if there is none
    expected: str  # what was expected there, and which mistake it looks like, in words
    between: tuple[Line, ...]  # the lines in which it may stand, the likeliest first
    marks: tuple[Mark, ...]  # of each line that ran, by file and line
    found: int  # how many values of the reference the run has
    lost: tuple[str, ...]  # those that it has not, excused or not
    births: tuple[str, ...]  # all values at which something went wrong, by name
    notes: tuple[str, ...] = field(default=())

    @property
    def first(self) -> Line | None:
        """The line that is blamed; None if nothing is wrong, or no line is known."""
        return self.between[0] if self.between else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "value": self.value,
            "expected": self.expected,
            "between": [line.to_dict() for line in self.between],
            "marks": [mark.to_dict() for mark in self.marks],
            "found": self.found,
            "lost": list(self.lost),
            "births": list(self.births),
            "notes": list(self.notes),
        }


@np.errstate(all="ignore")
def paired_share(trace: Trace, tape: Mapping[str, Call]) -> float:
    """Return the share of the reference's values that a trace has, from 0 to 1.

    Values that prove nothing, such as those whose entries are all equal, do not count.
    """
    values = values_of(tape)
    pairing = pair(values, Finder(trace))
    counted = [v for v in values if not v.given and not v.is_trivial]
    return sum(v.index in pairing.found for v in counted) / max(len(counted), 1)


@np.errstate(all="ignore")  # what is not finite is like nothing, and that is all
def find(
    trace: Trace,
    tape: Mapping[str, Call],
    *,
    expected: Mapping[str, Array | None],
    actual: Mapping[str, Array | None],
) -> Cuts:
    """Find the line at which a run parts from the reference.

    trace: of the user's run. tape: of the reference's, in float64, under the same loss. expected
    and actual: the reference's and the user's leaf gradients in the layout of the user's model and
    by its names, the gradient of a floating input under INPUT, and the output under OUTPUT.
    """
    values = values_of(tape)
    wrong = wrong_among(actual, expected)
    trace = _with_small_arrays(trace) if wrong else trace
    finder = Finder(trace)
    pairing = pair(values, finder)
    waypoints = _waypoints(tape, finder, pairing)
    graph = Graph(trace, pairing, waypoints, finder.trivial)
    excused = excused_of(values, pairing.is_found)
    births = births_of(values, pairing.is_found, excused) if wrong else []
    if wrong and OUTPUT not in wrong:
        births = [value for value in births if value.backward]
    calls = [call for call in tape.values() if call.path != LOSS]
    case = Case(values, calls, graph, finder, wrong, _names_of_leaves(values, expected))
    segment: Segment | None = None
    suspects: list[Suspect] = []
    exonerated = graph.exonerated()
    for value in births[:TRIED]:
        tried = segment_of(value, case)
        ranked = rank(tried, values, graph, exonerated)
        # The first birth, unless a later one has better evidence: its way there is shown.
        if ranked and (not suspects or ranked[0].score > suspects[0].score + BETTER):
            segment, suspects = tried, ranked
    crossed = _crossed(case, expected)
    if crossed is not None and (not suspects or suspects[0].score < SURE):
        segment, suspects = crossed, rank(crossed, values, graph, exonerated)
    if wrong and not suspects:
        segment = _of_a_leaf(case, expected)
        suspects = rank(segment, values, graph, exonerated) if segment is not None else []
    said = expectation(segment, values, graph, tape) if segment is not None else ""
    first = suspects[0].place if suspects else None
    follows = _follows(segment, suspects, graph)
    lost = [v for v in values if not pairing.is_found(v)]
    return Cuts(
        value=segment.value.name if segment is not None else "",
        expected=said,
        between=tuple(_line(suspect, graph) for suspect in suspects),
        marks=tuple(marks_of(graph, values, first, said, follows)),
        found=sum(v.index in pairing.found for v in values),
        lost=tuple(v.name for v in lost),
        births=tuple(v.name for v in births),
        notes=trace.notes,
    )


def _line(suspect: Suspect, graph: Graph) -> Line:
    made = None if suspect.best is None else graph.trace.records[suspect.best]
    op, operand = ("", "") if made is None else (made.op, made.name)
    return Line(suspect.place, suspect.why, suspect.score, op, operand)


def _with_small_arrays(trace: Trace) -> Trace:
    """Return a trace that has all arrays which are small enough to be looked at closely."""
    small = [r.index for r in trace.records if r.signature.size <= LARGE]
    missing = [i for i in small if i not in trace.arrays]
    if not missing:
        return trace
    return dataclasses.replace(trace, arrays={**trace.arrays, **trace.again(missing)})


def wrong_among(
    actual: Mapping[str, Array | None], expected: Mapping[str, Array | None]
) -> dict[str, Array | None]:
    """Return what of the user's is not as expected, by its name."""
    gradients = [a for name, a in expected.items() if name != OUTPUT]
    floor = FLOOR * largest_gradient(gradients)
    return {
        name: actual.get(name)
        for name, right in expected.items()
        if not gap_between(actual.get(name), right, 0.0 if name == OUTPUT else floor).agrees
    }


def _waypoints(tape: Mapping[str, Call], finder: Finder, pairing: Pairing) -> dict[int, str]:
    calls = [call for call in tape.values() if call.path != LOSS]
    found: dict[int, str] = {}
    for name, _, array in all_waypoints(calls):
        for record in finder.equal(array):
            if record not in pairing.right and record not in finder.trivial:
                found.setdefault(record, name)
    return found


def _names_of_leaves(
    values: Sequence[Value], expected: Mapping[str, Array | None]
) -> dict[str, list[str]]:
    """Return the model's names for the leaves of the reference, which are known by content."""
    names: dict[str, list[str]] = {}
    for value in values:
        if value.parameter:
            names[value.parameter] = [
                name
                for name, array in expected.items()
                if array is not None and name != OUTPUT and are_equal(array, value.array)
            ]
    return names


def _of_a_leaf(case: Case, expected: Mapping[str, Array | None]) -> Segment | None:
    """The segment where every value is found, and yet something that is handed back is wrong.

    It is in another order, was written over, or is handed back in the place of another.
    """
    graph = case.graph
    for name, array in case.wrong.items():
        right = expected[name]
        value = None if right is None else _with(right, case.values)
        if value is None:
            continue
        segment = segment_of(value, case)
        held = [*graph.pairing.found.get(value.index, ())]
        if array is not None:
            handed = case.finder.equal(np.asarray(array))[-1:]
            if handed and not graph.is_settled(handed[0]):
                return segment  # it was changed after it had been right
            held = [*handed, *held]
        for record in held:
            for depth, place in enumerate((graph.place_of(record), *graph.callers_of(record)[:1])):
                segment.add(place, INSTEAD - depth, f"has what is handed back as {name}")
                if place is None or depth:
                    continue
                for line in lines_around(place):
                    if line.line > place.line and any(
                        hands_back(line, n) for n in names_set(place)
                    ):
                        segment.add(line, INSTEAD + 0.5, f"hands back {name}")
        return segment
    return None


def _crossed(case: Case, expected: Mapping[str, Array | None]) -> Segment | None:
    """The segment where what is handed back under a name was computed from another gradient."""
    graph, values = case.graph, case.values
    for name, array in case.wrong.items():
        right = expected[name]
        value = None if right is None or name == OUTPUT else _with(right, values)
        if array is None or value is None:
            continue
        for record in case.finder.equal(array)[-1:]:
            other = graph.pairing.right.get(record)
            if other is None or other == value.index or not values[other].parameter:
                continue
            due = {p for p in value.parents if values[p].backward}
            given = [
                p
                for p in sorted(graph.ancestors(record))
                if (i := graph.pairing.right.get(p)) in values[other].parents
                and values[i].backward
                and i not in due
                and not values[i].given
            ]
            if given:
                segment = Segment(value, None, Slice(set(), set()), is_shown=True)
                for place, weight, why, of in wiring_lines(given[-1], record, False, graph):
                    segment.add(place, weight, why, of)
                    for line in setters_of(place):
                        if is_loop(line) and line not in segment.beside:
                            segment.add(line, weight - 0.2, "sets what is read there")
                return segment
    return None


def _with(array: Array, values: Sequence[Value]) -> Value | None:
    """The value with these entries."""
    return next((v for v in values if v.size == array.size and are_equal(v.array, array)), None)


def _follows(segment: Segment | None, suspects: Sequence[Suspect], graph: Graph) -> set[int]:
    """The records that are computed from what is wrong."""
    if segment is None:
        return set()
    starts = set(suspects[0].records) if suspects else set()
    if segment.counterpart is not None:
        starts.add(segment.counterpart)
    return starts | graph.forward(starts)


__all__ = ["INPUT", "OUTPUT", "Cuts", "Line", "find", "paired_share", "wrong_among"]
