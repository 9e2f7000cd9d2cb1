"""Floats, integers, masks and numbers beside one another: the dtype that PyTorch promotes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor

CONDITION = np.array([True, False, False])

# What may stand on either side. Each array is its own kind of tensor; three have no axes.
OPERANDS: dict[str, Any] = {
    "float32": np.array([1.5, 2.0, 0.5], "f4"),
    "bool": np.array([True, False, True]),
    "int64": np.array([3, 1, 2]),
    "int32": np.array([1, 3, 2], "i4"),
    "uint8": np.array([2, 1, 3], "u1"),
    "float32 without axes": np.array(2.5, "f4"),
    "int64 without axes": np.array(3),
    "bool without axes": np.array(True),
    "2": 2,
    "2.5": 2.5,
    "True": True,
}

OPERATIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "+": lambda e, x, y: x + y,
    "-": lambda e, x, y: x - y,
    "*": lambda e, x, y: x * y,
    "/": lambda e, x, y: x / y,
    "**": lambda e, x, y: x**y,
    "&": lambda e, x, y: x & y,
    "|": lambda e, x, y: x | y,
    "^": lambda e, x, y: x ^ y,
    "==": lambda e, x, y: x == y,
    "<": lambda e, x, y: x < y,
    "where": lambda e, x, y: e.where(on(e, CONDITION), x, y),
    "maximum": lambda e, x, y: e.maximum(x, y),
    "minimum": lambda e, x, y: e.minimum(x, y),
    "cat": lambda e, x, y: e.cat([x, y]),
}


def on(engine: Any, value: Any) -> Any:
    """An array as a tensor of this engine; a number stays as it is."""
    if not isinstance(value, np.ndarray):
        return value
    return Tensor(value) if engine is tinygrad_tf else torch.tensor(value)


def result(engine: Any, name: str, x: Any, y: Any) -> Any:
    """The array that comes of it, or None for a refusal."""
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            out = OPERATIONS[name](engine, on(engine, x), on(engine, y))
    except (TypeError, ValueError, RuntimeError):  # NotImplementedError is a RuntimeError
        return None
    return out.numpy()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_pair_gives_what_pytorch_gives_or_is_refused_where_pytorch_refuses(name: str) -> None:
    agreed = 0
    for first, x in OPERANDS.items():
        for second, y in OPERANDS.items():
            if not (isinstance(x, np.ndarray) or isinstance(y, np.ndarray)) and name != "where":
                continue
            expected, found = result(torch, name, x, y), result(tinygrad_tf, name, x, y)
            what = f"{first} {name} {second}"
            if name == "**" and first.startswith("bool") and second == "True":  # a copy there
                continue
            if expected is None:  # but beside a maximum a number is taken here
                assert found is None or name in ("maximum", "minimum"), what
                continue
            assert found is not None, what
            assert found.dtype == expected.dtype, what
            np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=what)
            agreed += 1
    assert agreed > 20
