"""Rules that choose between entries. An entry that was not chosen gets no gradient.

The Transformer block runs `masked_fill` when its written-out attention has a mask, and `triu` when
this mask is causal. It is causal in the language model.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.inputs import promotes
from tinygrad_tf.ops.sum_to import sum_to


@differentiable
@promotes(first=1)
def where(condition: Array, x: Array, y: Array) -> tuple[Array, Backward]:
    """out = x where the condition is True, else y; all three broadcast.

    Backward. dout goes to the input that was chosen, and zero goes to the other. A NaN that was not
    chosen does not reach the output, and its gradient is zero; but the rule that computed the NaN
    multiplies this zero by its slope, and 0 * NaN is NaN.   Mirrors: torch.where.
    """
    if condition.dtype != bool:
        raise ValueError(f"where: condition is {condition.dtype}, expected bool")
    out = np.where(condition, x, y)

    def backward(dout: Array) -> Gradients:
        dx = np.where(condition, dout, 0).astype(dout.dtype, copy=False)
        dy = np.where(condition, 0, dout).astype(dout.dtype, copy=False)
        return None, sum_to(dx, x.shape), sum_to(dy, y.shape)

    return out, backward


@differentiable
def masked_fill(x: Array, mask: Array, *, value: float) -> tuple[Array, Backward]:
    """out = value where the mask is True, else x.

    Backward. A filled entry does not depend on x, so dx is dout with 0 at the filled entries.
    Mirrors: torch.Tensor.masked_fill.
    """
    if mask.dtype != bool:
        raise ValueError(f"masked_fill: mask is {mask.dtype}, expected bool (True = fill)")
    if not isinstance(value, int | float):
        raise TypeError(f"masked_fill: value is {type(value).__name__}, expected a number")
    out = np.where(mask, np.asarray(value, dtype=x.dtype), x)

    def backward(dout: Array) -> Gradients:
        return (sum_to(np.where(mask, np.zeros((), dout.dtype), dout), x.shape), None)

    return out, backward


@differentiable
def tril(x: Array, *, diagonal: int = 0) -> tuple[Array, Backward]:
    """Keep the lower triangle of the last two axes, up to the given diagonal; zero the rest.

    Backward. dx is the same triangle of dout.   Mirrors: torch.tril.
    """
    _check_matrix("tril", x)
    out = np.tril(x, diagonal)

    def backward(dout: Array) -> Gradients:
        return (np.tril(dout, diagonal),)

    return out, backward


@differentiable
def triu(x: Array, *, diagonal: int = 0) -> tuple[Array, Backward]:
    """Keep the upper triangle of the last two axes, from the given diagonal on; zero the rest.

    Backward. dx is the same triangle of dout.   Mirrors: torch.triu.
    """
    _check_matrix("triu", x)
    out = np.triu(x, diagonal)

    def backward(dout: Array) -> Gradients:
        return (np.triu(dout, diagonal),)

    return out, backward


def _check_matrix(op: str, x: Array) -> None:
    if x.ndim < 2:
        raise ValueError(f"{op}: x has shape {x.shape}, expected two axes at least")
