"""The methods of a tensor that join the entries along axes: sums, means, extremes, all and any.

In each, dim is an axis; where several make sense, they come in a tuple or a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.complaints import complaint, explain
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import true_or_false
from tinygrad_tf.ops import arithmetic, extreme, reductions
from tinygrad_tf.ops.reductions import Dim

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor

Dims: TypeAlias = Dim | list[int]


class Chosen(NamedTuple):
    """The largest or smallest entries along an axis, and where along it they stand."""

    values: Tensor
    indices: Tensor


@named
class Reducing(Variable):
    """Reductions over an axis, over several, or over all axes."""

    __slots__ = ()

    # No dim means all axes

    def sum(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the sum over dim."""
        return reductions.sum(self, **over(dim, keepdim))

    def mean(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the mean over dim."""
        return reductions.mean(self, **over(dim, keepdim))

    def var(self, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the variance over dim. correction=0 gives the biased variance."""
        return reductions.var(self, correction=correction, **over(dim, keepdim))

    def std(self, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the standard deviation over dim: the root of `var`."""
        return reductions.std(self, correction=correction, **over(dim, keepdim))

    def amax(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the largest entry over dim. Equal largest entries share the gradient."""
        return reductions.amax(self, **over(dim, keepdim))

    def amin(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the smallest entry over dim. Equal smallest entries share the gradient."""
        return extreme.amin(self, **over(dim, keepdim))

    def max(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the largest entry; along dim, with its index; beside a tensor, `maximum`.

        Along dim the gradient goes to the entry that the index names. Otherwise equal ones share.
        """
        if isinstance(dim, Variable):
            return arithmetic.maximum(self, dim)
        largest = extreme.max(self, dim=dim, keepdim=true_or_false("keepdim", keepdim))
        if dim is None:
            return largest
        return Chosen(largest, _indices("max", np.argmax, self, dim, keepdim))

    def min(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Return the smallest entry; along dim, with its index; beside a tensor, `minimum`.

        Along dim the gradient goes to the entry that the index names. Otherwise equal ones share.
        """
        if isinstance(dim, Variable):
            return arithmetic.minimum(self, dim)
        smallest = extreme.min(self, dim=dim, keepdim=true_or_false("keepdim", keepdim))
        if dim is None:
            return smallest
        return Chosen(smallest, _indices("min", np.argmin, self, dim, keepdim))

    # Without gradients

    def all(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return whether all entries along dim are True. dim=() joins none, as in PyTorch."""
        axis = tuple(dim) if isinstance(dim, list) else dim
        keepdims = true_or_false("keepdim", keepdim)
        return self.new_tensor(self._array.all(axis=axis, keepdims=keepdims))

    def any(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return whether any entry along dim is True. dim=() joins none, as in PyTorch."""
        axis = tuple(dim) if isinstance(dim, list) else dim
        keepdims = true_or_false("keepdim", keepdim)
        return self.new_tensor(self._array.any(axis=axis, keepdims=keepdims))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return where along dim the largest entry stands; without dim, where in x.flatten()."""
        _require_numbers("argmax", self)
        return _indices("argmax", np.argmax, self, dim, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return where along dim the smallest entry stands; without dim, where in x.flatten()."""
        _require_numbers("argmin", self)
        return _indices("argmin", np.argmin, self, dim, keepdim)


def over(dim: Dims, keepdim: bool) -> dict[str, Any]:
    """Return the options of a reduction as its rule takes them. dim=() means all axes."""
    axes = tuple(dim) or None if isinstance(dim, list | tuple) else dim
    return {"dim": axes, "keepdim": true_or_false("keepdim", keepdim)}


def _indices(op: str, find: Any, x: Variable, dim: Any, keepdim: Any) -> Tensor:
    keepdims = true_or_false("keepdim", keepdim)
    try:
        return x.new_tensor(find(x.data, axis=dim, keepdims=keepdims))
    except (ValueError, TypeError) as error:
        raise explain(op, [x.data], error) from error


def _require_numbers(op: str, x: Variable) -> None:
    if x.data.dtype.kind == "b":
        raise complaint(
            TypeError, op, "x is a mask, expected numbers; convert it, as with .to(int64)"
        )
