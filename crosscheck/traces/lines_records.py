"""What the lines of a function make, written into the book as records."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

import numpy as np

from crosscheck.traces.book import Book
from crosscheck.traces.lines_source import OF_THE_SHAPE, Path, Source, Statement, Unit
from crosscheck.traces.lines_values import Found, Names, Reached, arrays_in, reach
from crosscheck.traces.trace import Place


@dataclass(frozen=True)
class Said:
    """What a record says of the line that made it; see `Record`."""

    place: Place | None
    callers: tuple[Place, ...]
    op: str = ""


class Naming(Protocol):
    """Who may name records otherwise than by their line: the ops of a tensor engine."""

    def enters(self, frame: FrameType, parent: Activation | None) -> Any:
        """Return what is to be remembered of a function that begins, as `Activation.op`."""

    def leaves(self, activation: Activation, returned: Any) -> None:
        """A function ends, and returns this."""

    def said(self, activation: Activation, found: Found, plain: Said) -> tuple[str, Said]:
        """Return the name and place of a record for this array, in place of its line's."""


@dataclass(eq=False)
class Activation:
    """A function of the user's that is running."""

    frame: FrameType
    source: Source
    callers: tuple[Place, ...]
    parent: Activation | None
    unit: Unit | None = None  # the line that runs now
    instruction: int = -1  # how far it had come in its bytecode
    reads: list[set[int]] = field(default_factory=list)  # of each statement, before it ran
    returned: set[int] = field(default_factory=set)  # by the functions that this line called
    numbers: dict[str, set[int]] = field(default_factory=dict)  # what names without arrays are of
    looped: dict[str, int] = field(default_factory=dict)  # what names of loops hold, by identity
    written: set[int] = field(default_factory=set)  # arrays that have a record of this line's end
    op: Any = None  # for the naming

    @property
    def place(self) -> Place:
        """The line that runs now."""
        line = self.unit.line if self.unit else self.frame.f_code.co_firstlineno
        return Place(self.frame.f_code.co_filename, line)

    @property
    def sources(self) -> set[int]:
        """All that the line that runs now was given."""
        return self.returned.union(*self.reads)


class Writer:
    """Writes the records of lines.

    files: the user's own. naming: who may name records otherwise than by their line.
    """

    def __init__(self, book: Book, files: Container[str], naming: Naming | None) -> None:
        self.book = book
        self._files = files
        self._naming = naming
        self._numbers: dict[tuple[int, Any], set[int]] = {}  # as in Activation, of owner and key

    def begin(self, activation: Activation, unit: Unit | None) -> None:
        """A line is about to run: see what it is given."""
        activation.unit, activation.returned = unit, set()
        activation.instruction = activation.frame.f_lasti
        activation.reads = []
        if unit is None:
            return
        self.book.executed.setdefault(activation.place)
        names = Names(activation.frame.f_locals, activation.frame.f_globals)
        for statement in unit.statements:
            activation.reads.append(self._before_it(activation, statement, names))

    def take_arguments(self, activation: Activation) -> None:
        """Give the arguments that have no name with the caller, such as `x * 2`, a record."""
        parent, local = activation.parent, activation.frame.f_locals
        sources: Collection[int] = () if parent is None else parent.sources
        defaults = activation.source.defaults.get(activation.frame.f_code.co_firstlineno, {})
        for name in _arguments(activation.frame):
            value = local.get(name)
            if _is_number(value) and defaults.get(name) != value:
                activation.numbers[name] = set(sources)
            for found in arrays_in(value, name, self.book.view):
                if self.book.is_known(found.array):
                    continue
                given = sources or self.book.sources_of(found.array)
                self._add(parent or activation, found, given)

    def settle(self, activation: Activation) -> None:
        """Read once more what the line that has run names."""
        activation.written.clear()
        if activation.unit is None:
            return
        names = Names(activation.frame.f_locals, activation.frame.f_globals)
        begun = len(self.book.records)
        for statement, reads in zip(activation.unit.statements, activation.reads, strict=True):
            before = () if statement.is_part else range(begun, len(self.book.records))
            sources = reads.union(activation.returned, before)
            for path in statement.reads:
                reached = reach(path, names, self.book.view)
                if reached is not None and reached.step not in OF_THE_SHAPE:
                    for found in self._behind(path, reached):
                        self._look_at(activation, found, sources)
            for path in statement.writes:
                self._written(activation, statement, path, sources, names)

    def take_result(self, activation: Activation, returned: Any) -> None:
        """A function returns this: give it a record, and make that known to the caller's line."""
        made: set[int] = set()
        for value, name, sources in self._parts_of(activation, returned):
            for found in arrays_in(value, name, self.book.view):
                if not self.book.is_known(found.array):
                    self._add(activation, found, sources)
                made.update(self.book.sources_of(found.array))
            if _is_number(value):
                made |= sources
        if activation.parent is not None:
            activation.parent.returned |= made

    def _parts_of(
        self, activation: Activation, returned: Any
    ) -> Iterable[tuple[Any, str, set[int]]]:
        """Return what a function returns, in its parts if the line says these one by one."""
        statements = activation.unit.statements if activation.unit else ()
        pairs = zip(statements, activation.reads, strict=True)
        said = [(s.returned, reads | activation.returned) for s, reads in pairs if s.returned]
        are_parts = any(s.is_part and s.returned for s in statements)
        if are_parts and isinstance(returned, tuple) and len(returned) == len(said):
            return [(value, *part) for value, part in zip(returned, said, strict=True)]
        texts = ", ".join(text for text, _ in said) or activation.frame.f_code.co_name
        return [(returned, texts, activation.sources)]

    def add_changed(
        self,
        found: Found,
        plain: Said,
        sources: Collection[int],
        activation: Activation | None = None,
    ) -> None:
        """Add a record of an array that was changed in place, and of all that share its memory."""
        others = list(self.book.changed_arrays(near=found.array))
        given = (*sources, *self.book.sources_of(found.array))
        index = self._write(found, plain, given, activation, changed=True)
        for array, name in others:
            behind = () if index is None else (index,)
            given = (*behind, *self.book.sources_of(array))
            self._write(Found(array, name), plain, given, activation, changed=True)

    def _before_it(self, activation: Activation, statement: Statement, names: Names) -> set[int]:
        """Return the records of all that the statement reads."""
        sources: set[int] = set()
        for path in statement.reads:
            reached = reach(path, names, self.book.view)
            if reached is None or reached.step in OF_THE_SHAPE:
                continue
            for found in self._behind(path, reached):
                if not self.book.is_known(found.array):
                    self._add(activation, found, self.book.sources_of(found.array))
                sources.update(self.book.sources_of(found.array))
            if reached.owner is None:
                sources |= activation.numbers.get(path.root, set())
            elif _is_number(reached.value):
                sources |= self._numbers.get((id(reached.owner), reached.key), set())
        return sources

    def _written(
        self,
        activation: Activation,
        statement: Statement,
        path: Path,
        sources: set[int],
        names: Names,
    ) -> None:
        reached = reach(path, names, self.book.view)
        if reached is None:
            return
        if self.book.view(reached.value) is not None and not statement.is_loop:
            owner = reached.owner if reached.key == "grad" else None
            found = Found(reached.value, reached.name, owner)
            in_place = statement.in_place or reached.rest > 0
            self._assigned(activation, found, sources, in_place)
            return
        count = 0
        if statement.is_loop and self.book.view(reached.value) is not None:
            self._loops(activation, Found(reached.value, reached.name))
        for found in arrays_in(reached.value, reached.name, self.book.view):
            self._look_at(activation, found, sources)
            count += 1
        if reached.owner is None:
            activation.numbers.pop(path.root, None)
            if not count and _is_number(reached.value):
                activation.numbers[path.root] = set(sources)
        elif not count and _is_number(reached.value):
            self._numbers[id(reached.owner), reached.key] = set(sources)

    def _assigned(
        self, activation: Activation, found: Found, sources: set[int], in_place: bool
    ) -> None:
        """An array was assigned, or written into: it gets a record in any case."""
        if id(found.array) in activation.written:
            return
        before = self.book.sources_of(found.array) if self.book.is_known(found.array) else ()
        if not before or self.book.is_changed(found.array):
            self._look_at(activation, found, sources)
        elif in_place:
            self._add(activation, found, {*sources, *before})
        else:
            self._add(activation, found, before)

    def _loops(self, activation: Activation, found: Found) -> None:
        """A known array gets the name of a loop, and a record: it may be the wrong one.

        When nothing is left, the head of the loop runs once more, and the name stays as it was.
        """
        last = activation.looped.get(found.name)
        activation.looped[found.name] = id(found.array)
        known = self.book.is_known(found.array) and not self.book.is_changed(found.array)
        if known and last != id(found.array):
            self._add(activation, found, self.book.sources_of(found.array))

    def _look_at(self, activation: Activation, found: Found, sources: Collection[int]) -> None:
        """Add a record of an array if it is new, or holds other numbers than before."""
        if not self.book.is_known(found.array):
            self._add(activation, found, sources)
        elif self.book.is_changed(found.array):
            plain = Said(activation.place, activation.callers)
            self.add_changed(found, plain, sources, activation)

    def _add(self, activation: Activation, found: Found, sources: Collection[int]) -> int | None:
        plain = Said(activation.place, activation.callers)
        return self._write(found, plain, sources, activation)

    def _write(
        self,
        found: Found,
        plain: Said,
        sources: Collection[int],
        activation: Activation | None,
        changed: bool = False,
    ) -> int | None:
        numbers, name = self.book.view(found.array), found.name
        if numbers is None or numbers.dtype.kind != "f":
            self.book.know(found.array, sources, name)
            return None
        if activation is not None:
            activation.written.add(id(found.array))
        said = plain
        if self._naming is not None and activation is not None:
            name, said = self._naming.said(activation, found, plain)
        return self.book.add(
            name,
            found.array,
            place=said.place,
            callers=said.callers,
            op=said.op,
            sources=sources,
            value=self._value_of(found),
            changed=changed,
        )

    def _value_of(self, found: Found) -> int | None:
        """Return the record of the value that this array is the gradient of, if that is known."""
        if found.owner is None:
            return None
        data = found.owner
        if self.book.view(data) is None:
            data = getattr(data, "data", None)
        if data is None or self.book.view(data) is None or not self.book.is_known(data):
            return None
        return next(iter(self.book.sources_of(data)), None)

    def _behind(self, path: Path, reached: Reached) -> Iterable[Found]:
        """Return the arrays that the statement reads through a path.

        A function of the user's tells by its own lines what it reads of its object.
        """
        if path.is_called and not reached.rest:
            function = reached.value
            if inspect.ismethod(function):
                function = function.__func__
            elif inspect.isbuiltin(function):
                name = reached.name.rpartition(".")[0]
                return arrays_in(function.__self__, name, self.book.view)
            elif not inspect.isfunction(function):
                function = inspect.getattr_static(type(function), "__call__", None)
            if _file_of(function) in self._files:
                return ()
        if path.is_called and reached.rest == 1 and self.book.view(reached.value) is None:
            method = getattr(type(reached.value), str(path.steps[-1]), None)
            if _file_of(method) in self._files:
                return ()
        owner = reached.owner if reached.key == "grad" else None
        if self.book.view(reached.value) is not None:
            return [Found(reached.value, reached.name, owner)]
        return arrays_in(reached.value, reached.name, self.book.view)


def _file_of(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return "" if code is None else code.co_filename


def _arguments(frame: FrameType) -> tuple[str, ...]:
    code = frame.f_code
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]


def _is_number(value: Any) -> bool:
    """Whether this is a number that may depend on arrays. A bare int is taken for a size."""
    return isinstance(value, float | complex | np.generic) and not isinstance(value, bool)
