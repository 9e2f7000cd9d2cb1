"""The operators and methods of a tensor, and which rule in `ops/` computes each of them.

There is no mathematics in this file. Where a method takes the arguments of an op as they are, it
*is* the op, so `help(Tensor.exp)` shows the page of the rule.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.complaints import complaint, explain
from tinygrad_tf.machinery.inputs import plain_array, promoted
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import whole
from tinygrad_tf.ops import arithmetic, elementwise, selection
from tinygrad_tf.ops.matmul import matmul
from tinygrad_tf.ops.relu import relu
from tinygrad_tf.ops.softmax import log_softmax, softmax

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


@named
class Operators(Variable):
    """Arithmetic, comparisons, functions of one value and selections."""

    __slots__ = ()
    __hash__ = object.__hash__  # by identity, because == compares entries

    # Comparisons give masks, which have no gradients. & | ^ ~ join masks, and the bits of integers

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return _compared(operator.eq, self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return _compared(operator.ne, self, other)

    def __lt__(self, other: Any) -> Tensor:
        return _compared(operator.lt, self, other)

    def __le__(self, other: Any) -> Tensor:
        return _compared(operator.le, self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _compared(operator.gt, self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _compared(operator.ge, self, other)

    def __and__(self, other: Any) -> Tensor:
        return _bitwise(operator.and_, self, other)

    def __or__(self, other: Any) -> Tensor:
        return _bitwise(operator.or_, self, other)

    def __xor__(self, other: Any) -> Tensor:
        return _bitwise(operator.xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__  # they commute

    def __invert__(self) -> Tensor:
        if self._array.dtype.kind == "f":
            raise complaint(
                TypeError, "invert", f"~ is for masks and integers, not {self._array.dtype}"
            )
        return self.new_tensor(~self._array)

    # Arithmetic

    __add__ = arithmetic.add

    def __radd__(self, other: Any) -> Tensor:
        return arithmetic.add(other, self)

    __sub__ = arithmetic.sub

    def __rsub__(self, other: Any) -> Tensor:
        return arithmetic.sub(other, self)

    __mul__ = arithmetic.mul

    def __rmul__(self, other: Any) -> Tensor:
        return arithmetic.mul(other, self)

    __truediv__ = arithmetic.div

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic.div(other, self)

    __neg__ = arithmetic.neg

    def __pow__(self, exponent: Any) -> Tensor:
        if isinstance(exponent, int | float) and self._array.dtype.kind == "f":
            return arithmetic.pow(self, exponent=exponent)
        return arithmetic.pow_tensor(self, exponent)

    def __rpow__(self, base: Any) -> Tensor:
        return arithmetic.pow_tensor(base, self)

    def pow(self, exponent: Any) -> Tensor:
        """Return self ** exponent."""
        return self.__pow__(exponent)

    __matmul__ = matmul

    def __rmatmul__(self, other: Any) -> Tensor:
        return matmul(other, self)

    # Functions of one value

    exp = elementwise.exp
    log = elementwise.log
    sqrt = elementwise.sqrt
    sin = elementwise.sin
    cos = elementwise.cos
    tanh = elementwise.tanh
    sigmoid = elementwise.sigmoid
    erf = elementwise.erf
    abs = elementwise.abs
    relu = relu

    def softmax(self, dim: int) -> Tensor:
        """Turn scores into probabilities. Each line along dim sums to 1."""
        return softmax(self, dim=dim)

    def log_softmax(self, dim: int) -> Tensor:
        """Turn scores into log-probabilities along dim."""
        return log_softmax(self, dim=dim)

    # Selections

    def masked_fill(self, mask: Any, value: Any) -> Tensor:
        """Return value where the mask is True, and self elsewhere.

        value is a number, or a tensor without axes, which then gets a gradient.
        """
        is_tensor = isinstance(value, Variable)
        if not is_tensor:
            return selection.masked_fill(self, mask, value=value)
        _check_fill(getattr(mask, "dtype", np.dtype(bool)), value.shape)
        return selection.where(mask, value.to(self), self)

    def tril(self, diagonal: int = 0) -> Tensor:
        """Return the lower triangle of the last two axes, with zeros above it."""
        return selection.tril(self, diagonal=whole("diagonal", diagonal))

    def triu(self, diagonal: int = 0) -> Tensor:
        """Return the upper triangle of the last two axes, with zeros below it."""
        return selection.triu(self, diagonal=whole("diagonal", diagonal))


@named
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return the lower triangle of the last two axes, with zeros above it."""
    return selection.tril(input, diagonal=whole("diagonal", diagonal))


@named
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return the upper triangle of the last two axes, with zeros below it."""
    return selection.triu(input, diagonal=whole("diagonal", diagonal))


def _check_fill(kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raise unless a tensor of this shape may fill what a mask of this dtype says."""
    if kind != np.dtype(bool):
        text = f"mask is {kind}, expected bool (True = fill)"
        raise complaint(ValueError, "masked_fill", text)
    if shape:
        text = f"value has shape {shape}, expected a number or a tensor without axes"
        raise complaint(ValueError, "masked_fill", text)


def _compared(compare: Callable[[Any, Any], Any], x: Operators, other: Any) -> Tensor:
    """Compare the entries of x with a tensor, an array or a number.

    For anything else return NotImplemented, so that Python answers: `x == None` is False, and
    `x < None` is a TypeError.
    """
    name = compare.__name__
    if isinstance(other, Variable):
        other = other.data
    elif isinstance(other, np.ndarray):
        other = plain_array(name, other)
    elif isinstance(other, np.generic):
        other = other.item()  # a number, which takes the dtype of x
    elif not isinstance(other, bool | int | float):
        return NotImplemented  # type: ignore[no-any-return]
    try:
        return x.new_tensor(compare(x.data, other))
    except (TypeError, ValueError, OverflowError) as error:
        raise explain(name, [x.data, np.asarray(other)], error) from error


def _bitwise(join: Callable[[Any, Any], Any], x: Operators, other: Any) -> Tensor:
    """Join masks entry by entry, or integers bit by bit."""
    name = join.__name__.rstrip("_")
    arrays, dtype = promoted(name, (x, other))
    if dtype.kind == "f":
        raise complaint(TypeError, name, f"& | ^ are for masks and integers, not {dtype}")
    try:
        return x.new_tensor(join(*arrays))
    except (TypeError, ValueError) as error:
        raise explain(name, arrays, error) from error
