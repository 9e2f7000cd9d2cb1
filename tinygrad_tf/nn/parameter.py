"""`Parameter`: a tensor that is a weight."""

from __future__ import annotations

from typing import Any

from tinygrad_tf.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module owns and training changes."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
