"""The way back: reverse-mode differentiation, the second half, without a single derivative.

Nodes are numbered as they are made, and a node is made after everything it was computed from. So
the node of the highest number that is waiting has received all it will receive: going from the
highest to the lowest visits every node once, after all that used it.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_tf.buffers import like, owns_memory
from tinygrad_tf.graph import Array, At, Edge, Gradient, Node, Variable
from tinygrad_tf.hooks import Hooks
from tinygrad_tf.threads import adding

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


def run_backward(root: Variable, gradient: Tensor | None, retain_graph: bool) -> None:
    """The backward pass: `Tensor.backward` says what it does, and for what it raises.

    A gradient is fresh if nobody else holds the array: then more may be added to it in place, and
    it may become a `.grad` as it is. A rule may return anything (its dout, an array it captured,
    one array twice), so its gradients are not; those of kernels are, but for dout and its views.
    """
    start = root.node or root
    # The gradients on their way, by the place they have come to, and whether they may be fresh:
    # `owns_memory` has the last word, when it matters. (Keys are compared by identity: two tensors
    # are never taken for one another.)
    arrived: dict[Any, tuple[Array, bool]] = {start: (_initial_gradient(root, gradient), False)}
    waiting = [(-start.number, start)] if isinstance(start, Node) else []  # a heap
    while waiting:
        node = heappop(waiting)[1]
        dnode = arrived.pop(node)[0]
        if node.hooks is not None:
            dnode = _apply_hooks(root, node, dnode)
            _keep(node.hooks, dnode, retain_graph)
        if node.backward is None:
            raise _freed(node)
        dinputs = node.backward(dnode)
        if type(dinputs) is not tuple or len(dinputs) != len(node.inputs):
            _check_count(node, dinputs)
        for source, dsource in zip(node.inputs, dinputs):  # noqa: B905, they have been counted
            if source is None or dsource is None:
                continue
            place: Any = source if isinstance(source, Node) else source.data
            try:
                fits = dsource.shape == place.shape and dsource.dtype is place.dtype
            except AttributeError:
                raise _no_array(node, dsource) from None
            if not fits:
                _check_fit(node, dinputs, source, dsource)
            if source in arrived:
                arrived[source] = _sum(*arrived[source], dsource), True
                continue
            if type(dsource) is At:
                arrived[source] = dsource.whole(), True
            else:
                arrived[source] = dsource, node.hands_over and dsource is not dnode
            if isinstance(source, Node):
                heappush(waiting, (-source.number, source))
        if not retain_graph:
            node.backward, node.inputs = None, ()  # and with it the arrays that the rule has kept
    for leaf in list(arrived):  # the nodes are gone from it
        dleaf, fresh = arrived.pop(leaf)
        if leaf.hooks is not None:
            dleaf, fresh = _apply_hooks(root, leaf, dleaf), False
        _accumulate(leaf, dleaf, fresh)


def _sum(held: Array, fresh: bool, gradient: Array | At) -> Array:
    """held + gradient, in held itself if that is fresh."""
    in_place = fresh and owns_memory(held)
    if isinstance(gradient, At):
        total = held if in_place else np.array(held)
        total[gradient.index] += gradient.values
        return total
    return np.add(held, gradient, held if in_place else like(held))


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


def _freed(node: Node) -> RuntimeError:
    return RuntimeError(
        f"backward: the graph through '{node.op}' was freed by an earlier backward(); "
        "pass retain_graph=True to that one to walk it twice"
    )


def _check_count(node: Node, dinputs: Any) -> None:
    """One gradient more may be None: that of an optional input which the call left out."""
    if not isinstance(dinputs, tuple | list):
        raise RuntimeError(
            f"{node.op}: backward returned {type(dinputs).__name__}, expected a tuple of arrays; "
            "is a comma missing, or the return?"
        )
    count = len(node.inputs)
    if len(dinputs) < count or any(dx is not None for dx in dinputs[count:]):
        raise RuntimeError(
            f"{node.op}: backward returned {len(dinputs)} gradients for {count} inputs"
        )


def _no_array(node: Node, dx: Any) -> RuntimeError:
    return RuntimeError(
        f"{node.op}: backward returned {type(dx).__name__} for an input, expected an array"
    )


def _check_fit(node: Node, dinputs: tuple[Gradient, ...], x: Edge, dx: Array | At) -> None:
    """A gradient has its input's shape and dtype."""
    if dx.shape == x.shape and dx.dtype == x.dtype:
        return
    pairs = enumerate(zip(node.inputs, dinputs, strict=False))
    i = next(i for i, (source, dsource) in pairs if source is x and dsource is dx)
    raise RuntimeError(
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


def _keep(hooks: Hooks, gradient: Array, retain_graph: bool) -> None:
    """Give the gradient to the tensor that asked for it by `retain_grad()`."""
    if hooks.keeper is not None:
        _accumulate(hooks.keeper, gradient, fresh=False)
        if not retain_graph:
            hooks.keeper = None  # it holds the node, which holds the hooks


def _accumulate(variable: Variable, gradient: Array, fresh: bool) -> None:
    """Add to `.grad`; the first time by a copy, unless the gradient is ours alone to give."""
    with adding:
        held = variable.grad
        if held is not None:
            gradient = held.data + gradient
        elif not (fresh and owns_memory(gradient)):
            gradient = np.array(gradient)
        variable.grad = variable.new_tensor(gradient)
