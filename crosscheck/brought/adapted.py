"""A brought model called another way: with more options, or taken by one of its outputs.

What is adapted is the call. The class stays the user's, by its name, its module and its attributes;
so do the names of the weights, and the lines that run.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean, in_words
from crosscheck.arrays import Array, in_precision, is_tensor, with_arrays
from crosscheck.sides import Dialect, side_of

WAYS = "_crosscheck_ways"  # the attribute of a class in which the ways of its call are kept


@dataclass(frozen=True)
class Call:
    """How a model is called, beyond its inputs."""

    options: Mapping[str, Any] = field(default_factory=dict)  # more keywords of its forward
    pick: Callable[[Any], Any] | None = None  # what is taken of its output
    copies_input: bool = False  # whether it is given a copy of its input (PyTorch alone)
    inputs_again: tuple[str, ...] = ()  # arguments that are its input too, as key and value
    tokens_first: bool = False  # whether it is given (T, B, C) for (B, T, C), and returns it so


def adapted(model: Any, **how: Any) -> Any:
    """Return the model, called in another way: `how` are the fields of Call.

    Floating arrays among the options get the precision of the run. A model of another engine than
    those of PyTorch's dialect takes options alone. Parameters are shared with the model that was
    given.
    """
    side, kind, way = side_of(model), type(model), Call(**how)
    methods = (
        {"__call__": _call(side, kind, way)}
        if isinstance(side, Dialect)
        else _of_foreign(kind, way.options)
    )
    ways = (*getattr(kind, WAYS, ()), way)
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, WAYS: ways}
    changed = copy.copy(model)
    changed.__class__ = type(kind.__name__, (kind,), {**methods, **named, "__doc__": kind.__doc__})
    return changed


def adapted_like(other: Any, model: Any) -> Any:
    """Return a model that is called in the way in which another one is."""
    for way in getattr(type(other), WAYS, ()):
        model = adapted(model, **vars(way))
    return model


def _call(side: Dialect, kind: type, way: Call) -> Callable[..., Any]:
    def call(self: Any, inputs: Any, **options: Any) -> Any:
        if way.copies_input:
            inputs = inputs.clone()
        if way.tokens_first:
            inputs = inputs.transpose(0, 1)
        floats = [p for p in (inputs, *self.parameters()) if "float" in str(p.dtype)]
        dtype = str(side.array(floats[-1]).dtype) if floats else "float32"
        again = dict.fromkeys(way.inputs_again, inputs)
        given = {**again, **side.options(way.options, dtype), **options}
        output = kind.__call__(self, inputs, **given)
        output = output if way.pick is None else way.pick(output)
        return output.transpose(0, 1) if way.tokens_first else output

    return call


def _of_foreign(kind: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    def linearize(self: Any, inputs: Array, dtype: str, **options: Any) -> Any:
        given = with_arrays(more, lambda array: in_precision(array, dtype))
        return kind.linearize(self, inputs, dtype, **{**given, **options})

    methods: dict[str, Any] = {"linearize": linearize}
    if hasattr(kind, "trace"):

        def trace(self: Any, *arguments: Any, **options: Any) -> Any:
            return kind.trace(self, *arguments, **{**more, **options})

        methods["trace"] = trace
    return methods


# Outputs.


def parts_of(output: Any) -> dict[str, Any]:
    """The parts of an output by name: of a dictionary, a dataclass, a named tuple, or a tuple.

    The parts of a plain tuple or list are called "0", "1" and so on. A tensor has no parts.
    """
    if is_tensor(output) or isinstance(output, np.ndarray):
        return {}
    if isinstance(output, Mapping):
        return {str(name): value for name, value in output.items()}
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {f.name: getattr(output, f.name) for f in dataclasses.fields(output)}
    if hasattr(output, "_asdict"):
        return dict(output._asdict())
    if isinstance(output, tuple | list):
        return {str(i): value for i, value in enumerate(output)}
    values = getattr(output, "__dict__", {})
    return {name: v for name, v in values.items() if is_tensor(v) and not name.startswith("_")}


def output_named(name: str, who: str) -> Callable[[Any], Any]:
    """Return what takes the part of this name out of an output. It raises ValueError if none is."""

    def take(output: Any) -> Any:
        parts = parts_of(output)
        if name not in parts:
            there = ", ".join(parts) or "no parts: it is one tensor"
            raise ValueError(
                f"compare: --output {name}: {who} returns {there}{did_you_mean(name, parts)}"
            )
        return parts[name]

    return take


def require_one_tensor(output: Any, who: str) -> None:
    """Raise ValueError unless an output is one tensor, or a tuple of which one part has axes.

    The message has the names of the parts, of which `--output` can take one.
    """
    parts = {name: value for name, value in parts_of(output).items() if getattr(value, "ndim", 0)}
    if isinstance(output, tuple | list) and len(parts) == 1:
        return
    if parts:
        listed = ", ".join(f"{name} {tuple(value.shape)}" for name, value in parts.items())
        raise ValueError(
            f"compare: {who} returns {_kind(output)} with {listed}: say which is compared by "
            f"--output {next(iter(parts))}"
        )
    if not (is_tensor(output) or isinstance(output, np.ndarray)):
        raise ValueError(
            f"compare: {who} returns {in_words(output)}, expected one tensor"
            + ("; is a return missing?" if output is None else "")
        )


def _kind(output: Any) -> str:
    name = type(output).__name__
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
