"""What may be set on a tensor: `x.data`, `x.grad` and `x.requires_grad`, checked as PyTorch does.

The engine itself reads and writes the fields with an underscore, which costs no call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_tf.graph import Array, Variable
from tinygrad_tf.machinery.complaints import complaint
from tinygrad_tf.machinery.inputs import plain_array
from tinygrad_tf.machinery.memory import share_memory
from tinygrad_tf.machinery.naming import named

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


@named
class Fields(Variable):
    """The fields of a tensor that people may set."""

    __slots__ = ()

    @property
    def data(self) -> Array:
        """The entries: the array itself, and not a copy. Its methods are NumPy's, such as `std()`,
        which divides by n.

        It can be set to an array or to a tensor, whose memory is shared then. Its shape and dtype
        may differ. Raises TypeError for anything else, and RuntimeError for integers and masks in a
        tensor that requires grad.
        """
        return self._array

    @data.setter
    def data(self, value: Any) -> None:
        if value is self._array:  # after `x.data -= y`, which NumPy has done
            return
        if not isinstance(value, Variable | np.ndarray | np.generic):
            raise complaint(
                TypeError, "data", f"expected a Tensor or an array, got {type(value).__name__}"
            )
        array = value._array if isinstance(value, Variable) else plain_array("data", value)
        if self._requires_grad and array.dtype.kind != "f":
            raise complaint(
                RuntimeError,
                "data",
                f"a tensor that requires grad must have floats, not {array.dtype}",
            )
        self._array, self.memory = array, None
        if isinstance(value, Variable):
            share_memory(self, (value,))

    @property
    def requires_grad(self) -> bool:
        """Whether dL/d(self) is wanted.

        Setting it raises RuntimeError for anything but a bool, and if an op made self. It raises
        TypeError for integers and masks.
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        _ask_for_gradients("requires_grad", self, value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for gradients, or stop asking. Raises for integers, and if an op made self."""
        _ask_for_gradients("requires_grad_", self, requires_grad)
        return self

    @property
    def grad(self) -> Tensor | None:
        """dL/d(self), added up over all backward passes; None if there is none.

        It can be set to None, or to a tensor of this shape and dtype. Raises TypeError for anything
        else, and RuntimeError for a tensor that does not fit.
        """
        return self._grad  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            _check_grad(self, value)
        self._grad = value


def _ask_for_gradients(name: str, variable: Variable, value: Any) -> None:
    if not isinstance(value, bool):
        raise complaint(RuntimeError, name, f"expected a bool, got {type(value).__name__}")
    if value and variable._array.dtype.kind != "f":
        raise complaint(TypeError, name, f"only floats have gradients, not {variable._array.dtype}")
    if variable.node is not None:
        raise complaint(RuntimeError, name, "an op made this tensor; use detach() first")
    variable._requires_grad = value


def _check_grad(variable: Variable, value: Any) -> None:
    """Raise unless the value may be a gradient of the variable."""
    if not isinstance(value, Variable):
        raise complaint(TypeError, "grad", f"expected a Tensor or None, got {type(value).__name__}")
    if value is variable:
        raise complaint(RuntimeError, "grad", "a tensor cannot be its own gradient")
    wanted, given = variable._array, value._array
    if given.shape != wanted.shape or given.dtype != wanted.dtype:
        raise complaint(
            RuntimeError,
            "grad",
            f"the gradient is {given.shape} {given.dtype}, expected {wanted.shape} {wanted.dtype}, "
            "like the tensor",
        )
