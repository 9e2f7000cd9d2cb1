"""Which line of a segment is the likeliest, by evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from crosscheck.cuts.case import Segment
from crosscheck.cuts.classes import Value
from crosscheck.cuts.flow_graph import Graph
from crosscheck.traces.trace import Place

# How much each piece of evidence weighs.
FRONTIER = 4.0  # all that the line was given is right
COUNTERPART = 2.0  # it makes the array that stands in the place of the lost value
ALL_PARENTS = 1.0  # it was given all that the lost value is computed from
INSIDE = 1.0  # it made something in the slice
CALLED = 0.5  # it called a line of the slice
EXONERATED = -3.0  # something right is computed from what it made
SURE = 8.9  # beside such evidence, weak evidence is not worth a line
GOOD_ELSEWHERE = -4.0  # the line makes what is right in another pass


@dataclass
class Suspect:
    """A line in which the bug may stand."""

    place: Place
    score: float = 0.0
    why: str = ""
    records: list[int] = field(default_factory=list)  # of the segment, that this line made
    best: int | None = None  # that of them with the best evidence


def rank(
    segment: Segment, values: Sequence[Value], graph: Graph, exonerated: set[int]
) -> list[Suspect]:
    """Return the lines of a segment, the likeliest first."""
    scores: dict[Place, list[tuple[float, str]]] = defaultdict(list)
    made: dict[Place, list[tuple[float, int]]] = defaultdict(list)
    good = _good_places(graph)
    good_lines = {place for place, _, _ in good}
    for index in sorted(segment.slice.inside):
        record, place = graph.trace.records[index], graph.place_of(index)
        score, why = _of_record(index, segment, graph, exonerated)
        if place is None:
            continue
        made[place].append((score, -index))
        if (place, record.op, record.name) in good:
            for depth, caller in enumerate(graph.callers_of(index)):
                if caller not in good_lines:
                    scores[caller].append(
                        (score - 0.1 * depth + 0.05, f"{why}; its other calls are right")
                    )
                    break
            scores[place].append((score + GOOD_ELSEWHERE, why))
        else:
            scores[place].append((score, why))
            for caller in graph.callers_of(index)[:1]:
                scores[caller].append((CALLED + score / 4, "calls a line of the segment"))
    for place, found in segment.beside.items():
        scores[place].append(found)
    suspects = []
    for place, evidence in scores.items():
        best, why = max(evidence)
        records = sorted(-i for _, i in made.get(place, ()))
        first = -max(made[place])[1] if records else segment.of.get(place)
        suspects.append(Suspect(place, best, why, records, first))
    suspects.sort(key=lambda s: (-s.score, min(s.records, default=1 << 60)))
    return [s for s in suspects if s.score >= _least(suspects[0].score)]


def _least(best: float) -> float:
    """What a line must have, to be named beside the best."""
    return 1.0 if best >= SURE else 0.0


def _of_record(
    index: int, segment: Segment, graph: Graph, exonerated: set[int]
) -> tuple[float, str]:
    score, why = INSIDE, "follows from the first wrong line"
    sources = graph.parents[index]
    if all(graph.is_settled(s) or s in exonerated for s in sources):
        score, why = score + FRONTIER, "is given what is right, and makes what is not"
    if index == segment.counterpart:
        score += COUNTERPART
        why = f"makes what stands for {segment.value.name}, and {why}"
    given = {graph.pairing.right[s] for s in sources if s in graph.pairing.right}
    parents = {p for p in segment.value.parents if p in graph.pairing.found}
    if parents and parents <= given:
        score += ALL_PARENTS
    if index in exonerated:
        score, why = score + EXONERATED, "makes what something right is computed from"
    return score, why


def _good_places(graph: Graph) -> set[tuple[Place, str, str]]:
    """The lines, with op and name, that make something right in at least one pass."""
    good: set[tuple[Place, str, str]] = set()
    for index in graph.pairing.right:
        record = graph.trace.records[index]
        if record.place is not None and index not in graph.trivial:
            good.add((record.place, record.op, record.name))
    return good
