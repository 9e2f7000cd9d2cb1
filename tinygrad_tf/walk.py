"""The way back: reverse-mode differentiation, the second half, without a single derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinygrad_tf.buffers import owns_memory
from tinygrad_tf.graph import Array, At, Edge, Gradient, Node, Variable

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


def run_backward(root: Variable, gradient: Tensor | None, retain_graph: bool) -> None:
    """The backward pass: `Tensor.backward` says what it does, and for what it raises."""
    start = root.node or root
    arrived = _Arrived()
    arrived.add(start, _initial_gradient(root, gradient), fresh=False)
    order = _topological_order(start)
    while order:
        edge = order.pop()  # the last one left: everything that used it has been visited
        dedge, fresh = arrived.pop(edge)
        if dedge is None:
            continue
        if edge.hooks:
            dedge, fresh = _apply_hooks(root, edge, dedge), False
        if isinstance(edge, Variable):
            _accumulate(edge, dedge, fresh)
            continue
        if edge.keeper is not None:
            _accumulate(edge.keeper, dedge, fresh=False)
        for source, dsource in zip(edge.inputs, _backward_through(edge, dedge), strict=True):
            if source is not None and dsource is not None:
                arrived.add(source, dsource, fresh=dsource is not dedge)
        if not retain_graph:
            edge.free()


class _Arrived:
    """The gradients on their way, by the place they have come to; gone when the pass ends.

    A rule's gradient is its dout, or a view of it, or a fresh array that nobody else holds. Only
    the last may be added to in place, or handed over to `.grad` without a copy.
    """

    def __init__(self) -> None:
        self._gradients: dict[int, Array] = {}
        self._fresh: set[int] = set()

    def add(self, edge: Edge, gradient: Array | At, fresh: bool) -> None:
        """Add one more gradient that arrives at this edge."""
        key = id(edge)
        held = self._gradients.get(key)
        if isinstance(gradient, At):
            self._gradients[key] = self._add_at(edge, held, gradient)
        elif held is None:
            self._gradients[key] = gradient
            if fresh and owns_memory(gradient):
                self._fresh.add(key)
            return
        elif key in self._fresh:
            held += gradient
            self._gradients[key] = held  # again, for a NumPy scalar does not change in place
        else:
            self._gradients[key] = held + gradient
        self._fresh.add(key)

    def pop(self, edge: Edge) -> tuple[Array | None, bool]:
        """The sum of what has arrived (None if nothing has), and whether it is a fresh array."""
        key = id(edge)
        fresh = key in self._fresh
        self._fresh.discard(key)
        return self._gradients.pop(key, None), fresh

    def _add_at(self, edge: Edge, held: Array | None, gradient: At) -> Array:
        if held is None:
            total: Array = np.zeros(edge.shape, edge.dtype)
        else:
            total = held if id(edge) in self._fresh else held.copy()
        total[gradient.index] += gradient.values
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


def _topological_order(start: Edge) -> list[Edge]:
    """Every edge that leads to start, each after its own inputs; a loop, so depth has no limit."""
    order: list[Edge] = []
    visited: set[int] = set()
    stack: list[tuple[Edge, bool]] = [(start, False)]
    while stack:
        edge, inputs_are_placed = stack.pop()
        if inputs_are_placed:
            order.append(edge)
        elif id(edge) not in visited:
            visited.add(id(edge))
            if isinstance(edge, Variable):
                order.append(edge)
            else:
                stack.append((edge, True))
                stack.extend((x, False) for x in edge.inputs if x is not None)
    return order


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
    if len(dinputs) < count or any(dx is not None for dx in dinputs[count:]):
        raise RuntimeError(
            f"{node.op}: backward returned {len(dinputs)} gradients for {count} inputs"
        )
    for position, (x, dx) in enumerate(zip(node.inputs, dinputs, strict=False)):
        if x is None or dx is None or isinstance(dx, At):
            continue
        if dx.shape != x.shape or dx.dtype != x.dtype:
            raise RuntimeError(
                f"{node.op}: backward returned {dx.shape} {dx.dtype} for input {position}, which "
                f"is {x.shape} {x.dtype}; is a sum_to missing?"
            )
    return dinputs[:count]


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
    if held is None:
        total = gradient if fresh else np.array(gradient)
    else:
        total = held.data + gradient
    variable.grad = variable.new_tensor(total)
