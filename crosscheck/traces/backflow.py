"""What flows back through an engine's graph, written into a book.

A gradient is sent along an edge of the graph to a *slot*, which is where dL/d(a tensor) arrives.
What the ops that used the tensor have sent there is added up on the way, and a hook may change the
sum.

The gradients that the user's own lines make, in a backward of theirs or in a hook, have records
already. They are recognised by identity and get no second one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from crosscheck.traces.book import Book
from crosscheck.traces.trace import Place

Slot = tuple[int, int]  # the identity of what the graph has there, and the number of its output


@dataclass(frozen=True)
class Made:
    """A call of a function."""

    places: tuple[Place, ...]  # the user's lines that were running, innermost first
    op: str  # the function's name
    sources: tuple[int, ...]  # the records of what it was given


NOWHERE = Made((), "", ())


class Backflow:
    """Writes what arrives at slots, and what is sent to them."""

    def __init__(self, book: Book) -> None:
        self.alive: list[Any] = []  # what has a record, so that no identity is used twice
        self.values: dict[Slot, int] = {}  # the record of the tensor whose gradient arrives there
        self.sent: defaultdict[Slot, list[int]] = defaultdict(list)  # the records of what was sent
        self.root: Slot | None = None  # where the gradient is sent in
        self._book = book

    def arrives(self, slot: Slot, gradient: Any, made: Made) -> int:
        """Return the record of what arrives at a slot. made: what made the tensor there."""
        value, known = self.values.get(slot), self._known(gradient)
        if known is None and slot == self.root and self._book.dout is None:
            self.alive.append(gradient)
            index = self._book.send_in(gradient)
            self._tie(index, value)
            return index
        if known is not None and known in (*self.sent[slot], self._book.dout):
            self._tie(known, value)
            if value is None or self._book.records[known].value == value:
                return known
        # A sum, or what a hook has made of it, or one array for several tensors.
        sources = {*self.sent[slot], *([] if known is None else [known])}
        if not made.places and sources:  # at a leaf: where the last summand was made
            made = replace(made, places=self._places_of(max(sources)))
        sources |= set() if value is None else {value}
        return self.add(self.name(value), gradient, made, sources, op="", value=value)

    def sends(
        self, slot: Slot, gradient: Any, made: Made, sources: Collection[int], op: str
    ) -> None:
        """A function sends this gradient to a slot. sources: what it was computed from."""
        index = self._known(gradient)
        if index is None:
            index = self.add(self.name(self.values.get(slot)), gradient, made, sources, op=op)
        self.sent[slot].append(index)

    def returns(self, slot: Slot, gradient: Any, places: tuple[Place, ...], op: str) -> None:
        """A function of the user's returns this gradient, which goes to a slot, from a line.

        The line gets a record even if another has made the gradient: it may send it to the wrong
        slot.
        """
        known = self._book.sources_of(gradient)
        if known and self._book.records[known[-1]].place == places[0]:
            self.sent[slot].append(known[-1])
            return
        name = self.name(self.values.get(slot))
        self.sent[slot].append(self.add(name, gradient, Made(places, op, known), known))

    def rests(self, slot: Slot, value: int, gradient: Any) -> None:
        """This gradient lies in a leaf after the run. value: the leaf's record."""
        latest = self._book.latest_of(gradient)
        if latest is not None and latest in self.sent[slot]:
            self._tie(latest, value)
        if latest is not None and self._book.records[latest].value == value:
            return
        arrived = [record.index for record in self._book.records if record.value == value]
        sources = {*arrived, *self.sent[slot], *([] if latest is None else [latest])}
        places = self._places_of(max(sources)) if sources else ()
        self.add(self.name(value), gradient, Made(places, "", ()), {*sources, value}, value=value)

    def add(
        self,
        name: str,
        tensor: Any,
        made: Made,
        sources: Collection[int],
        *,
        op: str | None = None,
        value: int | None = None,
        changed: bool = False,
    ) -> int:
        """Add a record of a tensor that this call made. Return its index; -1 if it has no numbers.

        op: the name of the function, if it is not the call's.
        """
        if self._book.view(tensor) is None:
            return -1
        self.alive.append(tensor)
        return self._book.add(
            name, tensor,
            place=made.places[0] if made.places else None, callers=made.places[1:],
            sources=sources, op=made.op if op is None else op, value=value, changed=changed,
        )  # fmt: skip

    def name(self, value: int | None) -> str:
        """What the gradient of a value is called."""
        return "gradient" if value is None else f"d {self._book.records[value].name}"

    def _known(self, gradient: Any) -> int | None:
        """Return the record of this very gradient, unless it was changed since."""
        if not self._book.is_known(gradient) or self._book.is_changed(gradient):
            return None
        sources = self._book.sources_of(gradient)
        return sources[-1] if sources else None

    def _tie(self, index: int, value: int | None) -> None:
        """This record is the gradient of that value, unless it is one of another already."""
        record = self._book.records[index]
        if record.value is None:
            self._book.records[index] = replace(record, value=value)

    def _places_of(self, index: int) -> tuple[Place, ...]:
        record = self._book.records[index]
        return () if record.place is None else (record.place, *record.callers)
