"""Models on a small tensor engine: a class of tensors with `.data`, `.grad` and `backward()`.

The model is an object or a function of the user's. Its parameters are the tensors of that class
which it holds. The input is made one by calling the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crosscheck.answers import in_words
from crosscheck.arrays import INPUT, Array
from crosscheck.brought.by_hand_tree import copied, in_dtype, leaves, name_of
from crosscheck.brought.by_hand_ways import Way
from crosscheck.brought.engine_backward import WayBack, array_of_gradient, way_back
from crosscheck.brought.engine_ops import EngineOps
from crosscheck.brought.on_numpy import OnNumPy, Traced
from crosscheck.foreign import Pullback
from crosscheck.sides import Loss
from crosscheck.traces.book import Book
from crosscheck.traces.lines import LineTracer
from crosscheck.traces.user_frames import UserFiles


def is_tensor_of_an_engine(value: Any) -> bool:
    """Whether this has an array as `.data`, a `.grad`, and a `backward` that can be called."""
    if isinstance(value, np.ndarray | np.generic | type) or not hasattr(type(value), "backward"):
        return False
    held = getattr(value, "data", None)
    return isinstance(held, np.ndarray) and hasattr(value, "grad")


def tensors_in(tree: Any) -> dict[str, Any]:
    """Return the tensors of an engine that an object holds, by name."""
    return {name_of(path): held for path, held in leaves(tree, is_tensor_of_an_engine)}


class OfEngine(OnNumPy):
    """A `ForeignModel` on a tensor engine.

    way: how the model is called. tree: the object or the containers with its tensors; it is copied,
    so the user's own is never changed.

    In its trace, a record that is made within the engine's own methods has the method as its `op`
    and, as its `place`, the line of the user's model that called the method; for what happens on
    the way back, the line that had called it going forward. Its name says the operand:
    "matmul.other.grad". The engine's own line comes first among the `callers`, and then the lines
    that called `place`.
    """

    engine = "tensor engine"

    def __init__(self, way: Way, tree: Any, who: str) -> None:
        tree = copied(tree, who)
        found = leaves(tree, is_tensor_of_an_engine)
        paths = {name_of(path): (*path, "data") for path, _ in found}
        super().__init__(way, tree, paths, who)
        self._kind = type(next(iter(tensors_in(tree).values())))

    def linearize(self, inputs: Array, dtype: str, **options: Any) -> tuple[Array, Pullback | None]:
        """Run forward, and return the way back."""
        tree = self.ready(dtype)
        x, output = self._forward(tree, np.array(inputs), options)

        def back(dout: Array) -> dict[str, Any]:
            self._way_back(dtype).send(output, np.array(dout))
            found = self._gradients(tree, x)
            return {name: None if g is None else np.array(g) for name, g in found.items()}

        return np.array(output.data), back

    def tracer(self, book: Book) -> LineTracer:
        """Return what writes the lines of the user's files and the engine's into a book."""
        files = _Files(UserFiles(self.way.object), self._kind)
        return LineTracer(book, files, EngineOps(self._kind))

    def run(self, traced: Traced, loss: Loss, options: Mapping[str, Any]) -> dict[str, Any]:
        """Run both ways, and return the gradients. Raises whatever the user's code raises."""
        book, sends = traced.book, self._way_back("float64")
        traced.tracer.notes[f"dL/d(output) is sent in by {sends.text}."] = None
        with traced.tracer:
            x, made = self._forward(traced.tree, traced.inputs, options)
        traced.output = next(iter(book.sources_of(made.data)), None)
        dout = np.array(loss.of_array(np.array(made.data))[1], np.float64)
        book.send_in(dout)
        with traced.tracer:
            sends.send(made, dout)
        return self._gradients(traced.tree, x)

    def ready(self, dtype: str) -> Any:
        """Return a copy to run: in this precision, with its gradients at zero."""
        tree = in_dtype(copied(self.tree, self.who), dtype)
        for tensor in tensors_in(tree).values():
            if array_of_gradient(tensor.grad) is not None:
                array_of_gradient(tensor.grad)[...] = 0
        return tree

    def _forward(self, tree: Any, inputs: Array, options: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the input as the model got it, and the output's tensor."""
        x = self._kind(inputs) if inputs.dtype.kind == "f" else inputs
        returned = self.way.returned(tree, x, options)
        parts = returned if isinstance(returned, tuple | list) else [returned]
        output = next((part for part in parts if isinstance(part, self._kind)), None)
        if output is None:
            raise TypeError(
                f"compare: {self.who} returned {in_words(returned)} from its forward, expected a "
                f"{self._kind.__name__}, alone or first in a tuple"
            )
        return x, output

    def _gradients(self, tree: Any, x: Any) -> dict[str, Any]:
        """Return the gradients by name, as the arrays that the tensors have."""
        tensors = tensors_in(tree) | ({INPUT: x} if isinstance(x, self._kind) else {})
        return {name: array_of_gradient(tensor.grad) for name, tensor in tensors.items()}

    def _way_back(self, dtype: str) -> WayBack:
        return way_back(self._kind, dtype, self.who)


class _Files:
    """The user's own files, and the engine's, if it is installed as a package."""

    def __init__(self, own: UserFiles, kind: type) -> None:
        self._own = own
        self._engine = {
            held.__code__.co_filename for held in vars(kind).values() if hasattr(held, "__code__")
        }

    def __contains__(self, file: object) -> bool:
        return file in self._engine or file in self._own
