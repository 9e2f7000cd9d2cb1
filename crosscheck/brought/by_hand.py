"""NumPy by hand: a forward and a backward that someone wrote out, as a model to be compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean, in_words
from crosscheck.arrays import Array
from crosscheck.brought.by_hand_gradients import Wanted, gradients_in, is_gradient_of_another
from crosscheck.brought.by_hand_tree import (
    Path,
    copied,
    get,
    in_dtype,
    leaves,
    name_of,
)
from crosscheck.brought.by_hand_ways import Way, Went
from crosscheck.brought.on_numpy import OnNumPy, Traced
from crosscheck.foreign import Pullback
from crosscheck.sides import Loss
from crosscheck.traces.book import Book
from crosscheck.traces.lines import LineTracer
from crosscheck.traces.user_frames import UserFiles

SMALLEST_OF_A_MASK = -1e8  # no parameter has entries below this


class ByHand(OnNumPy):
    """A `ForeignModel` of code in NumPy.

    way: how the code is called. tree: the parameters, or the object that has them; it is copied, so
    the user's own is never changed. names: the parameters; by default all arrays of floats that
    functions are given, and those of an object that are no masks or gradients. Raises ValueError
    for a name that the tree does not have.
    """

    engine = "NumPy by hand"

    def __init__(self, way: Way, tree: Any, who: str, names: Collection[str] | None = None) -> None:
        tree = copied(tree, who)
        paths = {name_of(path): path for path, _ in leaves(tree)}
        if names is not None:
            paths = {name: path for name, path in paths.items() if name in names}
        elif way.object is not None:
            paths = {name: path for name, path in paths.items() if _is_parameter(path, tree)}
        super().__init__(way, tree, paths, who)
        lacking = [name for name in names or () if name not in paths]
        if lacking:
            every = [name_of(path) for path, _ in leaves(tree)]
            words = ", ".join(repr(name) + did_you_mean(name, every) for name in lacking)
            raise ValueError(f"compare: {who} has no parameter {words}")

    def linearize(self, inputs: Array, dtype: str, **options: Any) -> tuple[Array, Pullback | None]:
        """Run forward, and return the way back; None in its place if the code has no backward."""
        tree = self.ready(dtype)
        went = self.way.forward(tree, np.array(inputs), options)
        output = np.array(went.output)
        if not self.goes_back(went):
            return output, None

        def back(dout: Array) -> dict[str, Any]:
            given = tree if not self.way.is_one_function else self.ready(dtype)
            if self.way.is_one_function:
                went.inputs = np.array(inputs)
            returned = self.way.backward(given, np.array(dout), went)
            found = self.gradients(given, returned, went, inputs)
            return {name: None if g is None else np.array(g) for name, g in found.items()}

        return output, back

    def tracer(self, book: Book) -> LineTracer:
        """Return what writes the lines of the user's files into a book."""
        return LineTracer(book, UserFiles(self.way.object))

    def run(self, traced: Traced, loss: Loss, options: Mapping[str, Any]) -> dict[str, Any]:
        """Run both ways, and return the gradients. Raises whatever the user's code raises."""
        book, inputs = traced.book, traced.inputs
        together = self.way.is_one_function
        if together:  # its output tells what gradient to send in; then it is traced as a whole
            went = self.way.forward(self.ready("float64"), np.array(inputs), options)
            went.inputs = inputs
            book.backward = None
        else:
            with traced.tracer:
                went = self.way.forward(traced.tree, inputs, options)
            traced.output = next(iter(book.sources_of(went.output)), None)
        if not self.goes_back(went):
            return {}
        dout = np.array(loss.of_array(np.array(went.output))[1], np.float64)
        sent = book.send_in(dout)
        try:
            with traced.tracer:
                returned = self.way.backward(traced.tree, dout, went)
        finally:
            latest = book.latest_of(went.output)
            if together and latest is not None and latest > sent:
                traced.output = latest
        return self.gradients(traced.tree, returned, went, inputs)

    def goes_back(self, went: Went) -> bool:
        """Whether there is a backward, or the forward has returned one."""
        return self.way.has_backward or (bool(went.cache) and callable(went.cache[-1]))

    def ready(self, dtype: str) -> Any:
        """Return a copy to run: in this precision, with its gradients at zero."""
        tree = in_dtype(copied(self.tree, self.who), dtype)
        for path, array in leaves(tree):
            if is_gradient_of_another(path, tree) and name_of(path) not in self.paths:
                array[...] = 0
        return tree

    def gradients(self, tree: Any, returned: Any, went: Went, inputs: Array) -> dict[str, Any]:
        """Return the gradients by name, as the very arrays that the user's code has made."""
        parameters = {name: (path, get(self.tree, path)) for name, path in self.paths.items()}
        wanted = Wanted(parameters, inputs, self.way.arguments(tree))
        left = [tree, *(part for part in went.cache if isinstance(part, dict))]
        if returned is not None and not isinstance(returned, np.ndarray | dict | tuple | list):
            raise TypeError(
                f"compare: the backward of {self.who} returned {in_words(returned)}, expected "
                "arrays, alone or in a tuple, list or dictionary"
            )
        found = gradients_in(returned, left, wanted)
        # A backward that leaves out one gradient is wrong; one of which none is known, is not read.
        asked = self.paths or found
        if not any(found.get(name) is not None for name in asked):
            raise ValueError(
                f"compare: no gradient of {', '.join(list(asked)[:3])} was found after the "
                f"backward of {self.who}: neither in what it returned, {in_words(returned)}, nor "
                "under a name such as 'dW' or grads['W']"
            )
        return found


def _is_parameter(path: Path, tree: Any) -> bool:
    """Whether an array of an object is a parameter, and not a mask, or the gradient of another."""
    array = get(tree, path)
    if array.size and array.min() <= SMALLEST_OF_A_MASK:
        return False
    if any("mask" in str(step).lower() or "cache" in str(step).lower() for step in path):
        return False
    return not is_gradient_of_another(path, tree)
