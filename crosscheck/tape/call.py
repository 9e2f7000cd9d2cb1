"""What is recorded of one op, and the modules it can have run in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from crosscheck.sides import Array

LOSS = "loss"  # where an op runs that no module contains
THE_INPUT = "the input"  # the origin of what the model is given
ROOT = "model"  # the model itself, whose own path is empty
SAME_VALUES = ("clone", "contiguous")  # ops that are seen through: they return what they are given


@dataclass(frozen=True)
class Source:
    """One tensor that went into an op."""

    origin: str  # the key of the call that made it, or its name
    array: Array | None  # its values; None on our own tape, unless it was asked to keep them


@dataclass
class Call:
    """One op of a run. Its arrays belong to the engine and are not copies.

    Our own tape has no arrays, unless it was asked to keep them: then they are copies.
    """

    path: str  # the module in which it ran
    op: str  # the name of its rule
    key: str  # path, op and, from the second such call on, a count: `blocks.0/add#2`
    caller: str  # the file and line that called it
    constants: tuple[float, ...]  # the Python floats among its arguments
    inputs: list[Source]  # its distinct tensors, in the order of the arguments
    output: Array | None  # what it returned
    dout: Array | None = None  # the gradient that arrived at the output; None if none did
    # What this call alone sends back to each input, before other calls' gradients are added.
    dinputs: list[Array | None] = field(default_factory=list)
    # Makes the call again, on other inputs and another dout; None on our own tape.
    again: Callable[[Sequence[Array], Array | None], Made] | None = None

    def keep_apart(self, written: Array) -> None:
        """Copy the arrays of this call that may share memory with one that will be written to."""
        for i, source in enumerate(self.inputs):
            if source.array is not None and np.may_share_memory(source.array, written):
                self.inputs[i] = replace(source, array=source.array.copy())
        if self.output is not None and np.may_share_memory(self.output, written):
            self.output = self.output.copy()


class Made(NamedTuple):
    """What an op made of its inputs and its dout, on whichever side."""

    output: Array
    # A gradient for each distinct tensor, in their order; None where none is wanted.
    dinputs: list[Array | None]


class Places:
    """Knows which module is running, and gives the calls in it their keys."""

    def __init__(self) -> None:
        self._paths: list[str] = []  # of the modules that are running, the innermost last
        self._counts: Counter[str] = Counter()  # how many calls have had a path and op

    @property
    def current(self) -> str:
        """The path of the innermost module that is running."""
        return self._paths[-1] if self._paths else LOSS

    def key(self, op: str) -> str:
        """The key of a call that is made here and now."""
        name = f"{self.current}/{op}"
        self._counts[name] += 1
        count = self._counts[name]
        return name if count == 1 else f"{name}#{count}"

    @contextmanager
    def following(self, model: Any) -> Iterator[None]:
        """Know, within this block, where the run of this model is. Both engines' hooks will do."""
        with ExitStack() as stack:
            for path, module in model.named_modules():
                stack.enter_context(module.register_forward_pre_hook(self._entering(path or ROOT)))
                stack.enter_context(module.register_forward_hook(self._leaving))
            yield

    def _entering(self, path: str) -> Any:
        return lambda *_: self._paths.append(path)

    def _leaving(self, *_: Any) -> None:
        self._paths.pop()


def name_origins(model: Any, inputs: Any) -> dict[int, str]:
    """Return, by the identity of a tensor that no op makes, where it comes from."""
    origins = {id(parameter): name for name, parameter in model.named_parameters()}
    origins[id(inputs)] = THE_INPUT
    return origins
