"""The operators and methods of a tensor, and which rule in `ops/` computes each of them.

There is no mathematics in this file. Where a method takes the arguments of an op as they are, it
*is* the op, so `help(Tensor.exp)` shows the page of the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.complaints import explain
from tinygrad_tf.ops import arithmetic, elementwise, extreme, reductions, selection
from tinygrad_tf.ops.matmul import matmul
from tinygrad_tf.ops.reductions import Dim
from tinygrad_tf.ops.relu import relu
from tinygrad_tf.ops.softmax import log_softmax, softmax

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


class Chosen(NamedTuple):
    """The largest or smallest entries along an axis, and where along it they stand."""

    values: Tensor
    indices: Tensor


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

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return where along dim the largest entry stands; without dim, where in x.flatten()."""
        return self.new_tensor(_indices("argmax", np.argmax, self, dim, keepdim))

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return where along dim the smallest entry stands; without dim, where in x.flatten()."""
        return self.new_tensor(_indices("argmin", np.argmin, self, dim, keepdim))

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

    def std(self, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the standard deviation over dim: the root of `var`."""
        return reductions.std(self, dim=dim, correction=correction, keepdim=keepdim)

    def amax(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return the largest entry over dim. Equal largest entries share the gradient."""
        return reductions.amax(self, dim=dim, keepdim=keepdim)

    def amin(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """Return the smallest entry over dim. Equal smallest entries share the gradient."""
        return extreme.amin(self, dim=dim, keepdim=keepdim)

    def max(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the largest entry; along dim, with its index; beside a tensor, `maximum`.

        Along dim the gradient goes to the entry that the index names. Otherwise equal ones share.
        """
        if isinstance(dim, Variable):
            return arithmetic.maximum(self, dim)
        largest = extreme.max(self, dim=dim, keepdim=keepdim)
        return largest if dim is None else Chosen(largest, self.argmax(dim, keepdim))

    def min(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the smallest entry; along dim, with its index; beside a tensor, `minimum`.

        Along dim the gradient goes to the entry that the index names. Otherwise equal ones share.
        """
        if isinstance(dim, Variable):
            return arithmetic.minimum(self, dim)
        smallest = extreme.min(self, dim=dim, keepdim=keepdim)
        return smallest if dim is None else Chosen(smallest, self.argmin(dim, keepdim))

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


def _indices(op: str, find: Any, x: Variable, dim: Any, keepdim: Any) -> Any:
    try:
        return np.asarray(find(x.data, axis=dim, keepdims=keepdim))
    except (ValueError, TypeError) as error:
        raise explain(op, [x.data], error) from error
