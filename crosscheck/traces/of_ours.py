"""The trace of a module of our engine: each op as it reports itself, and its backward."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from crosscheck.runs import Batch
from crosscheck.sides import INPUT, NUMPY, Array, Loss
from crosscheck.traces.backflow import Backflow, Made, Slot
from crosscheck.traces.book import Book
from crosscheck.traces.ending import Watched, ended_with
from crosscheck.traces.lines_beside import LinesBeside
from crosscheck.traces.trace import Trace
from crosscheck.traces.user_frames import UserFiles
from tinygrad_tf import Tensor, observe


def trace_ours(model: Any, batch: Batch, loss: Loss, wanted: Collection[int] | None) -> Trace:
    """Return the trace of a run in float64, made as `run` makes it.

    If the run raises, the trace ends there, and its last note has the exception.
    """
    recorder = _Recorder(model, wanted)
    notes: list[str] = []
    given = (batch.inputs, batch.options, "float64")
    watched = Watched(loss, recorder.ends_with)
    try:
        NUMPY.differentiate(model, *given, watched, recorder.watching)
    except Exception as error:  # of the user's code: how far it came is what a trace can show
        notes.append(ended_with(error))
    recorder.finish()

    def again(indices: Collection[int]) -> Mapping[int, Array]:
        return trace_ours(model, batch, loss, indices).arrays

    notes += recorder.lines.notes
    files = tuple(recorder.files.seen)
    return recorder.book.trace(recorder.output, again, files=files, notes=notes)


class _Recorder:
    """Writes the trace of one run. A tensor is known by the identity of its array."""

    def __init__(self, model: Any, wanted: Collection[int] | None) -> None:
        self.book = Book(wanted=wanted)
        self.files = UserFiles(model)
        self.lines = LinesBeside(self.book, self.files)
        self.output: int | None = None  # the record of the model's output
        self._flow = Backflow(self.book)
        self._leaves: dict[int, Tensor] = {}  # by the record of the value

    @contextmanager
    def watching(self, model: Any, inputs: Any) -> Iterator[None]:
        """Write what happens within this block."""
        for name, leaf in {INPUT: inputs, **NUMPY.parameters(model)}.items():
            index = self.book.give(name, leaf.data)
            self._leaves[index] = leaf
            self._flow.values[_slot(leaf)] = index
            self._flow.alive.append(leaf)
        for name, buffer in model.named_buffers():
            self.book.add(name, buffer.data, place=None, backward=False)
        with self.lines, observe(self._listen):
            yield

    def ends_with(self, output: Tensor) -> None:
        """The model has returned this."""
        sources = self.book.sources_of(output.data)
        self.output = sources[-1] if sources else None
        self._flow.root = _slot(output)
        self.book.backward = True

    def finish(self) -> None:
        """Write the gradients that lie in the leaves, where they are not what arrived there."""
        for value, leaf in self._leaves.items():
            if leaf.grad is not None:
                self._flow.rests(_slot(leaf), value, leaf.grad.data)

    def _listen(
        self, op: Any, inputs: tuple[Any, ...], options: Mapping[str, Any], output: Tensor
    ) -> None:
        """An op has been called."""
        places = self.files.places(sys._getframe(2))  # of the op's caller
        if not places:
            return
        sources = {i for x in (*inputs, *options.values()) for i in self._sources(x)}
        if any(type(x) is float for x in inputs):
            sources |= self.lines.numbers()
        made = Made(places, op.__name__, tuple(sorted(sources)))
        index = self._flow.add(made.op, output.data, made, made.sources)
        self._flow.alive += [output, *inputs]
        if output.node is not None:
            self._flow.values[_slot(output)] = index
            self._stand_between(output.node, made)

    def _sources(self, given: Any) -> tuple[int, ...]:
        """Return the records of what an op is given."""
        array = given.data if isinstance(given, Tensor) else given
        return self.book.sources_of(array) if isinstance(array, np.ndarray) else ()

    def _stand_between(self, node: Any, made: Made) -> None:
        """Write what arrives at an op, and what it sends back."""
        backward, inputs, op = node.backward, node.inputs, f"{made.op} backward"

        def seen(dout: Array) -> Any:
            index = self._flow.arrives((id(node), 0), dout, made)
            dinputs = backward(dout)
            returned = (
                dinputs if isinstance(dinputs, tuple | list) else ()
            )  # else the engine complains
            for source, dx in zip(inputs, returned, strict=False):
                if source is not None and isinstance(dx, np.ndarray):
                    sources = {index, *made.sources}
                    self._flow.sends((id(source), 0), dx, made, sources, op)
            return dinputs

        node.backward = seen


def _slot(tensor: Any) -> Slot:
    """Where the gradient of this tensor arrives."""
    return id(tensor.node or tensor), 0
