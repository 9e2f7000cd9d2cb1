"""The line tracer beside PyTorch's functions: what lines make without them, and what they name it.

The backward of an `autograd.Function` may go through NumPy, and an array may be changed where no
function of PyTorch is called. A name for a tensor that has a record makes no second one.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from crosscheck.traces.book import Book
from crosscheck.traces.lines import LineTracer
from crosscheck.traces.lines_records import Activation, Writer
from crosscheck.traces.lines_values import Found
from crosscheck.traces.user_frames import UserFiles


class TorchLines(LineTracer):
    """Writes what the user's lines make beside PyTorch's functions."""

    def __init__(self, book: Book, files: UserFiles) -> None:
        super().__init__(book, files)
        self._writer = _Writer(book, files, None)

    def numbers(self) -> set[int]:
        """Return the records which the numbers without an array come from that a line reads now."""
        activation = self.inside()
        if activation is None or activation.unit is None:
            return set()
        roots = {path.root for s in activation.unit.statements for path in s.reads}
        return set().union(*(activation.numbers.get(root, ()) for root in roots))


class _Writer(Writer):
    def _assigned(
        self, activation: Activation, found: Found, sources: set[int], in_place: bool
    ) -> None:
        known = isinstance(found.array, torch.Tensor) and self.book.is_known(found.array)
        if not known or self.book.is_changed(found.array):
            super()._assigned(activation, found, sources, in_place)
            return
        index = self.book.sources_of(found.array)[-1]
        record = self.book.records[index]
        if record.name == record.op:  # it had no other name yet
            self.book.records[index] = replace(record, name=found.name)
