"""The trace of a PyTorch module: its functions as they are called, and its graph on the way back.

Nothing is put in the place of anything, so the run is the run that would have been without.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import torch
from crosscheck.runs import Batch
from crosscheck.sides import INPUT, TORCH, Array, Loss
from crosscheck.traces.book import Book
from crosscheck.traces.ending import Watched, ended_with
from crosscheck.traces.lines_beside import LinesBeside
from crosscheck.traces.of_torch_backward import Graph
from crosscheck.traces.of_torch_forward import Functions
from crosscheck.traces.torch_view import torch_view
from crosscheck.traces.trace import Trace
from crosscheck.traces.user_frames import UserFiles

FORWARD_ONLY = "Nothing in the model requires a gradient, so there is no way back to show."


def trace_torch(model: Any, batch: Batch, loss: Loss, wanted: Collection[int] | None) -> Trace:
    """Return the trace of a run in float64, made as `run` makes it.

    A compiled model is traced as it was written. If the run raises, the trace ends there, and its
    last note has the exception.
    """
    recorder = _Recorder(model, wanted)
    notes: list[str] = []
    given = (batch.inputs, batch.options, "float64")
    try:
        with _as_it_was_written():
            TORCH.differentiate(model, *given, Watched(loss, recorder.ends_with), recorder.watching)
    except Exception as error:  # of the user's code: how far it came is what a trace can show
        notes.append(ended_with(error))
    recorder.finish()
    if recorder.output is not None and not recorder.wants_gradients:
        notes.append(FORWARD_ONLY)

    def again(indices: Collection[int]) -> Mapping[int, Array]:
        return trace_torch(model, batch, loss, indices).arrays

    notes += recorder.lines.notes
    return recorder.book.trace(
        recorder.output, again, files=tuple(recorder.files.seen), notes=notes
    )


def _as_it_was_written() -> AbstractContextManager[None]:
    """Within this block, what `torch.compile` has made runs uncompiled."""
    if "torch._dynamo" not in sys.modules:  # then nothing is compiled, and loading it takes long
        return nullcontext()
    return cast(AbstractContextManager[None], torch.compiler.set_stance("force_eager"))


class _Recorder:
    """Writes the trace of one run."""

    def __init__(self, model: Any, wanted: Collection[int] | None) -> None:
        self.book = Book(torch_view, wanted)
        self.files = UserFiles(getattr(model, "_orig_mod", model))
        self.lines = LinesBeside(self.book, self.files)
        self.graph = Graph(self.book, self.lines)
        self.functions = Functions(self.book, self.files, self.lines, self.graph)
        self.output: int | None = None  # the record of the model's output
        self.wants_gradients = False
        self._leaves: dict[int, Any] = {}  # by the record of the value

    @contextmanager
    def watching(self, model: Any, inputs: Any) -> Iterator[None]:
        """Write what happens within this block."""
        leaves = {INPUT: inputs, **TORCH.parameters(model)}
        self.wants_gradients = any(x.requires_grad for x in leaves.values())
        for name, leaf in leaves.items():
            self._leaves[self.book.give(name, leaf)] = leaf
            self.functions.alive.append(leaf)
        for name, buffer in model.named_buffers():
            if torch_view(buffer) is not None:
                self.book.add(name, buffer, place=None, backward=False)
        with self.lines, self.functions:
            yield

    def ends_with(self, output: Any) -> None:
        """The model has returned this."""
        self.output = self.functions.record_of(output, "output")
        self.graph.listen(output, self.output)
        self.book.backward = True

    def finish(self) -> None:
        """Write the gradients that lie in the leaves, where they are not what arrived there."""
        for value, leaf in self._leaves.items():
            self.graph.rest(leaf, value)
