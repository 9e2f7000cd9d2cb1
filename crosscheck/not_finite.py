"""Where the first NaN or infinity of a run was made: the op, and the module it was made in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from crosscheck.engines import Array, NumPyEngine
from crosscheck.runs import Batch, run
from tinygrad_tf import observe


def first_not_finite(model: Any, batch: Batch) -> str | None:
    """Say in words where a NumPy model first computes NaN or +inf; None if it never does.

    Weights and inputs are looked at first, then every op of a float64 forward pass, in order.
    (-inf is not counted: masks put it into scores on purpose.)
    """
    for name, parameter in model.named_parameters():
        if _is_bad(parameter.data):
            return f"the weights are not finite: {name} {_where(parameter.data)}"
    if _is_bad(batch.inputs):
        return f"the input is not finite: {_where(batch.inputs)}"
    watched = NumPyEngine().copy(model, "float64")
    found: list[str] = []
    modules: list[str] = []

    def listen(op: str, inputs: tuple[Any, ...], options: Mapping[str, Any], output: Any) -> None:
        if not found and _is_bad(output.data):
            found.append(f"{op}, whose output {output.shape} {_where(output.data)}")

    def leaving(path: str) -> Any:
        # The first module to finish after the op is the innermost one around it.
        return lambda *_: modules.append(path) if found and not modules else None

    with ExitStack() as stack:
        for path, module in watched.named_modules():
            stack.enter_context(module.register_forward_hook(leaving(path or "the model itself")))
        stack.enter_context(observe(listen))
        run(watched, batch, dtype="float64", loss="random cotangent")
    if not found:
        return "forward, everything is finite: the first NaN or infinity is made going back"
    return f"the first NaN or infinity is made in {(modules or ['the loss'])[0]} by {found[0]}"


def _is_bad(array: Array) -> bool:
    return array.dtype.kind == "f" and bool((np.isnan(array) | np.isposinf(array)).any())


def _where(array: Array) -> str:
    bad = np.isnan(array) | np.isposinf(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"has {int(bad.sum())} bad entries, the first at {first}"
