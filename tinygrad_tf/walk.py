"""The way back: reverse-mode differentiation, the second half, without a single derivative.

Nodes are numbered as they are made, and a node is made after everything it was computed from. So
the node of the highest number that is waiting has received all it will receive: going from the
highest to the lowest visits every node once, after all that used it.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_tf.buffers import empty, owns_memory
from tinygrad_tf.graph import Array, At, Edge, Gradient, Node, Variable

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


def run_backward(root: Variable, gradient: Tensor | None, retain_graph: bool) -> None:
    """The backward pass: `Tensor.backward` says what it does, and for what it raises.

    A gradient that has arrived is fresh if nobody else holds the array: then more may be added to
    it in place, and it may become a `.grad` as it is. A rule may return anything (its dout, an
    array it captured, one array twice), so its gradients are not; those of kernels are, but for
    dout and its views.
    """
    start = root.node or root
    # The gradients on their way, by the id of the place they have come to, and whether fresh.
    arrived = {id(start): (_initial_gradient(root, gradient), False)}
    waiting = [(-start.number, start)] if isinstance(start, Node) else []  # a heap
    leaves = [start] if isinstance(start, Variable) else []
    while waiting:
        node = heappop(waiting)[1]
        dnode, _ = arrived.pop(id(node))
        if node.hooks:
            dnode = _apply_hooks(root, node, dnode)
        if node.keeper is not None:
            _accumulate(node.keeper, dnode, fresh=False)
        dinputs = _backward_through(node, dnode)
        for source, dsource in zip(node.inputs, dinputs, strict=False):
            if source is None or dsource is None:
                continue
            if dsource.shape != source.shape or dsource.dtype != source.dtype:
                raise _misfit(node, dinputs, source, dsource)
            place = id(source)
            if place in arrived:
                arrived[place] = _sum(*arrived[place], dsource), True
                continue
            if isinstance(dsource, At):
                arrived[place] = dsource.whole(), True
            else:
                arrived[place] = dsource, node.hands_over and dsource is not dnode
            if isinstance(source, Node):
                heappush(waiting, (-source.number, source))
            else:
                leaves.append(source)
        if not retain_graph:
            node.free()
    for leaf in leaves:
        dleaf, fresh = arrived.pop(id(leaf))
        if leaf.hooks:
            dleaf, fresh = _apply_hooks(root, leaf, dleaf), False
        _accumulate(leaf, dleaf, fresh)


def _sum(held: Array, fresh: bool, gradient: Array | At) -> Array:
    """held + gradient, in held itself if that is fresh."""
    in_place = fresh and owns_memory(held)
    if isinstance(gradient, At):
        total = held if in_place else np.array(held)
        total[gradient.index] += gradient.values
        return total
    return np.add(held, gradient, held if in_place else empty(held.shape, held.dtype))


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
    if len(dinputs) != len(node.inputs):
        _check_count(node, dinputs)
    return dinputs


def _check_count(node: Node, dinputs: tuple[Gradient, ...]) -> None:
    """One gradient more may be None: that of an optional input which the call left out."""
    count = len(node.inputs)
    if len(dinputs) < count or any(dx is not None for dx in dinputs[count:]):
        raise RuntimeError(
            f"{node.op}: backward returned {len(dinputs)} gradients for {count} inputs"
        )


def _misfit(node: Node, dinputs: tuple[Gradient, ...], x: Edge, dx: Array | At) -> RuntimeError:
    """A gradient that has not its input's shape or dtype, in words."""
    pairs = enumerate(zip(node.inputs, dinputs, strict=False))
    i = next(i for i, (source, dsource) in pairs if source is x and dsource is dx)
    return RuntimeError(
        f"{node.op}: backward returned {dx.shape} {dx.dtype} for input {i}, which is "
        f"{x.shape} {x.dtype}; is a sum_to missing?"
    )


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
    elif not (fresh and owns_memory(gradient)):
        gradient = np.array(gradient)
    variable.grad = variable.new_tensor(gradient)
