"""What models of code on NumPy share: parameters by the user's names, and runs that are traced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean
from crosscheck.arrays import INPUT, Array
from crosscheck.brought.by_hand_tree import Path, get, leaves, name_of, put
from crosscheck.brought.by_hand_ways import Way
from crosscheck.sides import Loss
from crosscheck.traces.book import Book
from crosscheck.traces.ending import ended_with
from crosscheck.traces.lines import LineTracer
from crosscheck.traces.trace import Trace


@dataclass
class Traced:
    """One run under the line tracer."""

    tracer: LineTracer
    tree: Any  # the object that runs
    inputs: Array
    output: int | None = None  # the record of the output, as soon as there is one

    @property
    def book(self) -> Book:
        """What the run is written into."""
        return self.tracer.book


class OnNumPy(ABC):
    """What models of code in NumPy and on a tensor engine share: arrays in an object, by name.

    way: how the code is called. tree: the object, which is ours to change. paths: where each
    parameter is, by its name. who: the object in sentences.
    """

    def __init__(self, way: Way, tree: Any, paths: Mapping[str, Path], who: str) -> None:
        self.way = way
        self.tree = tree
        self.paths = paths
        self.who = who

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.who})"

    def state_dict(self) -> dict[str, Array]:
        """Return the parameters by the user's own names: those of containers joined by dots."""
        return self.parameters(self.tree)

    def load_state_dict(self, weights: Mapping[str, Array]) -> None:
        """Take these values, by the user's own names, for all parameters.

        Raises ValueError for names and shapes that are not the model's.
        """
        own = self.state_dict()
        for name in weights:
            if name not in own:
                raise ValueError(
                    f"compare: {self.who} has no parameter {name!r}{did_you_mean(name, own)}"
                )
        for name, array in own.items():
            if name not in weights:
                raise ValueError(f"compare: the weights for {self.who} lack {name!r}")
            given = np.asarray(weights[name])
            if given.shape != array.shape:
                raise ValueError(
                    f"compare: the weights for {self.who} have {name!r} of shape {given.shape}, "
                    f"expected {array.shape}"
                )
        for name, path in self.paths.items():
            put(self.tree, path, np.array(weights[name], own[name].dtype, order="C"))

    def parameters(self, tree: Any) -> dict[str, Array]:
        """Return the parameters in a copy of the object."""
        return {name: get(tree, path) for name, path in self.paths.items()}

    def trace(
        self, inputs: Array, loss: Loss, wanted: Collection[int] | None = None, **options: Any
    ) -> Trace:
        """Run in float64, and return what each line of the user's files made.

        wanted: the records whose arrays are kept; None for all that are not too large.
        """
        book, tree = Book(wanted=wanted), self.ready("float64")
        x = np.array(inputs, np.float64 if inputs.dtype.kind == "f" else None)
        book.give(INPUT, x)
        for name, array in self.parameters(tree).items():
            book.give(name, array)
        for path, array in leaves(tree):
            if not book.is_known(array):
                book.add(name_of(path), array, place=None, backward=False)
        traced = Traced(self.tracer(book), tree, x)
        notes: list[str] = []
        try:
            with np.errstate(all="ignore"):
                gradients = self.run(traced, loss, options)
            for name, gradient in gradients.items():
                if gradient is not None and name in book.given:
                    book.tie(gradient, book.given[name])
        except Exception as error:  # of the user's code: how far it came is what a trace can show
            notes.append(ended_with(error))
        traced.tracer.read_all_again()

        def again(indices: Collection[int]) -> Mapping[int, Array]:
            return self.trace(inputs, loss, indices, **options).arrays

        return book.trace(traced.output, again, notes=[*traced.tracer.notes, *notes])

    @abstractmethod
    def ready(self, dtype: str) -> Any:
        """Return a copy of the object to run: in this precision, with its gradients at zero."""

    @abstractmethod
    def tracer(self, book: Book) -> LineTracer:
        """Return what writes the lines of the user's files into a book."""

    @abstractmethod
    def run(self, traced: Traced, loss: Loss, options: Mapping[str, Any]) -> dict[str, Any]:
        """Run both ways, and return the gradients. Raises whatever the user's code raises."""
