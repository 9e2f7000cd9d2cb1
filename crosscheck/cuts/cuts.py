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
from crosscheck.cuts.classes import Value, values_of
from crosscheck.cuts.expected import expectation
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph
from crosscheck.cuts.handed_back import (
    OUTPUT,
    crossed,
    names_of_leaves,
    of_a_leaf,
    wrong_among,
)
from crosscheck.cuts.marks import Mark, marks_of
from crosscheck.cuts.pairing import LARGE, Pairing, pair
from crosscheck.cuts.ranking import SURE, Suspect, rank
from crosscheck.cuts.segment import segment_of
from crosscheck.cuts.waypoints import all_waypoints
from crosscheck.sides import Array
from crosscheck.tape.call import LOSS, Call
from crosscheck.traces.trace import Place, Trace

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
    case = Case(values, calls, graph, finder, wrong, names_of_leaves(values, expected))
    segment, suspects = _suspects(births, case, expected)
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


def _suspects(
    births: Sequence[Value], case: Case, expected: Mapping[str, Array | None]
) -> tuple[Segment | None, list[Suspect]]:
    """Return the segment with the best evidence, and its lines, the likeliest first."""
    segment: Segment | None = None
    suspects: list[Suspect] = []
    exonerated = case.graph.exonerated()

    def ranked(one: Segment) -> list[Suspect]:
        return rank(one, case.values, case.graph, exonerated)

    for value in births[:TRIED]:
        tried = segment_of(value, case)
        found = ranked(tried)
        # The first birth, unless a later one has better evidence: its way there is shown.
        if found and (not suspects or found[0].score > suspects[0].score + BETTER):
            segment, suspects = tried, found
    other = crossed(case, expected)
    if other is not None and (not suspects or suspects[0].score < SURE):
        segment, suspects = other, ranked(other)
    if case.wrong and not suspects:
        segment = of_a_leaf(case, expected)
        suspects = ranked(segment) if segment is not None else []
    return segment, suspects


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


def _waypoints(tape: Mapping[str, Call], finder: Finder, pairing: Pairing) -> dict[int, str]:
    calls = [call for call in tape.values() if call.path != LOSS]
    found: dict[int, str] = {}
    for name, array in all_waypoints(calls):
        for record in finder.equal(array):
            if record not in pairing.right and record not in finder.trivial:
                found.setdefault(record, name)
    return found


def _follows(segment: Segment | None, suspects: Sequence[Suspect], graph: Graph) -> set[int]:
    """The records that are computed from what is wrong."""
    if segment is None:
        return set()
    starts = set(suspects[0].records) if suspects else set()
    if segment.counterpart is not None:
        starts.add(segment.counterpart)
    return starts | graph.forward(starts)
