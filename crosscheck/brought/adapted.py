"""A brought model called another way: with more options, or taken by one of its outputs.

What is adapted is the call. The class stays the user's, by its name, its module and its attributes;
so do the names of the weights, and the lines that run.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean, in_words
from crosscheck.arrays import Array, is_tensor, with_arrays
from crosscheck.sides import Dialect, side_of


def adapted(
    model: Any,
    *,
    options: Mapping[str, Any] | None = None,
    pick: Callable[[Any], Any] | None = None,
    copies_input: bool = False,
) -> Any:
    """Return the model, called with these options too, of whose output `pick` is taken.

    options: keywords of its forward; floating arrays among them get the precision of the run.
    copies_input: whether a model of PyTorch's dialect is given a copy of its input, into which it
    may write. Parameters are shared with the model that was given.
    """
    side = side_of(model)
    more = dict(options or {})
    choose = pick or (lambda output: output)
    kind = type(model)
    methods = (
        _of_dialect(side, kind, more, choose, copies_input)
        if isinstance(side, Dialect)
        else _of_foreign(kind, more)
    )
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    changed = copy.copy(model)
    changed.__class__ = type(kind.__name__, (kind,), {**methods, **names, "__doc__": kind.__doc__})
    return changed


def _of_dialect(
    side: Dialect,
    kind: type,
    more: dict[str, Any],
    choose: Callable[[Any], Any],
    copies_input: bool,
) -> dict[str, Any]:
    def call(self: Any, *inputs: Any, **options: Any) -> Any:
        floats = [p.dtype for p in self.parameters() if "float" in str(p.dtype)]
        dtype = str((floats or [inputs[0].dtype])[0]).removeprefix("torch.")
        if copies_input:
            inputs = (inputs[0].clone(), *inputs[1:])
        given = {**_as_tensors(side, more, dtype), **options}
        return choose(kind.__call__(self, *inputs, **given))

    return {"__call__": call}


def _as_tensors(side: Dialect, options: dict[str, Any], dtype: str) -> dict[str, Any]:
    return side.options(options, dtype if "float" in dtype else "float32")


def _of_foreign(kind: Any, more: dict[str, Any]) -> dict[str, Any]:
    def linearize(self: Any, inputs: Array, dtype: str, **options: Any) -> Any:
        given = with_arrays(
            more, lambda array: array.astype(dtype) if array.dtype.kind == "f" else array
        )
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
