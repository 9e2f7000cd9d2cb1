"""What a backward pass may be given: the gradient that starts it, and what each rule returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_tf.graph import Array, Edge, Node, Variable
from tinygrad_tf.machinery.complaints import complaint

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
        raise complaint(
            RuntimeError,
            "backward",
            "this tensor does not require grad: none of its inputs has "
            "requires_grad=True, or it was computed under no_grad()",
        )
    if gradient is None:
        if root.data.size != 1:
            raise complaint(
                ValueError,
                "backward",
                f"the tensor has shape {root.data.shape}, not one element; pass "
                "gradient=, dL/d(tensor) of that shape, or reduce it to a loss first",
            )
        return np.ones_like(root.data)
    if not isinstance(gradient, Variable):
        raise complaint(
            TypeError, "backward", f"gradient is {type(gradient).__name__}, expected a Tensor"
        )
    if gradient.data.shape != root.data.shape or gradient.data.dtype != root.data.dtype:
        raise complaint(
            ValueError,
            "backward",
            f"gradient is {gradient.data.shape} {gradient.data.dtype}, expected "
            f"{root.data.shape} {root.data.dtype}, like the tensor",
        )
    return gradient.data


def send_back(node: Node, dout: Array) -> list[tuple[Edge, Array, bool]]:
    """Run the backward of a node.

    For each input that wants a gradient, return where it goes, the array, and whether nobody else
    holds that array.
    Places where no gradient is wanted, and inputs without one, are left out. Raises RuntimeError if
    the graph was freed, or if the rule returned anything but one fitting array for each input.
    """
    if node.backward is None:
        raise complaint(
            RuntimeError,
            "backward",
            f"the graph through '{node.op}' was freed by an earlier backward(); "
            "pass retain_graph=True to that one to walk it twice",
        )
    dinputs = node.backward(dout if type(dout) is np.ndarray else np.asarray(dout))
    is_fresh = type(dinputs) is Fresh
    if not (is_fresh or type(dinputs) is tuple) or len(dinputs) != len(node.inputs):
        _check_count(node, dinputs)
    sent: list[tuple[Edge, Array, bool]] = []
    for source, dsource in zip(node.inputs, dinputs):  # noqa: B905, they have been counted
        if source is None or dsource is None:
            continue
        place: Any = source if type(source) is Node else source._array  # type: ignore[union-attr]
        try:
            fits = dsource.shape == place.shape and dsource.dtype is place.dtype
        except AttributeError:
            raise complaint(
                RuntimeError,
                node.op,
                f"backward returned {type(dsource).__name__} for an input, expected an array",
            ) from None
        if not fits:
            _check_fit(node, dinputs, source, place, dsource)
        sent.append((source, dsource, is_fresh))
    return sent


def _check_count(node: Node, dinputs: Any) -> None:
    """Raise unless there is a gradient for each input, and None for optional ones left out."""
    if not isinstance(dinputs, tuple | list):
        raise complaint(
            RuntimeError,
            node.op,
            f"backward returned {type(dinputs).__name__}, expected a tuple of arrays; "
            "is a comma missing, or the return?",
        )
    count = len(node.inputs)
    if len(dinputs) < count or any(dx is not None for dx in dinputs[count:]):
        raise complaint(
            RuntimeError, node.op, f"backward returned {len(dinputs)} gradients for {count} inputs"
        )


def _check_fit(node: Node, dinputs: Any, source: Edge, place: Any, dsource: Array) -> None:
    """Raise unless a gradient has its input's shape and dtype."""
    if dsource.shape != place.shape or dsource.dtype != place.dtype:
        i = next(i for i, x in enumerate(node.inputs) if x is source and dinputs[i] is dsource)
        cause = "is a sum_to missing?"
        if dsource.shape == place.shape:
            cause = "is there a number of another precision among its factors?"
        raise complaint(
            RuntimeError,
            node.op,
            f"backward returned {dsource.shape} {dsource.dtype} for input {i}, "
            f"which is {place.shape} {place.dtype}; {cause}",
        )
