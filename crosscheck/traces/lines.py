"""The line tracer: after each line of the user's own files, the arrays that it made or changed.

Python calls a trace function before every line (`sys.settrace`). A line is *settled* when the next
one of its function begins: whatever its statement names is read once more. An array that is new, or
holds other numbers than before, gets a record; so does what the statement assigns, even if it is an
array seen before, or is changed by nothing (`dW += 0`). The sources of these records are what the
statement's names stood for before it ran, and what the functions it called have returned. Where a
name is bound to an array that is known already, that array's record is the only source.

Numbers without an array, such as a sum, get no record. The records which they were computed from
stand for them. Comprehensions belong to the line they are on. Threads that the user's code starts
are not followed.
"""

from __future__ import annotations

import sys
from collections.abc import Container
from types import FrameType, TracebackType
from typing import Any

from crosscheck.traces.book import Book
from crosscheck.traces.lines_records import Activation, Naming, Said, Writer
from crosscheck.traces.lines_source import source_of
from crosscheck.traces.lines_values import Found

OF_THE_LINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_LAMBDA = "<lambda>"
ANOTHER = (
    "Another trace function was set (a debugger's, or one that measures coverage). It did not see "
    "the traced run, and has been put back after it."
)
REPLACED = (
    "The model's code set a trace function of its own, so what it ran after that was not traced."
)
FAILED = "The line tracer failed, so what ran after that was not traced:"


class LineTracer:
    """Writes what the lines of these files make into the book, while it is entered.

    It is a context manager, and can be entered again: once for the way forward, once for the way
    back. `notes` has sentences for the reader.
    """

    def __init__(self, book: Book, files: Container[str], naming: Naming | None = None) -> None:
        self.book = book
        self.files = files
        self.notes: dict[str, None] = {}
        self._naming = naming
        self._writer = Writer(book, self.files, naming)
        self._running: dict[FrameType, Activation] = {}
        self._failed = False
        self._before: Any = None

    def __enter__(self) -> LineTracer:
        self._before = sys.gettrace()
        if self._before is not None:
            self.notes[ANOTHER] = None
        sys.settrace(self._call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if sys.gettrace() != self._call and not self._failed:
            self.notes[REPLACED] = None
        sys.settrace(self._before)
        self._running.clear()

    def read_all_again(self) -> None:
        """Add a record for each known array that no line was seen to change. Call it at the end."""
        last = next(reversed(self.book.executed), None)
        for array, name in list(self.book.changed_arrays()):
            if self.book.is_changed(array):  # not yet seen as one that shares memory with another
                self._writer.add_changed(Found(array, name), Said(last, ()), ())

    def inside(self) -> Activation | None:
        """Return the user's function that is running now, for others who write into the book."""
        return self._nearest(sys._getframe(1))

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code.co_filename not in self.files or code.co_name in OF_THE_LINE:
            return None
        try:
            self._begin_function(frame)
        except Exception as error:
            return self._fail(error)
        return self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        activation = self._running.get(frame)
        if activation is None:
            return None
        try:
            if event == "line":
                self._go_on(activation)
            elif event == "return":
                self._end_function(activation, argument)
        except Exception as error:
            return self._fail(error)
        return self._line

    def _fail(self, error: Exception) -> None:
        """Stop tracing: an error of the tracer must not look like one of the user's code."""
        self._failed = True
        self.notes[f"{FAILED} {type(error).__name__}: {error}"] = None
        sys.settrace(None)

    def _nearest(self, frame: FrameType | None) -> Activation | None:
        while frame is not None and frame not in self._running:
            frame = frame.f_back
        return None if frame is None else self._running[frame]

    def _begin_function(self, frame: FrameType) -> None:
        parent = self._nearest(frame.f_back)
        callers = () if parent is None else (parent.place, *parent.callers)
        source = source_of(frame.f_code.co_filename)
        activation = Activation(frame, source, callers, parent)
        self._running[frame] = activation
        if self._naming is not None:
            activation.op = self._naming.enters(frame, parent)
        self._writer.take_arguments(activation)
        if frame.f_code.co_name == _LAMBDA:
            self._writer.begin(activation, source.lambdas.get(frame.f_code.co_firstlineno))

    def _go_on(self, activation: Activation) -> None:
        """A line begins: settle the one before."""
        frame = activation.frame
        if frame.f_code.co_name == _LAMBDA:
            return
        unit = activation.source.by_line.get(frame.f_lineno)
        goes_on = unit is not None and unit is activation.unit
        if goes_on and frame.f_lasti > activation.instruction:
            activation.instruction = frame.f_lasti  # a statement of several lines, still running
            return
        self._writer.settle(activation)
        self._writer.begin(activation, unit)

    def _end_function(self, activation: Activation, returned: Any) -> None:
        self._writer.settle(activation)
        self._writer.take_result(activation, returned)
        if self._naming is not None:
            self._naming.leaves(activation, returned)
        del self._running[activation.frame]
