"""What is remembered while tensors are computed.

Three ideas make the whole engine:

1. A *rule* is a NumPy function that returns its output and a function `backward`, which turns
   dL/d(output) into dL/d(each input). The rules are the pages in `ops/`: read those first.
2. Each result remembers its inputs and the `backward` it came with: the graph, and this file.
3. `tensor.backward()` visits the graph from the result to the leaves and adds up what arrives at
   each place. That, and how a rule becomes an op on tensors, is in `autograd.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

if TYPE_CHECKING:
    from tinygrad_tf.machinery.hooks import Hooks
    from tinygrad_tf.tensor import Tensor

Array: TypeAlias = npt.NDArray[Any]
Gradients: TypeAlias = tuple[Array | None, ...]  # one for each input; None where there is none
Backward: TypeAlias = Callable[[Array], Gradients]

_numbers = itertools.count(1)


class Node:
    """How one tensor was computed. It has the shape of the result, but does not keep the array."""

    __slots__ = ("backward", "dtype", "hooks", "inputs", "number", "op", "shape")

    def __init__(
        self, op: str, inputs: Sequence[Edge | None], backward: Backward, result: Array
    ) -> None:
        self.op = op  # the name of the rule
        self.inputs = inputs  # what made each input, or the leaf itself; None: no gradient wanted
        self.backward: Backward | None = backward  # None once the graph has been freed
        self.number = next(_numbers)  # numbers rise, so an input's is smaller than its result's
        self.shape, self.dtype = result.shape, result.dtype
        self.hooks: Hooks | None = None  # what `register_hook` and `retain_grad` asked for

    def free(self) -> None:
        """Forget the arrays that the rule kept, and the way to the inputs."""
        self.backward, self.inputs = None, ()


class Variable:
    """An array that remembers how it was computed. `Tensor`, for people, checks what they set."""

    __slots__ = ("__weakref__", "_array", "_grad", "_requires_grad", "hooks", "memory", "node")
    data: Array  # the entries; the engine uses the slots themselves, which are faster
    requires_grad: bool  # whether dL/d(data) is wanted
    grad: Tensor | None  # dL/d(data), added up over all backward passes
    node: Node | None  # how an op made it; None for a *leaf*
    hooks: Hooks | None  # of a leaf; the hooks of a result are on its node
    memory: Any  # a `Memory`, and None until another tensor shares the memory of the entries

    def __init__(self, data: Array, requires_grad: bool) -> None:
        self._array, self._requires_grad = data, requires_grad
        self._grad: Any = None
        self.node = self.hooks = self.memory = None

    def new_tensor(self, data: Any) -> Tensor:
        """Make a new leaf of this tensor's kind: how the engine makes results and gradients."""
        raise NotImplementedError


Edge: TypeAlias = Node | Variable  # where a gradient arrives: the node of a result, or a leaf
