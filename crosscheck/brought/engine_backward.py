"""How a gradient is sent into the output of a tensor engine: each engine has its own way."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.arrays import Array


@dataclass(frozen=True)
class WayBack:
    """A way to send a gradient in."""

    text: str  # as code, for sentences
    send: Callable[[Any, Array], None]  # (the output's tensor, dL/d(output))


def array_of_gradient(gradient: Any) -> Any:
    """Return the array of a `.grad`, which may be a tensor itself; None if there is none."""
    held = gradient if isinstance(gradient, np.ndarray) else getattr(gradient, "data", None)
    return held if isinstance(held, np.ndarray) else None


def way_back(kind: type, dtype: str, who: str) -> WayBack:
    """Return the first way that sends the right gradient into a single tensor of this class.

    Raises TypeError if none does.
    """
    for way in _ways(kind):
        if _works(kind, way, dtype):
            return way
    raise TypeError(
        f"compare: no way was found to send a gradient into {who}: its class {kind.__name__} has "
        "no backward(gradient), keeps no gradient that was put into .grad, and has no `*` with "
        "sum()"
    )


def _ways(kind: Any) -> list[WayBack]:
    def given(output: Any, dout: Array) -> None:
        output.backward(dout)

    def given_as_tensor(output: Any, dout: Array) -> None:
        output.backward(kind(dout))

    def put(output: Any, dout: Array) -> None:
        output.grad = dout
        output.backward()

    def multiplied(output: Any, dout: Array) -> None:
        (output * kind(dout)).sum().backward()

    name = kind.__name__
    ways = [WayBack("output.grad = dout; output.backward()", put)]
    if len(inspect.signature(kind.backward).parameters) > 1:
        both = [
            WayBack("output.backward(dout)", given),
            WayBack(f"output.backward({name}(dout))", given_as_tensor),
        ]
        ways = [*(reversed(both) if _begins_with_tensor(kind) else both), *ways]
    return [*ways, WayBack(f"(output * {name}(dout)).sum().backward()", multiplied)]


def _begins_with_tensor(kind: Any) -> bool:
    """Whether `backward()` puts a tensor into `.grad`, and not an array."""
    leaf = kind(np.ones((2, 3)))
    try:
        leaf.backward()
    except Exception:  # it may take single numbers only, or want a gradient
        return False
    return isinstance(leaf.grad, kind)


def _works(kind: Any, way: WayBack, dtype: str) -> bool:
    numbers = np.arange(1, 7).reshape(2, 3).astype(dtype)
    try:
        leaf = kind(np.ones((2, 3), dtype))
        way.send(leaf, numbers.copy())
    except Exception:  # whatever it is, this way does not work
        return False
    held = array_of_gradient(leaf.grad)
    return held is not None and held.shape == numbers.shape and np.array_equal(held, numbers)
