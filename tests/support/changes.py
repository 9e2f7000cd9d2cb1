"""What tests of in-place changes share: the same leaf on both engines, and what changes one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor

rng = np.random.default_rng(15)
A, B, DOUT = (rng.standard_normal((3, 4)) + 3.0 for _ in range(3))


def both(array: Any, requires_grad: bool = False) -> list[Any]:
    """The same leaf on both engines."""
    theirs = torch.tensor(np.array(array), requires_grad=requires_grad)
    return [Tensor(np.array(array), requires_grad=requires_grad), theirs]


def array(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x.detach().numpy()


def iadd(x: Any, y: Any) -> Any:
    x += y
    return x


def isub(x: Any, y: Any) -> Any:
    x -= y
    return x


def imul(x: Any, y: Any) -> Any:
    x *= y
    return x


def idiv(x: Any, y: Any) -> Any:
    x /= y
    return x


def ipow(x: Any, y: Any) -> Any:
    x **= y
    return x


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "+=": iadd,
    "-=": isub,
    "*=": imul,
    "/=": idiv,
    "**=": ipow,
    "add_": lambda x, y: x.add_(y),
    "add_ alpha": lambda x, y: x.add_(y, alpha=-0.5),
    "sub_": lambda x, y: x.sub_(y, alpha=2.0),
    "mul_": lambda x, y: x.mul_(y),
    "div_": lambda x, y: x.div_(y),
    "zero_": lambda x, y: x.zero_(),
    "fill_": lambda x, y: x.fill_(2.5),
    "copy_": lambda x, y: x.copy_(y),
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
OTHERS = {"tensor": B, "row": B[0], "number": 1.5}


def other(kind: str, engine: int, requires_grad: bool = False) -> Any:
    """The second operand."""
    value = OTHERS[kind]
    return value if isinstance(value, float) else both(value, requires_grad)[engine]


def integers() -> list[Any]:
    """A leaf of integers on both engines."""
    return both(np.arange(4))
