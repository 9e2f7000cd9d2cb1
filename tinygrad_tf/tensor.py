"""`Tensor`: an array that can be differentiated, in PyTorch's dialect.

How gradients flow is in `graph.py` and `autograd.py`. What `x + y` or `x.transpose(1, 2)` means is
in `operators.py` and `shaping.py`, from which Tensor inherits. This file has the rest: how tensors
are made, looked at and watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from tinygrad_tf.autograd import run_backward
from tinygrad_tf.graph import Array, Edge, Variable
from tinygrad_tf.machinery.hooks import Hooks, RemovableHandle
from tinygrad_tf.operators import Operators
from tinygrad_tf.ops.elementwise import cast
from tinygrad_tf.shaping import Shaping, sizes

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)


class Tensor(Operators, Shaping):
    """An n-dimensional array that can be differentiated.

    data: an array (shared, not copied) or nested lists; Python floats become float32, as in
    PyTorch. Only float32 and float64 tensors can require gradients; integers serve as indices,
    booleans as masks. Raises TypeError for any other dtype.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None) -> None:
        if isinstance(data, Variable):
            data = data.data
        if dtype is None and not isinstance(data, np.ndarray | np.generic):
            dtype = float32 if np.asarray(data).dtype == float64 else None
        array = np.asarray(data, dtype=dtype)
        _require_supported(array.dtype)
        super().__init__(array, False)
        if requires_grad:
            self.requires_grad_()

    def new_tensor(self, data: Any) -> Tensor:
        """A tensor of this data that requires no grad."""
        tensor = object.__new__(Tensor)  # not by __init__: an op's result needs no questions asked
        tensor.data = data if type(data) is np.ndarray else np.asarray(data)
        tensor.requires_grad = False
        tensor.grad = tensor.node = tensor.hooks = None
        return tensor

    def new_zeros(self, *size: Any) -> Tensor:
        """Zeros of this size in self's dtype."""
        return Tensor(np.zeros(sizes(size), self.dtype))

    def new_ones(self, *size: Any) -> Tensor:
        """Ones of this size in self's dtype."""
        return Tensor(np.ones(sizes(size), self.dtype))

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the entries."""
        return self.data.dtype

    @property
    def is_leaf(self) -> bool:
        """True if no op made this tensor."""
        return self.node is None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def T(self) -> Tensor:  # noqa: N802, PyTorch's name
        """The axes in reverse order."""
        return self.permute(*reversed(range(self.ndim)))

    def dim(self) -> int:
        """The number of axes, under PyTorch's name."""
        return self.data.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one of its sizes."""
        return self.shape if dim is None else self.shape[dim]

    def is_floating_point(self) -> bool:
        """Whether the entries are float32 or float64."""
        return self.data.dtype.kind == "f"

    def numel(self) -> int:
        """The number of entries."""
        return self.data.size

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for gradients, or stop asking. Raises for integers, and when an op made self."""
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(f"requires_grad: only floats have gradients, not {self.dtype}")
        if not self.is_leaf:
            raise RuntimeError("requires_grad_: an op made this tensor; use detach() first")
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        """Add dL/d(leaf) to the `.grad` of every leaf this tensor was computed from.

        gradient: dL/d(self), with self's shape. It may be left out when self is a scalar: then
        self is L, and the gradient is 1. The graph is freed on the way, unless retain_graph.
        Raises RuntimeError when there is no graph, and ValueError for a wrong gradient.
        """
        run_backward(self, gradient, retain_graph)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(dL/d(self))` once in each backward pass; what it returns takes its place."""
        if not self.requires_grad:
            raise RuntimeError("register_hook: the tensor does not require grad")
        return RemovableHandle(_hooks(self.node or self), hook)

    def retain_grad(self) -> None:
        """Keep `.grad` although this tensor is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: the tensor does not require grad")
        if self.node is not None:
            _hooks(self.node).keeper = self

    # Out of the graph

    def detach(self) -> Tensor:
        """The same data (shared), without its history."""
        return Tensor(self.data)

    def numpy(self) -> Array:
        """The array itself (shared). Raises RuntimeError when self requires grad."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires grad; call tensor.detach().numpy()")
        return self.data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """The only entry, as a Python number. Raises ValueError if there are more."""
        if self.data.size != 1:
            raise ValueError(f"item: the tensor has shape {self.shape}, not one entry")
        return self.data.item()

    def tolist(self) -> Any:
        """The entries as nested lists."""
        return self.data.tolist()

    def to(self, like: Any) -> Tensor:
        """Self in another dtype, or in the dtype of another tensor. Differentiable."""
        dtype = like.dtype if isinstance(like, Tensor) else np.dtype(like)
        if dtype == self.dtype:
            return self
        _require_supported(dtype)
        if self.dtype.kind == dtype.kind == "f":
            return cast(self, dtype=dtype)
        return Tensor(self.data.astype(dtype))

    def double(self) -> Tensor:
        """Self in float64."""
        return self.to(float64)

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", precision=4, prefix="tensor(")
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


def empty(*size: Any, dtype: Any = float32) -> Tensor:
    """A tensor of this size whose entries are arbitrary, to be initialised by `nn.init`."""
    return Tensor(np.empty(sizes(size), dtype=dtype))


def zeros(*size: Any, dtype: Any = float32) -> Tensor:
    """A tensor of zeros."""
    return Tensor(np.zeros(sizes(size), dtype=dtype))


def ones(*size: Any, dtype: Any = float32) -> Tensor:
    """A tensor of ones."""
    return Tensor(np.ones(sizes(size), dtype=dtype))


def arange(*limits: float, dtype: Any = None) -> Tensor:
    """The numbers from start to below end by step: arange(end), (start, end[, step])."""
    numbers = np.arange(*limits)
    if dtype is None and numbers.dtype == float64:
        dtype = float32  # Python floats, as in Tensor([0.5])
    return Tensor(numbers, dtype=dtype)


def _hooks(place: Edge) -> Hooks:
    if place.hooks is None:
        place.hooks = Hooks()
    return place.hooks


def _require_supported(dtype: np.dtype[Any]) -> None:
    if dtype not in (float32, float64) and dtype.kind not in "iub":
        raise TypeError(
            f"Tensor: dtype {dtype} is not supported; use float32 or float64, "
            "integers for indices, bool for masks"
        )
