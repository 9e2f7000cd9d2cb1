"""The book that a trace is written into: records in order of time, and which array has which.

Several producers may write into one book: the line tracer, what watches PyTorch's functions, and
who sends the gradient in. Each asks `sources_of` for the records of what a line was given, and
calls `add` for what the line made.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crosscheck.arrays import Array, checksum
from crosscheck.traces.signature import Signature, signature
from crosscheck.traces.trace import KEPT_BYTES, Place, Record, Trace

# Returns the numbers of a value, sharing its memory; None if the value is no array.
View = Callable[[Any], Array | None]
Again = Callable[[Collection[int]], Mapping[int, Array]]
SMALL = 2**21  # bytes
_Content = tuple[tuple[int, ...], str, int]  # shape, type of the numbers, checksum


def numpy_view(value: Any) -> Array | None:
    """Return an array of NumPy as it is, and None for anything else."""
    return value if isinstance(value, np.ndarray) and value.dtype != object else None


@dataclass
class _Known:
    """An array that a record, or the sources of a line, stand for."""

    holder: weakref.ref[Any]  # the array object; another object may get its identity later
    content: _Content  # as it was when it was last seen
    sources: tuple[int, ...]  # its record; for integers and booleans, the records it came from
    name: str
    memory: int  # where the memory that it is a view of begins


class Book:
    """Writes a trace.

    view: what is an array, and its numbers. wanted: the records whose arrays are kept; None for
    all, until KEPT_BYTES are kept.
    """

    def __init__(self, view: View = numpy_view, wanted: Collection[int] | None = None) -> None:
        self.view = view
        self.records: list[Record] = []
        self.given: dict[str, int] = {}
        self.dout: int | None = None
        # Whether what is written now is on the way back. None: it is if one of its sources is, for
        # a function that goes forward and back in one call.
        self.backward: bool | None = False
        self.executed: dict[Place, None] = {}  # in the order of their first run
        self._wanted = wanted
        self._kept: dict[int, Array] = {}
        self._kept_bytes = 0
        self._known: dict[int, _Known] = {}  # by the identity of the array object
        self._latest: dict[_Content, int] = {}  # the last record with this content
        self._signatures: dict[_Content, Signature] = {}

    def give(self, name: str, value: Any) -> int:
        """Add what the run is given: INPUT, or a parameter under its name. Return the index."""
        index = self.add(name, value, place=None, backward=False)
        self.given[name] = index
        return index

    def send_in(self, dout: Any) -> int:
        """Add the gradient that is about to be sent into the output. Return the index."""
        self.dout = self.add("dout", dout, place=None, backward=True)
        if self.backward is not None:
            self.backward = True
        return self.dout

    def add(
        self,
        name: str,
        array: Any,
        *,
        place: Place | None,
        callers: tuple[Place, ...] = (),
        sources: Collection[int] = (),
        backward: bool | None = None,
        op: str = "",
        value: int | None = None,
        changed: bool = False,
    ) -> int:
        """Add a record of this array, which `sources_of` then finds for it. Return the index.

        backward: as the book has it, if None. The other arguments are the fields of `Record`.
        """
        numbers, index = self._numbers(array), len(self.records)
        sources = tuple(sorted(set(sources)))
        if backward is None:
            backward = self.backward
        if backward is None:
            backward = any(self.records[source].backward for source in sources)
        content = _content(numbers)
        if content not in self._signatures:
            self._signatures[content] = signature(numbers)
        made = self._signatures[content]
        shape = tuple(numbers.shape)
        self.records.append(
            Record(index, name, place, callers, backward, shape, made, sources, op, value, changed)
        )
        self._latest[content] = index
        self._remember(array, content, (index,), name)
        self._keep(index, numbers)
        return index

    def know(self, array: Any, sources: Collection[int], name: str = "") -> None:
        """Let these records stand for an array that gets none of its own, such as a mask."""
        content = _content(self._numbers(array))
        self._remember(array, content, tuple(sorted(set(sources))), name)

    def tie(self, gradient: Any, value: int) -> None:
        """Say whose gradient an array is: the record that stands for it gets this `value`."""
        for index in self.sources_of(gradient):
            if self.records[index].backward:
                self.records[index] = replace(self.records[index], value=value)

    def is_known(self, array: Any) -> bool:
        """Whether records stand for this very object."""
        return self._found(array) is not None

    def is_changed(self, array: Any) -> bool:
        """Whether this object, which is known, holds other numbers than when it was last seen."""
        known = self._found(array)
        return known is not None and known.content != _content(self._numbers(array))

    def sources_of(self, array: Any) -> tuple[int, ...]:
        """Return the records that stand for this array, by identity, else the last of its content.

        Its content is read only if the object is unknown. Empty if there is no such record.
        """
        known = self._found(array)
        if known is not None:
            return known.sources
        latest = self._latest.get(_content(self._numbers(array)))
        return () if latest is None else (latest,)

    def latest_of(self, array: Any) -> int | None:
        """Return the last record with this content and shape, whichever object held it."""
        return self._latest.get(_content(self._numbers(array)))

    def changed_arrays(self, near: Any = None) -> Iterator[tuple[Any, str]]:
        """Yield each known array that now holds other numbers, and the name it had last.

        near: only arrays that may share memory with this one.
        """
        memory = None if near is None else _memory_of(self._numbers(near))
        for known in list(self._known.values()):
            if memory is not None and known.memory != memory:
                continue
            array = known.holder()
            if array is None or array is near:
                continue
            if _content(self._numbers(array)) != known.content:
                yield array, known.name

    def trace(
        self,
        output: int | None,
        again: Again,
        *,
        files: Collection[str] | None = None,
        notes: Collection[str] = (),
    ) -> Trace:
        """Return what was written.

        again: runs once more, and returns the arrays of records. files: the user's own; if None,
        those in which a line ran.
        """
        files = dict.fromkeys(place.file for place in self.executed) if files is None else files
        return Trace(
            tuple(self.records), dict(self.given), self.dout, output, self._kept, again,
            tuple(self.executed), tuple(files), tuple(notes),
        )  # fmt: skip

    def _numbers(self, array: Any) -> Array:
        numbers = self.view(array)
        assert numbers is not None, type(array)
        return numbers

    def _found(self, array: Any) -> _Known | None:
        known = self._known.get(id(array))
        return known if known is not None and known.holder() is array else None

    def _remember(self, array: Any, content: _Content, sources: tuple[int, ...], name: str) -> None:
        identity = id(array)

        def forget(gone: weakref.ref[Any]) -> None:
            if identity in self._known and self._known[identity].holder is gone:
                del self._known[identity]

        self._known[identity] = _Known(
            weakref.ref(array, forget), content, sources, name, _memory_of(self._numbers(array))
        )

    def _keep(self, index: int, numbers: Array) -> None:
        if self._wanted is None:
            # Half of the room is for small arrays, which are looked at more closely.
            room = KEPT_BYTES if numbers.nbytes <= SMALL else KEPT_BYTES // 2
            kept = self._kept_bytes + numbers.nbytes <= room
        else:
            kept = index in self._wanted
        if kept:
            self._kept_bytes += numbers.nbytes
            self._kept[index] = np.array(numbers, order="C")


def _memory_of(numbers: Array) -> int:
    """Return where the memory begins that an array, perhaps a view, is in."""
    base: Any = numbers
    while isinstance(base.base, np.ndarray):
        base = base.base
    storage = getattr(base.base, "untyped_storage", None)  # of a tensor of PyTorch
    if storage is not None:
        return int(storage().data_ptr())
    return int(base.__array_interface__["data"][0])


def _content(numbers: Array) -> _Content:
    return numbers.shape, numbers.dtype.str, checksum(numbers)
