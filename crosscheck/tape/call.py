"""What is recorded of one op, and the modules it can have run in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from crosscheck.engines import Array

LOSS = "loss"  # where an op runs that no module contains
THE_INPUT = "the input"  # as an origin
ROOT = "model"  # the model itself, whose own path is empty


@dataclass(frozen=True)
class Source:
    """One tensor that went into an op. origin: the key of the call that made it, or its name."""

    origin: str
    array: Array | None


@dataclass
class Call:
    """One op of a run. Arrays are the engine's own, not copies; None where nothing was recorded.

    key: module path, op and, from the second on, its number there: `blocks.0/add#2`. numbers: the
    constants among its arguments. caller: file and line that called it. dinputs: what this call
    alone sends back to each of its inputs, before it is added to what other calls send.
    """

    path: str
    op: str
    key: str
    caller: str
    numbers: tuple[float, ...]
    inputs: list[Source]
    output: Array | None
    dout: Array | None = None
    dinputs: list[Array | None] = field(default_factory=list)


class Places:
    """Knows which module is running, and gives the calls in it their keys."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._counts: Counter[str] = Counter()

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
    """By the identity of a tensor, where it comes from when no op makes it."""
    origins = {id(parameter): name for name, parameter in model.named_parameters()}
    origins[id(inputs)] = THE_INPUT
    return origins
