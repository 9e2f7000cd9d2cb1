"""`Parameter`: a tensor that is a weight."""

from __future__ import annotations

from typing import Any, Self

from tinygrad_tf.machinery.naming import named
from tinygrad_tf.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module owns and training changes."""

    __slots__ = ()

    @named
    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the entries. As in PyTorch, the copy of a parameter has no `.grad` and no hooks."""
        twin = super().__deepcopy__(memo)
        twin._grad = None
        return twin

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
