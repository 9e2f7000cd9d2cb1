"""The way back: reverse-mode differentiation, the second half, without a single derivative.

A node lies deeper than everything it was computed from. So the deepest node that is waiting has
received all it will receive: going from the deepest to the shallowest visits every node once, after
all that used it.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_tf.buffers import owns_memory
from tinygrad_tf.graph import Array, At, Edge, Gradient, Node, Variable

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


def run_backward(root: Variable, gradient: Tensor | None, retain_graph: bool) -> None:
    """The backward pass: `Tensor.backward` says what it does, and for what it raises."""
    arrived = _Arrived()
    arrived.add(root.node or root, _initial_gradient(root, gradient), fresh=False)
    while arrived.waiting:
        node = heapq.heappop(arrived.waiting)[-1]
        dnode, _ = arrived.take(node)
        if node.hooks:
            dnode = _apply_hooks(root, node, dnode)
        if node.keeper is not None:
            _accumulate(node.keeper, dnode, fresh=False)
        dinputs = _backward_through(node, dnode)
        for i, source in enumerate(node.inputs):
            dsource = dinputs[i]
            if source is not None and dsource is not None:
                arrived.add(source, dsource, fresh=node.hands_over and dsource is not dnode)
        if not retain_graph:
            node.free()
    for leaf in arrived.leaves:
        dleaf, fresh = arrived.take(leaf)
        if leaf.hooks:
            dleaf, fresh = _apply_hooks(root, leaf, dleaf), False
        _accumulate(leaf, dleaf, fresh)


class _Arrived:
    """The gradients on their way, by the place they have come to; gone when the pass ends.

    A gradient is fresh if nobody else holds the array: then more may be added to it in place, and
    it may become a `.grad` as it is. A rule may return anything (its dout, an array it captured,
    one array twice), so its gradients are not; those of kernels are, but for dout and its views.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[int, int, Node]] = []  # a heap: (-depth, order of arrival, node)
        self.leaves: list[Variable] = []
        self._count = 0
        self._gradients: dict[int, tuple[Array, bool]] = {}  # and whether it is fresh

    def add(self, edge: Edge, gradient: Array | At, fresh: bool) -> None:
        """Add one more gradient that arrives at this edge."""
        key, gradients = id(edge), self._gradients
        held = gradients.get(key)
        if held is not None:
            gradients[key] = _sum(*held, gradient), True
            return
        if isinstance(gradient, At):
            total = np.zeros_like(gradient.like)
            total[gradient.index] = gradient.values
            gradients[key] = total, True
        else:
            gradients[key] = gradient, fresh and owns_memory(gradient)
        if isinstance(edge, Node):
            self._count += 1
            heapq.heappush(self.waiting, (-edge.depth, self._count, edge))
        else:
            self.leaves.append(edge)

    def take(self, edge: Edge) -> tuple[Array, bool]:
        """The sum of what has arrived, and whether it is a fresh array."""
        return self._gradients.pop(id(edge))


def _sum(held: Array, fresh: bool, gradient: Array | At) -> Array:
    """held + gradient, in held itself if that is fresh."""
    total = held if fresh else np.array(held)
    if isinstance(gradient, At):
        total[gradient.index] += gradient.values
    else:
        total += gradient
    return total


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


def _backward_through(node: Node, dout: Array) -> tuple[Gradient, ...]:
    """Call one rule's backward and hold it to its contract: count, shapes and dtypes."""
    if node.backward is None:
        raise RuntimeError(
            f"backward: the graph through '{node.op}' was freed by an earlier backward(); "
            "pass retain_graph=True to that one to walk it twice"
        )
    dinputs = node.backward(dout)
    count = len(node.inputs)
    # One gradient more may be None: that of an optional input which the call left out.
    if len(dinputs) != count and (
        len(dinputs) < count or any(dx is not None for dx in dinputs[count:])
    ):
        raise RuntimeError(
            f"{node.op}: backward returned {len(dinputs)} gradients for {count} inputs"
        )
    for i, x in enumerate(node.inputs):
        dx = dinputs[i]
        if x is None or dx is None or isinstance(dx, At):
            continue
        if dx.shape != x.shape or dx.dtype != x.dtype:
            raise RuntimeError(
                f"{node.op}: backward returned {dx.shape} {dx.dtype} for input {i}, which is "
                f"{x.shape} {x.dtype}; is a sum_to missing?"
            )
    return dinputs


def _apply_hooks(root: Variable, edge: Edge, gradient: Array) -> Array:
    for hook in tuple((edge.hooks or {}).values()):
        replacement = hook(root.new_tensor(gradient))
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


def _accumulate(variable: Variable, gradient: Array, fresh: bool) -> None:
    """Add to `.grad`; the first time by a copy, unless the gradient is ours alone to give."""
    held = variable.grad
    if held is not None:
        gradient = held.data + gradient
    elif not fresh:
        gradient = np.array(gradient)
    variable.grad = variable.new_tensor(gradient)
