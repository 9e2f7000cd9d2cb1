"""The graph and the way back: reverse-mode automatic differentiation, without a single derivative.

Three ideas make the whole engine:

1. A *rule* is a NumPy function that returns its output and a function `backward`, which turns
   dL/d(output) into dL/d(each input). `differentiable.py` lifts it from arrays to tensors.
2. While tensors are computed, each result remembers the inputs and the `backward` it came from.
   These memories are the graph.
3. `tensor.backward()` walks the graph from the result to the leaves, each tensor after everything
   that used it, adds up what arrives there, and leaves the sums in the leaves' `.grad`.

The derivatives are in `ops/`, one rule a page. The operators that people write (`x @ y`,
`x.sum()`) are spelled out in `tensor.py`, on the class `Tensor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinygrad_tf.hooks import Hooks, RemovableHandle

if TYPE_CHECKING:  # the class that users see; at run time this file only needs Variable
    from tinygrad_tf.tensor import Tensor

Array: TypeAlias = npt.NDArray[Any]
Backward: TypeAlias = Callable[[Array], tuple[Array | None, ...]]


class Node:
    """How one tensor was computed: the op's name, its inputs, and the way back to them."""

    __slots__ = ("backward", "inputs", "op")

    def __init__(self, op: str, inputs: list[Variable | None], backward: Backward) -> None:
        self.op = op
        self.inputs = inputs  # None where no gradient is wanted
        self.backward: Backward | None = backward  # None once the graph has been freed


class Variable:
    """An array that remembers how it was computed.

    data: the NumPy array. grad: dL/d(data) as a tensor, or None. requires_grad: whether gradients
    are wanted. A *leaf* is a variable that no op made; only leaves collect `.grad`, unless
    `retain_grad()` asks otherwise.
    """

    __slots__ = ("_hooks", "_node", "_retains_grad", "data", "grad", "requires_grad")

    def __init__(self, data: Array, requires_grad: bool) -> None:
        self.data = data
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self._node: Node | None = None
        self._hooks: Hooks = {}
        self._retains_grad = False

    def new_tensor(self, data: Any) -> Tensor:
        """A new leaf of this tensor's kind: how the engine makes results and gradients."""
        raise NotImplementedError

    @property
    def is_leaf(self) -> bool:
        """True if no op made this tensor."""
        return self._node is None

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        """Add dL/d(leaf) to the `.grad` of every leaf this tensor was computed from.

        gradient: dL/d(self), with self's shape. It may be left out when self is a scalar: then
        self is L, and the gradient is 1. The graph is freed on the way, unless retain_graph.
        Raises RuntimeError when there is no graph, and ValueError for a wrong gradient.
        """
        _run_backward(self, _initial_gradient(self, gradient), retain_graph)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(dL/d(self))` once in each backward pass; what it returns takes its place."""
        if not self.requires_grad:
            raise RuntimeError("register_hook: the tensor does not require grad")
        return RemovableHandle(self._hooks, hook)

    def retain_grad(self) -> None:
        """Keep `.grad` although this tensor is not a leaf."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: the tensor does not require grad")
        self._retains_grad = True


def _initial_gradient(root: Variable, gradient: Tensor | None) -> Array:
    if not root.requires_grad:
        raise RuntimeError(
            "backward: this tensor does not require grad: none of its inputs has "
            "requires_grad=True, or it was computed under no_grad()"
        )
    if gradient is None:
        if root.data.size != 1:
            raise ValueError(
                f"backward: the tensor has shape {root.data.shape}, not one element; pass "
                "gradient=, dL/d(tensor) of that shape, or reduce it to a loss first"
            )
        return np.ones_like(root.data)
    if not isinstance(gradient, Variable):
        raise TypeError(f"backward: gradient is {type(gradient).__name__}, expected a Tensor")
    if gradient.data.shape != root.data.shape or gradient.data.dtype != root.data.dtype:
        raise ValueError(
            f"backward: gradient is {gradient.data.shape} {gradient.data.dtype}, expected "
            f"{root.data.shape} {root.data.dtype}, like the tensor"
        )
    return gradient.data


def _run_backward(root: Variable, gradient: Array, retain_graph: bool) -> None:
    """The backward pass. The gradients on their way live in a dict that ends with the pass."""
    order = _topological_order(root)
    gradients = {id(root): gradient}
    while order:
        tensor = order.pop()  # the last one left: everything that used it has been visited
        arrived = gradients.pop(id(tensor), None)
        if arrived is None:
            continue
        dtensor = _apply_hooks(tensor, arrived)
        node = tensor._node
        if node is None or tensor._retains_grad:
            _accumulate(tensor, dtensor)
        if node is None:
            continue
        for x, dx in zip(node.inputs, _backward_through(node, dtensor), strict=True):
            if x is not None and dx is not None:
                # A sum makes a new array: what a rule returned may be shared, so never `+=`.
                gradients[id(x)] = gradients[id(x)] + dx if id(x) in gradients else dx
        if not retain_graph:
            node.backward = None


def _topological_order(root: Variable) -> list[Variable]:
    """Every tensor that leads to root, each after its own inputs; a loop, so depth has no limit."""
    order: list[Variable] = []
    visited: set[int] = set()
    stack: list[tuple[Variable, bool]] = [(root, False)]
    while stack:
        tensor, inputs_are_placed = stack.pop()
        if inputs_are_placed:
            order.append(tensor)
        elif id(tensor) not in visited:
            visited.add(id(tensor))
            stack.append((tensor, True))
            if tensor._node is not None:
                stack.extend((x, False) for x in tensor._node.inputs if x is not None)
    return order


def _backward_through(node: Node, dout: Array) -> tuple[Array | None, ...]:
    """Call one rule's backward and hold it to its contract: count, shapes and dtypes."""
    if node.backward is None:
        raise RuntimeError(
            f"backward: the graph through '{node.op}' was freed by an earlier backward(); "
            "pass retain_graph=True to that one to walk it twice"
        )
    dinputs = node.backward(dout)
    count = len(node.inputs)
    # One gradient more may be None: that of an optional input which the call left out.
    if len(dinputs) < count or any(dx is not None for dx in dinputs[count:]):
        raise RuntimeError(
            f"{node.op}: backward returned {len(dinputs)} gradients for {count} inputs"
        )
    dinputs = dinputs[:count]
    for position, (x, dx) in enumerate(zip(node.inputs, dinputs, strict=True)):
        if x is None or dx is None:
            continue
        if dx.shape != x.data.shape or dx.dtype != x.data.dtype:
            raise RuntimeError(
                f"{node.op}: backward returned {dx.shape} {dx.dtype} for input {position}, which "
                f"is {x.data.shape} {x.data.dtype}; is a sum_to missing?"
            )
    return dinputs


def _apply_hooks(tensor: Variable, gradient: Array) -> Array:
    for hook in tuple(tensor._hooks.values()):
        replacement = hook(tensor.new_tensor(gradient))
        if replacement is not None:
            gradient = _replacement(replacement, gradient)
    return gradient


def _replacement(replacement: Variable, gradient: Array) -> Array:
    """What a hook returned, if it can stand in for the gradient."""
    if not isinstance(replacement, Variable):
        raise TypeError(
            f"register_hook: the hook returned {type(replacement).__name__}, expected a Tensor or "
            "None"
        )
    new = replacement.data
    if new.shape != gradient.shape or new.dtype != gradient.dtype:
        raise ValueError(
            f"register_hook: the hook returned {new.shape} {new.dtype} for a gradient that is "
            f"{gradient.shape} {gradient.dtype}"
        )
    return new


def _accumulate(tensor: Variable, gradient: Array) -> None:
    """Add to `.grad`. The first time it is a copy: the same array may be on its way elsewhere."""
    held = tensor.grad
    total = np.array(gradient) if held is None else held.data + gradient
    tensor.grad = tensor.new_tensor(total)
