"""Reverse-mode differentiation: a rule becomes an op, and gradients walk back through the graph.

`differentiable` is the way forward and `run_backward` is the way back. There is no derivative here:
those are in the rules. `machinery/` has what is checked, said and converted on the way.
"""

from __future__ import annotations

import functools
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinygrad_tf.graph import Array, Edge, Node, Variable
from tinygrad_tf.machinery.arrivals import add_to_grad, seen_by_hooks
from tinygrad_tf.machinery.contract import initial_gradient, send_back
from tinygrad_tf.machinery.forms import Op, Rule, compute
from tinygrad_tf.machinery.inputs import unwrap
from tinygrad_tf.machinery.modes import grad_enabled, listeners

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


def differentiable(rule: Rule) -> Op:
    """Lift a rule, which works on arrays, to an op, which works on tensors and builds the graph.

    rule(*arrays, **options) -> (out, backward), and backward(dout) -> a tuple with one gradient for
    each array, in the order of the arguments; None where there is no gradient (indices, masks). An
    input of the op may be a tensor, an array, a number (it takes the dtype of the tensors) or None.
    """
    name = rule.__name__

    @functools.wraps(rule)
    def op(*inputs: Any, **options: Any) -> Tensor:
        like, arrays, sources = unwrap(rule, inputs)
        out, backward = compute(rule, arrays, options, like.data.dtype)
        result: Tensor = like.new_tensor(out)
        if sources and grad_enabled.get():
            result.requires_grad = True
            result.node = Node(name, sources, backward, result.data)
        for listener in listeners.get():
            listener(lifted, inputs, options, result)
        return result

    lifted = cast(Op, op)
    lifted.rule = rule
    return lifted


def run_backward(root: Variable, gradient: Tensor | None, retain_graph: bool) -> None:
    """Add dL/d(leaf) to the `.grad` of every leaf. `Tensor.backward` says when this raises."""
    start = root.node or root
    # By place, the gradient that has arrived, and whether nobody else holds that array.
    arrived: dict[Edge, tuple[Array, bool]] = {start: (initial_gradient(root, gradient), False)}
    for node in newest_first(start):
        if node in arrived:
            dout = arrived.pop(node)[0]
            if node.hooks is not None:
                dout = seen_by_hooks(root, node.hooks, dout, retain_graph)
            for source, dsource, is_fresh in send_back(node, dout):
                if source in arrived:  # several paths lead here: what comes along each is added up
                    held, is_ours = arrived[source]
                    total = np.add(held, dsource, out=held if is_ours else None)
                    # np.add of two 0-d arrays returns a scalar.
                    arrived[source] = np.asarray(total), True
                else:
                    arrived[source] = dsource, is_fresh
            if not retain_graph:
                node.free()
    for leaf in list(arrived):
        add_to_grad(leaf, *arrived.pop(leaf))


def newest_first(start: Edge) -> list[Node]:
    """All nodes that `start` was computed from, itself included; the last made comes first.

    A node is made after its inputs. So when its turn comes, everything that used its result has
    sent its gradient, and their sum can be sent on, once.
    """
    found = {start} if isinstance(start, Node) else set()
    pending = list(found)
    while pending:
        for source in pending.pop().inputs:
            if type(source) is Node and source not in found:
                found.add(source)
                pending.append(source)
    return sorted(found, key=attrgetter("number"), reverse=True)
