"""The methods of a tensor that join the entries along axes: sums, means, extremes, all and any.

In each, dim is an axis; where several make sense, they come in a tuple or a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.complaints import explain
from tinygrad_tf.machinery.naming import named
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
        return reductions.sum(self, dim=all_if_none(dim), keepdim=keepdim)

    def mean(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the mean over dim."""
        return reductions.mean(self, dim=all_if_none(dim), keepdim=keepdim)

    def var(self, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the variance over dim. correction=0 gives the biased variance."""
        return reductions.var(self, dim=all_if_none(dim), correction=correction, keepdim=keepdim)

    def std(self, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the standard deviation over dim: the root of `var`."""
        return reductions.std(self, dim=all_if_none(dim), correction=correction, keepdim=keepdim)

    def amax(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the largest entry over dim. Equal largest entries share the gradient."""
        return reductions.amax(self, dim=all_if_none(dim), keepdim=keepdim)

    def amin(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return the smallest entry over dim. Equal smallest entries share the gradient."""
        return extreme.amin(self, dim=all_if_none(dim), keepdim=keepdim)

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

    # Without gradients

    def all(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return whether all entries along dim are True. dim=() joins none, as in PyTorch."""
        axis = tuple(dim) if isinstance(dim, list) else dim
        return self.new_tensor(self._array.all(axis=axis, keepdims=keepdim))

    def any(self, dim: Dims = None, keepdim: bool = False) -> Tensor:
        """Return whether any entry along dim is True. dim=() joins none, as in PyTorch."""
        axis = tuple(dim) if isinstance(dim, list) else dim
        return self.new_tensor(self._array.any(axis=axis, keepdims=keepdim))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return where along dim the largest entry stands; without dim, where in x.flatten()."""
        return self.new_tensor(_indices("argmax", np.argmax, self, dim, keepdim))

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return where along dim the smallest entry stands; without dim, where in x.flatten()."""
        return self.new_tensor(_indices("argmin", np.argmin, self, dim, keepdim))


def all_if_none(dim: Dims) -> Dim:
    """Return the axes of a reduction as its rule takes them. In PyTorch dim=() means all axes."""
    return tuple(dim) or None if isinstance(dim, list | tuple) else dim


def _indices(op: str, find: Any, x: Variable, dim: Any, keepdim: Any) -> Any:
    try:
        return np.asarray(find(x.data, axis=dim, keepdims=keepdim))
    except (ValueError, TypeError) as error:
        raise explain(op, [x.data], error) from error
