"""The user's run as a graph: which record was computed from which, and what is known of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from crosscheck.cuts.pairing import Pairing
from crosscheck.traces.trace import Place, Record, Trace


@dataclass
class Graph:
    """A trace, with what the pairing says of its records."""

    trace: Trace
    pairing: Pairing
    waypoints: Mapping[int, str]  # the records that hold an inner value of a known derivation
    trivial: Collection[int]  # the records that hold one number
    parents: list[tuple[int, ...]] = field(default_factory=list)
    children: list[list[int]] = field(default_factory=list)
    # Records that are computed from nothing that the run was given, such as masks.
    constant: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parents = [r.sources for r in self.trace.records]
        self._tie_gradients()
        self.children = [[] for _ in self.trace.records]
        for index, parents in enumerate(self.parents):
            for parent in parents:
                self.children[parent].append(index)

        given = {*self.trace.given.values(), self.trace.dout}
        for record in self.trace.records:
            i = record.index
            unknown = i not in given and i not in self.pairing.right
            if unknown and all(parent in self.constant for parent in self.parents[i]):
                self.constant.add(i)

    def _tie_gradients(self) -> None:
        """Say what a gradient is computed from, where an engine walks back unseen.

        The gradient at a value comes from the gradients at what was computed from it.
        """
        records = self.trace.records
        users: dict[int, list[int]] = defaultdict(list)
        gradients: dict[int, list[int]] = defaultdict(list)
        for record in records:
            if record.value is not None:
                gradients[record.value].append(record.index)
            if not record.backward:
                for source in record.sources:
                    users[source].append(record.index)
        for record in records:
            if record.value is None or record.sources:
                continue
            found: set[int] = set()
            seen: set[int] = set()
            todo = list(users[record.value])
            while todo:
                user = todo.pop()
                if user in seen:
                    continue
                seen.add(user)
                earlier = [g for g in gradients[user] if g < record.index]
                if earlier:
                    found.add(earlier[-1])
                    found |= {s for s in records[user].sources if s != record.value}
                else:
                    todo += users[user]
            if not found and self.trace.dout is not None:
                found.add(self.trace.dout)
            self.parents[record.index] = tuple(sorted(i for i in found if i < record.index))

    def is_given(self, index: int) -> bool:
        """Whether the run was given it."""
        return self.trace.records[index].place is None and self.trace.records[index].value is None

    def is_right(self, index: int) -> bool:
        """Whether the record holds a value of the reference, or the run was given it."""
        return index in self.pairing.right or self.is_given(index)

    def is_settled(self, index: int) -> bool:
        """Whether nothing wrong can have come to a later record through this one."""
        return (
            self.is_right(index)
            or index in self.waypoints
            or index in self.trivial
            or index in self.constant
        )

    def place_of(self, index: int) -> Place | None:
        """The line that made it; of a gradient without one, the line that made its value."""
        record = self.trace.records[index]
        if record.place is None and record.value is not None:
            record = self.trace.records[record.value]
        return record.place if self.is_of_user(record.place) else None

    def is_of_user(self, place: Place | None) -> bool:
        """Whether a line stands in one of the user's files."""
        files = self.trace.files
        return place is not None and (not files or place.file in files)

    def callers_of(self, index: int) -> list[Place]:
        """The lines of the user's that called, innermost first."""
        return [p for p in self.trace.records[index].callers if self.is_of_user(p)]

    def back(self, starts: Iterable[int]) -> Slice:
        """What the records of `starts` were computed from, as far back as what is settled."""
        inside, border = set(starts), set()
        todo = list(inside)
        while todo:
            for parent in self.parents[todo.pop()]:
                if parent in inside or parent in border:
                    continue
                if self.is_settled(parent):
                    border.add(parent)
                else:
                    inside.add(parent)
                    todo.append(parent)
        return Slice(inside, border)

    def forward(self, starts: Iterable[int]) -> set[int]:
        """The unsettled records that are computed from these, through unsettled ones."""
        return _reached(starts, lambda i: (c for c in self.children[i] if not self.is_settled(c)))

    def after(self, starts: Collection[int]) -> set[int]:
        """All records that are computed from these, and these."""
        return {*starts, *_reached(starts, self.children.__getitem__)}

    def ancestors(self, index: int) -> set[int]:
        """All records that this one is computed from."""
        return _reached([index], self.parents.__getitem__)

    def exonerated(self) -> set[int]:
        """The unsettled records from which something right is computed."""
        leads: set[int] = set()
        for record in reversed(self.trace.records):
            i = record.index
            if not self.is_settled(i) and any(
                child in leads or (child in self.pairing.right and self._solid(child, record))
                for child in self.children[i]
            ):
                leads.add(i)
        return leads

    def _solid(self, child: int, record: Record) -> bool:
        """Whether a right record was computed from this one, and is not just handed on."""
        if child in self.trivial or self.trace.records[child].backward != record.backward:
            return False
        value = self.pairing.right[child]
        return all(self.pairing.right.get(p) != value for p in self.parents[child])


def _reached(starts: Iterable[int], next_to: Callable[[int], Iterable[int]]) -> set[int]:
    """Return what is reached from these by one step or more."""
    found: set[int] = set()
    todo = list(starts)
    while todo:
        for other in next_to(todo.pop()):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found


@dataclass(frozen=True)
class Slice:
    """A part of the graph."""

    inside: set[int]  # records of which nothing is known
    border: set[int]  # the settled records that these were computed from
