"""What is known of two runs, and of the lines in which a value may have gone wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crosscheck.cuts.classes import Value
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.flow_graph import Graph, Slice
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.traces.trace import Place


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
