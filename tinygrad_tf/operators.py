"""The operators and methods of a tensor, and which rule in `ops/` computes each of them.

There is no mathematics in this file. Where a method takes the arguments of an op as they are, it
*is* the op, so `help(Tensor.exp)` shows the page of the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_tf.graph import Variable
from tinygrad_tf.ops import arithmetic, elementwise, reductions, selection
from tinygrad_tf.ops.matmul import matmul
from tinygrad_tf.ops.reductions import Dim
from tinygrad_tf.ops.relu import relu

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


class Operators(Variable):
    """Arithmetic, comparisons, functions of one value, reductions and selections."""

    __slots__ = ()
    __array_ufunc__ = None  # so that NumPy leaves `ndarray @ tensor` to Tensor
    __hash__ = object.__hash__  # by identity, because == compares entries

    # Comparisons give boolean tensors, which have no gradients

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.new_tensor(self.data == _array(other))

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self.new_tensor(self.data != _array(other))

    def __lt__(self, other: Any) -> Tensor:
        return self.new_tensor(self.data < _array(other))

    def __le__(self, other: Any) -> Tensor:
        return self.new_tensor(self.data <= _array(other))

    def __gt__(self, other: Any) -> Tensor:
        return self.new_tensor(self.data > _array(other))

    def __ge__(self, other: Any) -> Tensor:
        return self.new_tensor(self.data >= _array(other))

    def __invert__(self) -> Tensor:
        return self.new_tensor(~self.data)

    def all(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return whether all entries along dim are True."""
        return self.new_tensor(self.data.all(axis=dim, keepdims=keepdim))

    def any(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return whether any entry along dim is True."""
        return self.new_tensor(self.data.any(axis=dim, keepdims=keepdim))

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
        if isinstance(exponent, int | float):
            return arithmetic.pow(self, exponent=exponent)
        return arithmetic.pow_tensor(self, exponent)

    def __rpow__(self, base: Any) -> Tensor:
        return arithmetic.pow_tensor(base, self)

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

    # Reductions

    def sum(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return the sum over dim."""
        return reductions.sum(self, dim=dim, keepdim=keepdim)

    def mean(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return the mean over dim."""
        return reductions.mean(self, dim=dim, keepdim=keepdim)

    def var(self, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the variance over dim. correction=0 gives the biased variance."""
        return reductions.var(self, dim=dim, correction=correction, keepdim=keepdim)

    def amax(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return the largest entry over dim. Equal largest entries share the gradient."""
        return reductions.amax(self, dim=dim, keepdim=keepdim)

    # Selections

    def masked_fill(self, mask: Any, value: float) -> Tensor:
        """Return value where the mask is True, and self elsewhere."""
        return selection.masked_fill(self, mask, value=value)

    def tril(self, diagonal: int = 0) -> Tensor:
        """Return the lower triangle of the last two axes, with zeros above it."""
        return selection.tril(self, diagonal=diagonal)

    def triu(self, diagonal: int = 0) -> Tensor:
        """Return the upper triangle of the last two axes, with zeros below it."""
        return selection.triu(self, diagonal=diagonal)


def _array(value: Any) -> Any:
    return value.data if isinstance(value, Variable) else value
