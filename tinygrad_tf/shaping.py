"""Shapes, axes and pieces. PyTorch has many names for the few rules in `ops/shape.py`.

A view, a flatten and a squeeze are all reshapes; a chunk is a slice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.complaints import complaint
from tinygrad_tf.machinery.inputs import plain_array
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import whole
from tinygrad_tf.ops import shape as rules

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


@named
class Shaping(Variable):
    """The methods of a tensor that move its entries without changing them."""

    __slots__ = ()

    def reshape(self, *shape: Any) -> Tensor:
        """Return the same entries in another shape; one size may be -1."""
        return rules.reshape(self, shape=sizes(shape))

    view = reshape  # where PyTorch refuses to make a view, this copies

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Join the axes from start_dim to end_dim into one."""
        shape = self._array.shape or (1,)
        start, end = _axis("flatten", start_dim, len(shape)), _axis("flatten", end_dim, len(shape))
        if start > end:
            raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
        joined = math.prod(shape[start : end + 1])
        return rules.reshape(self, shape=(*shape[:start], joined, *shape[end + 1 :]))

    def unflatten(self, dim: int, into: Sequence[int]) -> Tensor:
        """Split axis dim into axes of the sizes `into`; one size may be -1."""
        shape = self._array.shape
        axis = _axis("unflatten", dim, len(shape))
        if min(into, default=-2) < -1 or list(into).count(-1) > 1:
            raise ValueError(f"unflatten: sizes {tuple(into)}: only one may be left open, as -1")
        known = math.prod(size for size in into if size != -1)
        if (known == 0 or shape[axis] % known) if -1 in into else known != shape[axis]:
            raise ValueError(
                f"unflatten: axis {dim} of {shape} has size {shape[axis]}, which does not split "
                f"into {tuple(into)}"
            )
        filled = (shape[axis] // known if size == -1 else size for size in into)
        return self.reshape(*shape[:axis], *filled, *shape[axis + 1 :])

    def squeeze(self, dim: int | Sequence[int] | None = None) -> Tensor:
        """Drop axis dim if its size is 1, those of several axes, or every axis of size 1."""
        shape = self._array.shape
        dims = range(len(shape)) if dim is None else dim if isinstance(dim, Sequence) else (dim,)
        dropped = {_axis("squeeze", d, max(len(shape), 1)) for d in dims}
        if len(dropped) < len(dims):
            raise ValueError(f"squeeze: dims {tuple(dims)} name an axis twice")
        return self.reshape(*(n for i, n in enumerate(shape) if n != 1 or i not in dropped))

    def unsqueeze(self, dim: int) -> Tensor:
        """Insert an axis of size 1 at dim."""
        shape = self._array.shape
        axis = _axis("unsqueeze", dim, len(shape) + 1)
        return self.reshape(*shape[:axis], 1, *shape[axis:])

    def permute(self, *dims: Any) -> Tensor:
        """Put the axes into the order dims."""
        return rules.permute(self, dims=sizes(dims))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Swap two axes."""
        return rules.transpose(self, dim0=whole("dim0", dim0), dim1=whole("dim1", dim1))

    def expand(self, *shape: Any) -> Tensor:
        """Repeat along axes of size 1 and along new leading axes; -1 keeps a size."""
        return rules.expand(self, shape=sizes(shape))

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
        """Cut along dim into pieces of this size (the last may be smaller), or of these sizes."""
        total = self._array.shape[_axis("split", dim, self._array.ndim)]
        if not isinstance(split_size, Sequence):
            if whole("split_size", split_size) < 1:
                raise ValueError(f"split: split_size is {split_size}, expected 1 at least")
            split_size = [min(split_size, total - i) for i in range(0, max(total, 1), split_size)]
        split_size = [whole("split_size", size) for size in split_size]
        if sum(split_size) != total or any(size < 0 for size in split_size):
            raise ValueError(
                f"split: sizes {tuple(split_size)} do not add up to {total}, the size of axis {dim}"
            )
        axis = dim % self._array.ndim
        ends = np.cumsum(split_size).tolist()
        cuts = [slice(end - size, end) for end, size in zip(ends, split_size, strict=True)]
        return tuple(self[(slice(None),) * axis + (cut,)] for cut in cuts)

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """Cut along dim into at most this many pieces of one size; the last may be smaller."""
        if whole("chunks", chunks) < 1:
            raise ValueError(f"chunk: chunks is {chunks}, expected 1 at least")
        total = self._array.shape[_axis("chunk", dim, self._array.ndim)]
        return self.split(max(math.ceil(total / chunks), 1), dim)

    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """Return the slices along dim, without that axis."""
        shape = self._array.shape
        before = (slice(None),) * _axis("unbind", dim, len(shape))
        return tuple([rules.getitem(self, index=(*before, i, ...)) for i in range(shape[dim])])

    def __getitem__(self, index: Any) -> Tensor:
        parts = tuple(_as_index(part) for part in (index if isinstance(index, tuple) else (index,)))
        if any(map(_is_integer, parts)) and any(isinstance(part, np.ndarray) for part in parts):
            # PyTorch uses the integers before the arrays; NumPy would treat them as arrays.
            picked, parts = _integers_first(parts)
            return rules.getitem(rules.getitem(self, index=picked), index=parts)
        if len(parts) == self._array.ndim and all(map(_is_integer, parts)):
            parts = (*parts, ...)  # without it, NumPy gives a copy of the entry, and no view
        return rules.getitem(self, index=parts)


@named
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an axis that they have."""
    return rules.cat(*_several(tensors), dim=dim)


@named
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    return cat([tensor.unsqueeze(dim) for tensor in _several(tensors)], dim)


def _several(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    if isinstance(tensors, Variable):  # iterating would join its rows
        raise TypeError(f"expected a list of tensors, got one Tensor {tensors.data.shape}")
    return tensors


def sizes(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Return (2, 3) for the arguments of `f(2, 3)` and of `f((2, 3))`."""
    if len(arguments) == 1 and not isinstance(arguments[0], int | np.integer):
        if isinstance(arguments[0], Variable):
            raise TypeError(f"expected whole numbers, got a Tensor {arguments[0].data.shape}")
        return tuple(arguments[0])
    return arguments


def _axis(op: str, dim: int, ndim: int) -> int:
    """Return the axis, counted from the front. Raises IndexError if there is no such axis."""
    if not -ndim <= whole("dim", dim) < ndim:
        raise rules.out_of_range(op, dim, ndim)
    return dim % ndim


def _as_index(part: Any) -> Any:
    """Return one part of an index as NumPy takes it."""
    if isinstance(part, Variable):
        part = part.data
    elif isinstance(part, np.ndarray):
        part = plain_array("getitem", part)
    if isinstance(part, list):
        return plain_array("getitem", part, None if part else int)
    if isinstance(part, np.ndarray) and part.dtype == np.uint8:
        text = "an index of uint8 is a mask in PyTorch; convert it, with .bool() or .long()"
        raise complaint(TypeError, "getitem", text)
    is_number = isinstance(part, np.ndarray) and part.ndim == 0 and part.dtype.kind in "iu"
    return int(part) if is_number else part


def _is_integer(part: Any) -> bool:
    return isinstance(part, int | np.integer) and not isinstance(part, bool)


def _integers_first(parts: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Split an index into two: all parts except arrays, then arrays on the axes that are left."""
    everything = slice(None)
    first: list[Any] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            first += [everything] * (part.ndim if part.dtype == bool else 1)
        else:
            first.append(part)
    rest = (part for part in parts if not _is_integer(part))
    return tuple(first), tuple(
        part if isinstance(part, np.ndarray) or part is Ellipsis else everything for part in rest
    )
