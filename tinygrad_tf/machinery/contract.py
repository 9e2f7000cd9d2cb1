"""What a backward pass may be given: the gradient that starts it, and what each rule returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_tf.graph import Array, Edge, Node, Variable
from tinygrad_tf.machinery import complaints

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor


class Fresh(tuple[Array | None, ...]):
    """Gradients in memory that nobody else holds: the walk may add to them in place.

    A rule returns a plain tuple, which promises nothing: it may return its dout, an array it has
    kept, or one array twice. Second forms return this.
    """

    __slots__ = ()


def initial_gradient(root: Variable, gradient: Tensor | None) -> Array:
    """Return dL/d(root) as the caller gave it, or 1 for a scalar; `Tensor.backward` says more."""
    if not root.requires_grad:
        raise complaints.no_graph()
    if gradient is None:
        if root.data.size != 1:
            raise complaints.not_a_scalar(root)
        return np.ones_like(root.data)
    if not isinstance(gradient, Variable):
        raise TypeError(f"backward: gradient is {type(gradient).__name__}, expected a Tensor")
    if gradient.data.shape != root.data.shape or gradient.data.dtype != root.data.dtype:
        raise complaints.wrong_gradient(root, gradient)
    return gradient.data


def send_back(node: Node, dout: Array) -> list[tuple[Edge, Array, bool]]:
    """Run the backward of a node. Return where to, what, and whether nobody else holds it.

    Places where no gradient is wanted, and inputs without one, are left out. Raises RuntimeError if
    the graph was freed, or if the rule returned anything but one fitting array for each input.
    """
    if node.backward is None:
        raise complaints.freed(node)
    dinputs = node.backward(dout if type(dout) is np.ndarray else np.asarray(dout))
    is_fresh = type(dinputs) is Fresh
    if not (is_fresh or type(dinputs) is tuple) or len(dinputs) != len(node.inputs):
        _check_count(node, dinputs)
    sent = []
    for source, dsource in zip(node.inputs, dinputs):  # noqa: B905, they have been counted
        if source is None or dsource is None:
            continue
        place = source if type(source) is Node else source.data
        try:
            fits = dsource.shape == place.shape and dsource.dtype is place.dtype
        except AttributeError:
            raise complaints.no_array(node, dsource) from None
        if not fits and (dsource.shape != place.shape or dsource.dtype != place.dtype):
            raise complaints.misfit(node, dinputs, source, dsource)
        sent.append((source, dsource, is_fresh))
    return sent


def _check_count(node: Node, dinputs: Any) -> None:
    """Raise unless there is a gradient for each input, and None for optional ones left out."""
    if not isinstance(dinputs, tuple | list):
        raise complaints.no_tuple(node, dinputs)
    count = len(node.inputs)
    if len(dinputs) < count or any(dx is not None for dx in dinputs[count:]):
        raise complaints.wrong_count(node, len(dinputs))
