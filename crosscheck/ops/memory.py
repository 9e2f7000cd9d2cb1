"""Who writes into whose array: watches one run of ours, and knows the memory of every op in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from crosscheck.sides import Array
from crosscheck.tape.kept import captured
from tinygrad_tf import Tensor
from tinygrad_tf.machinery.contract import Fresh
from tinygrad_tf.machinery.forms import Op


class MemoryWatch:
    """A listener of `observe`. It runs the backward of each op once more, alone.

    A rule writes into no array that it is given, nor into one that its forward has kept. It may
    return such an array, unless it promises new memory by `Fresh`.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []  # in words; each names the op
        self.rules: dict[str, Op] = {}  # every op that ran, by name
        self.calls = 0  # how many ops ran
        self._held: list[tuple[str, Array, Array]] = []  # name, array, and how it was

    def hold(self, name: str, array: Array) -> None:
        """From now on nobody may write into this array."""
        self._held.append((name, array, array.copy()))

    def check(self, who: str) -> None:
        """Note which of the arrays that are held have been changed, and by whom."""
        for i, (name, array, before) in enumerate(self._held):
            if not np.array_equal(array, before, equal_nan=True):
                self.faults.append(f"{who} writes into {name}")
                self._held[i] = (name, array, array.copy())

    def listen(
        self, op: Op, inputs: tuple[Any, ...], options: Mapping[str, Any], result: Tensor
    ) -> None:
        """An op has been called."""
        self.rules[op.__name__] = op
        self.calls += 1
        self.check(op.__name__)
        if result.node is not None:
            given = [x.data for x in inputs if isinstance(x, Tensor)]
            self._run_backward(op.__name__, result, given)
        self.hold(f"the result of {op.__name__}", result.data)

    def _run_backward(self, op: str, result: Tensor, given: list[Array]) -> None:
        node: Any = result.node
        numbers = np.linspace(1.0, 2.0, result.data.size, dtype=result.dtype)
        dout = numbers.reshape(result.shape).copy()
        kept = [result.data, *given, *(array for _, array in captured(node.backward))]
        before = [array.copy() for array in kept]
        gradients = node.backward(dout)
        if not np.array_equal(dout.ravel(), numbers):
            self.faults.append(f"the backward of {op} writes into dout")
        if not all(
            np.array_equal(array, copy, equal_nan=True)
            for array, copy in zip(kept, before, strict=True)
        ):
            self.faults.append(f"the backward of {op} writes into what its forward has kept")
            for array, copy in zip(kept, before, strict=True):
                if array.flags.writeable:
                    array[...] = copy  # so that the run itself goes on as if it had not happened
        self.faults += (f"the backward of {op} {fault}" for fault in _shared(gradients, dout, kept))


def _shared(gradients: Any, dout: Array, kept: list[Array]) -> Iterator[str]:
    """Say in words which gradients are no new memory where that was promised."""
    if type(gradients) is not Fresh:
        return
    known = [("its dout", dout), *(("what its forward has kept", array) for array in kept)]
    for gradient in gradients:
        dx = getattr(gradient, "values", gradient)  # a piece of a split holds its values
        if isinstance(dx, np.ndarray):
            for name, array in known:
                if np.shares_memory(dx, array):
                    yield f"promises new memory, and returns {name}"
            known.append(("one array twice", dx))


def aliased(gradients: Mapping[str, Array | None], others: Mapping[str, Array]) -> Iterator[str]:
    """Say in words which gradients of leaves share memory with each other or with other arrays."""
    there = {name: array for name, array in gradients.items() if array is not None}
    for (name, gradient), (other, array) in itertools.product(there.items(), others.items()):
        if np.shares_memory(gradient, array):
            yield f"{name} shares its memory with {other}"
    for (a, first), (b, second) in itertools.combinations(there.items(), 2):
        if np.shares_memory(first, second):
            yield f"{a} and {b} share their memory"
