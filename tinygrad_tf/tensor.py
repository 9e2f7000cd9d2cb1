"""`Tensor`: an array that can be differentiated, in PyTorch's dialect.

`graph.py` and `autograd.py` say how gradients flow. `operators.py`, `reducing.py`, `shaping.py` and
`conversions.py`, from which Tensor inherits, say what `x + y`, `x.sum(1)`, `x.transpose(1, 2)` and
`x.double()` mean, `in_place.py` what `x += y` does, and `fields.py` what may be set. This file has
the rest: how tensors are inspected, watched and copied. `creation.py` makes them.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from tinygrad_tf.autograd import run_backward
from tinygrad_tf.conversions import Conversions
from tinygrad_tf.dtypes import float32 as float32
from tinygrad_tf.dtypes import float64 as float64
from tinygrad_tf.fields import Fields
from tinygrad_tf.graph import Array, Edge, Variable
from tinygrad_tf.in_place import InPlace
from tinygrad_tf.machinery.hooks import Hooks, RemovableHandle
from tinygrad_tf.machinery.inputs import plain_array
from tinygrad_tf.machinery.memory import share_memory
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import whole
from tinygrad_tf.operators import Operators
from tinygrad_tf.reducing import Reducing
from tinygrad_tf.shaping import Shaping, sizes


class Tensor(Fields, InPlace, Operators, Reducing, Shaping, Conversions):
    """An n-dimensional array that can be differentiated.

    data is an array, which is shared and not copied, or nested lists. It is read as `torch.tensor`
    reads it, and not as `torch.Tensor`: integers stay integers. Python floats become float32.
    Only float32 and float64 tensors can require gradients. Integers serve as indices and booleans
    as masks. Raises TypeError for any other dtype.
    """

    __slots__ = ()

    @named
    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        source = data if isinstance(data, Variable) else None
        if source is not None:
            data = source._array
        array = plain_array("Tensor", data, dtype)
        if array.dtype == float64 and dtype is None and not _holds_float64(data):
            array = array.astype(float32)
        super().__init__(array, False)
        if source is not None:
            share_memory(self, (source,))
        if requires_grad is not False:
            self.requires_grad_(requires_grad)

    def new_tensor(self, data: Any) -> Tensor:
        """Return a tensor of this data that requires no grad."""
        tensor = object.__new__(Tensor)  # without __init__: an op's result needs no checks
        tensor._array = data if type(data) is np.ndarray else np.asarray(data)
        tensor._requires_grad = False
        tensor._grad = tensor.node = tensor.hooks = tensor.memory = None
        return tensor

    @named
    def new_zeros(self, *size: Any) -> Tensor:
        """Return zeros of this size in self's dtype."""
        return Tensor(np.zeros(sizes(size), self.dtype))

    @named
    def new_ones(self, *size: Any) -> Tensor:
        """Return ones of this size in self's dtype."""
        return Tensor(np.ones(sizes(size), self.dtype))

    # Shape and type

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the entries."""
        return self._array.dtype

    @property
    def is_leaf(self) -> bool:
        """True if no op made this tensor."""
        return self.node is None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def T(self) -> Tensor:  # noqa: N802, PyTorch's name
        """The axes in reverse order."""
        return self.permute(*reversed(range(self.ndim)))

    def dim(self) -> int:
        """Return the number of axes."""
        return self._array.ndim

    @named
    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of axis dim."""
        return self.shape if dim is None else self.shape[whole("dim", dim)]

    def is_floating_point(self) -> bool:
        """Return whether the entries are float32 or float64."""
        return self._array.dtype.kind == "f"

    def numel(self) -> int:
        """Return the number of entries."""
        return self._array.size

    # Gradients

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        """Add dL/d(leaf) to the `.grad` of every leaf this tensor was computed from.

        gradient is dL/d(self), with self's shape. It may be left out if self has one entry: then
        self is L, and the gradient is 1. The graph is freed on the way, unless retain_graph.
        Raises RuntimeError if there is no graph, and ValueError for a wrong gradient.
        """
        run_backward(self, gradient, retain_graph)

    @named
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(dL/d(self))` once in each backward pass. It may return another gradient."""
        if not self.requires_grad:
            raise RuntimeError("register_hook: the tensor does not require grad")
        return RemovableHandle(_hooks(self.node or self), hook)

    def retain_grad(self) -> None:
        """Keep `.grad` although this tensor is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: the tensor does not require grad")
        if self.node is not None:
            _hooks(self.node).keeper = weakref.ref(self)

    # Out of the graph

    def __copy__(self) -> Self:
        """Return another tensor with the same data, `.grad` and graph."""
        twin = object.__new__(type(self))
        for name in ("_array", "_grad", "_requires_grad", "hooks", "node"):
            setattr(twin, name, getattr(self, name))
        for name, value in getattr(self, "__dict__", {}).items():  # of a class of the user's
            setattr(twin, name, value)
        twin.memory = None
        share_memory(twin, (self,))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy a leaf with its `.grad` and without its hooks. Raises RuntimeError for others."""
        if self.node is not None:
            raise RuntimeError(
                f"deepcopy: an op ('{self.node.op}') made this tensor, and only leaves are copied; "
                "use detach() or clone()"
            )
        twin = copy.copy(self)
        memo[id(self)] = twin
        twin._array, twin.memory = copy.deepcopy(self._array, memo), None
        twin._grad, twin.hooks = copy.deepcopy(self._grad, memo), None
        return twin

    def detach(self) -> Tensor:
        """Return a tensor that shares the data, but has no graph."""
        return Tensor(self)

    def numpy(self) -> Array:
        """Return the array itself, not a copy. Raises RuntimeError if self requires grad."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires grad; call tensor.detach().numpy()")
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """Return the only entry as a Python number. Raises ValueError unless there is one entry."""
        if self._array.size != 1:
            raise ValueError(f"item: the tensor has shape {self.shape}, not one entry")
        return self._array.item()

    def tolist(self) -> Any:
        """Return the entries as nested lists."""
        return self._array.tolist()

    def __repr__(self) -> str:
        text = np.array2string(self._array, separator=", ", precision=4, prefix="tensor(")
        dtype = "" if self.dtype in (float32, np.int64, np.bool_) else f", dtype={self.dtype}"
        history = f", op={self.node.op}" if self.node else ", requires_grad=True"
        return f"tensor({text}{dtype}{history if self.requires_grad else ''})"

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else super().__format__(spec)


def _holds_float64(data: Any) -> bool:
    """Return whether data, or anything in its lists, is float64 and no Python float."""
    if isinstance(data, list | tuple):
        return any(map(_holds_float64, data))
    kind = getattr(data, "dtype", None)
    return kind is not None and kind == float64  # None == float64, says NumPy


def _hooks(place: Edge) -> Hooks:
    if place.hooks is None:
        place.hooks = Hooks()
    return place.hooks
