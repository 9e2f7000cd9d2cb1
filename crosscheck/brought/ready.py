"""A brought model as a comparison calls it: with one input and a mask, for one tensor."""

from __future__ import annotations

from inspect import Parameter
from typing import Any

import numpy as np

from crosscheck.brought.adapted import adapted, output_named, parts_of, require_one_tensor
from crosscheck.brought.behaviour import (
    examine,
    on_cpu,
    output_of,
    precision_of,
    raw_output_of,
    shortened,
)
from crosscheck.brought.bring import Brought
from crosscheck.brought.construct import parameters_of
from crosscheck.brought.masked import ARRAYS, OF_KEYS, mask_options
from crosscheck.runs import Batch
from crosscheck.sides import Array, Dialect, side_of

_ANY_NUMBER = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_KEYS_AND_VALUES = ("k", "v", "key", "value", "keys", "values")
TARGETS = ("targets", "target", "labels")  # a language model that gets them returns all logits


def ready(
    model: Any, brought: Brought, inputs: Array, dtype: str, *, mask: str | None, seed: int,
    output: str | None = None, like: tuple[int, ...] = (),
) -> tuple[Any, str, list[str]]:  # fmt: skip
    """Return the model as it is called, the precisions that it can be judged in, and notes.

    output: which part of what it returns is compared. like: the shape of that part, if not named.
    """
    model = _one_output(model, brought, inputs, output, dtype, like)
    found = examine(model, Batch(shortened(model, inputs)), dtype, brought.who)
    options, notes = mask_options(found.model, brought.forward, mask, inputs, seed, brought.who)
    model = adapted(found.model, options=options) if options else found.model
    return model, found.dtype, found.notes + notes


def runnable(brought: Brought) -> tuple[Any, list[str]]:
    """Return the model on the CPU, with None for each mask that its forward requires, and notes."""
    model, notes = on_cpu(brought.model, brought.who)
    given = (p for p in parameters_of(brought.forward).values() if p.kind not in _ANY_NUMBER)
    others = [p.name for p in given if p.default is p.empty][1:]
    required = [name for name in others if name in (*ARRAYS, *OF_KEYS)]
    again = tuple(name for name in others if name in _KEYS_AND_VALUES)
    strange = [name for name in others if name not in (*required, *again)]
    if strange and isinstance(side_of(model), Dialect):
        raise ValueError(
            f"{brought.who}: its forward requires {', '.join(strange)} beside its input, and a "
            "comparison gives it one input: write a class or function that takes one"
        )
    if again:
        notes.append(f"{brought.who} is given its input as {', '.join(again)} too")
        model = adapted(model, inputs_again=again)
    return adapted(model, options=dict.fromkeys(required)) if required else model, notes


def shape_of_output(model: Any, inputs: Array) -> tuple[int, ...]:
    """Return the shape of the one tensor that a model returns; () if it cannot be run."""
    try:
        return output_of(model, inputs, {}, precision_of(model, Batch(inputs))).shape
    except Exception:  # the comparison will say what it is
        return ()


def _one_output(
    model: Any, brought: Brought, inputs: Array, name: str | None, dtype: str,
    like: tuple[int, ...],
) -> Any:  # fmt: skip
    """Return the model as it gives one tensor: the one of this name, or the only one that fits.

    The one that fits has the shape `like`, or any axes at all.
    """
    if not isinstance(side_of(model), Dialect):
        if name is not None:
            raise ValueError(
                f"--output {name}: {brought.who} is no PyTorch module; let its forward return one "
                "array"
            )
        return model
    precision = dtype if dtype == "float32" else precision_of(model, Batch(inputs))
    parts = parts_of(raw_output_of(model, inputs, {}, precision)) if like else {}
    fitting = [part for part, value in parts.items() if getattr(value, "shape", None) == like]
    name = fitting[0] if len(fitting) == 1 and len(parts) > 1 else name
    if name is not None:
        model = adapted(model, pick=output_named(name, brought.who))
    require_one_tensor(raw_output_of(model, inputs, {}, precision), brought.who)
    wanted = next((name for name in TARGETS if name in parameters_of(brought.forward)), "")
    if wanted and inputs.dtype.kind in "iu":
        shape = output_of(model, inputs, {}, precision).shape
        if shape[:-1] != inputs.shape:  # without targets some return the last logits alone
            model = adapted(model, options={wanted: np.zeros_like(inputs)})
    return model
