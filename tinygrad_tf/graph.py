"""What is remembered while tensors are computed: reverse-mode differentiation, the first half.

Three ideas make the whole engine:

1. A *rule* is a NumPy function that returns its output and a function `backward`, which turns
   dL/d(output) into dL/d(each input). `differentiable.py` lifts it from arrays to tensors.
2. While tensors are computed, each result remembers the inputs and the `backward` it came from.
   These memories are the graph, and this file is all of it.
3. `tensor.backward()` walks the graph from the result to the leaves, each node after everything
   that used it, adds up what arrives there, and leaves the sums in the leaves' `.grad`: `walk.py`.

The derivatives are in `ops/`, one rule a page. The operators that people write (`x @ y`,
`x.sum()`) are spelled out in `operators.py`, on the class `Tensor`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, final

import numpy as np
import numpy.typing as npt

from tinygrad_tf.hooks import Hooks, RemovableHandle

if TYPE_CHECKING:  # the class that users see; at run time this file only needs Variable
    from tinygrad_tf.tensor import Tensor

Array: TypeAlias = npt.NDArray[Any]


@final
class At(NamedTuple):
    """A gradient that is `values` at `index` and zero elsewhere, of the shape of `like`.

    The pieces of a split are so added up in one array, instead of each in zeros of its own.
    """

    like: Array
    index: Any
    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole gradient."""
        return self.like.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its dtype."""
        return self.values.dtype

    def whole(self) -> Array:
        """The gradient as an array, which lies in memory as `like` does."""
        total = np.empty_like(self.like)
        total.fill(0)
        total[self.index] = self.values
        return total


Gradient: TypeAlias = Array | At | None
Backward: TypeAlias = Callable[[Array], tuple[Gradient, ...]]

_numbers = itertools.count(1)


class Node:
    """How one tensor was computed: the op's name, where its inputs came from, and the way back.

    inputs: for each input the node that made it, or the variable itself if it is a leaf; None where
    no gradient is wanted. The tensor itself is not kept: it may go while its node is still needed.
    number: higher than that of any node made before; a leaf has 0. hands_over: whether the arrays
    that `backward` returns are nobody else's, and may be added to in place, or become a `.grad`.
    """

    __slots__ = ("backward", "dtype", "hands_over", "hooks", "inputs", "number", "op", "shape")

    def __init__(
        self,
        op: str,
        inputs: Sequence[Edge | None],
        backward: Backward,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        hands_over: bool,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.number = next(_numbers)
        self.backward: Backward | None = backward  # None once the graph has been freed
        self.hands_over = hands_over
        self.shape = shape
        self.dtype = dtype
        self.hooks: Hooks | None = None

    def __lt__(self, other: Node) -> bool:
        """Any order will do between a node and its copies, which have its number."""
        return id(self) < id(other)


class Variable:
    """An array that remembers how it was computed.

    data: the NumPy array. grad: dL/d(data) as a tensor, or None. requires_grad: whether gradients
    are wanted. node: how an op made it; None for a *leaf*. Only leaves collect `.grad`, unless
    `retain_grad()` asks otherwise.
    """

    __slots__ = ("data", "grad", "hooks", "node", "requires_grad")
    number: int = 0  # as a leaf

    def __init__(self, data: Array, requires_grad: bool) -> None:
        self.data = data
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.node: Node | None = None
        self.hooks: Hooks | None = None

    def new_tensor(self, data: Any) -> Tensor:
        """A new leaf of this tensor's kind: how the engine makes results and gradients."""
        raise NotImplementedError

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

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(dL/d(self))` once in each backward pass; what it returns takes its place."""
        if not self.requires_grad:
            raise RuntimeError("register_hook: the tensor does not require grad")
        edge = self.node or self
        if edge.hooks is None:
            edge.hooks = Hooks()
        return RemovableHandle(edge.hooks, hook)

    def retain_grad(self) -> None:
        """Keep `.grad` although this tensor is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: the tensor does not require grad")
        if self.node is not None:
            if self.node.hooks is None:
                self.node.hooks = Hooks()
            self.node.hooks.keeper = self


Edge: TypeAlias = Node | Variable
