"""The line tracer beside an engine's functions: what lines make without them, and their names.

The backward of an `autograd.Function` may go through NumPy, and an array may be changed where no
function of the engine is called. A name for a tensor that has a record makes no second one.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Container
from dataclasses import replace
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from crosscheck.traces.book import Book
from crosscheck.traces.lines import LineTracer
from crosscheck.traces.lines_records import Activation, Writer
from crosscheck.traces.lines_source import Path, Statement, Unit
from crosscheck.traces.lines_values import Found, Names
from crosscheck.traces.trace import Place
from crosscheck.traces.user_frames import UserFiles


class LinesBeside(LineTracer):
    """Writes what the user's lines make beside the functions of an engine."""

    def __init__(self, book: Book, files: UserFiles) -> None:
        super().__init__(book, files)
        self._beside = self._writer = _Writer(book, files)

    def left_at(self, function: Any) -> tuple[Place, ...]:
        """Return the line from which this function of the user's returned last, and its callers."""
        code = getattr(inspect.unwrap(function), "__code__", None)
        return self._beside.left.get(code, ())

    def numbers(self) -> set[int]:
        """Return the records which the numbers without an array come from that a line reads now."""
        activation = self.inside()
        if activation is None or activation.unit is None:
            return set()
        roots = {path.root for s in activation.unit.statements for path in s.reads}
        return set().union(*(activation.numbers.get(root, ()) for root in roots))


class _Writer(Writer):
    """Gives a name to what has a record, instead of a second record.

    What a line makes by itself may come of all that the engine's functions have made in it.
    """

    def __init__(self, book: Book, files: Container[str]) -> None:
        super().__init__(book, files, None)
        self.left: dict[CodeType | None, tuple[Place, ...]] = {}  # where functions returned last
        # How many records there were when the line began that a function runs now.
        self._begun: WeakKeyDictionary[Activation, int] = WeakKeyDictionary()

    def begin(self, activation: Activation, unit: Unit | None) -> None:
        """A line is about to run: see what it is given."""
        super().begin(activation, unit)
        self._begun[activation] = len(self.book.records)

    def take_result(self, activation: Activation, returned: Any) -> None:
        """A function returns this."""
        super().take_result(activation, returned)
        code = activation.frame.f_code
        line = Place(code.co_filename, activation.frame.f_lineno)
        self.left[code] = line, *activation.callers

    def _written(
        self,
        activation: Activation,
        statement: Statement,
        path: Path,
        sources: set[int],
        names: Names,
    ) -> None:
        made = self.book.records[self._begun[activation] :]
        own = {r.index for r in made if len(r.callers) == len(activation.callers)}
        super()._written(activation, statement, path, sources | own, names)

    def _assigned(
        self, activation: Activation, found: Found, sources: set[int], in_place: bool
    ) -> None:
        if isinstance(found.array, np.ndarray) or not self._has_record(found):
            super()._assigned(activation, found, sources, in_place)

    def _loops(self, activation: Activation, found: Found) -> None:
        if isinstance(found.array, np.ndarray):
            super()._loops(activation, found)

    def _look_at(self, activation: Activation, found: Found, sources: Collection[int]) -> None:
        if not self._has_record(found):
            super()._look_at(activation, found, sources)

    def _has_record(self, found: Found) -> bool:
        """Whether there is a record of this array as it is now. Name it if it has no name yet."""
        if not self.book.is_known(found.array) or self.book.is_changed(found.array):
            return False
        for index in self.book.sources_of(found.array)[-1:]:
            record = self.book.records[index]
            if record.name == record.op:
                name = found.name.removesuffix(".data")
                self.book.records[index] = replace(record, name=name)
        return True
