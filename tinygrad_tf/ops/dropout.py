"""Dropout: random values become zero, and the others are scaled up to keep the expectation.

The Transformer block runs it only while training with a dropout probability p > 0.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.machinery.options import generator_or_new


@differentiable
def dropout(
    x: Array, *, p: float, generator: np.random.Generator | None = None
) -> tuple[Array, Backward]:
    """Zero each value with probability p. out = x * keep, keep = 0 or 1 / (1 - p).

    x (...) -> out (...).   All randomness comes from `generator`; None stands for a new one.

    Backward. keep is a constant of this call, so the product rule has one term:
        dx = dout * keep,   with the keep that the forward pass drew, not with a new one.
    Fact: dx / dout equals out / x wherever both are defined.
    Source: Srivastava et al. (2014), JMLR 15, section 4; scaled at training time ("inverted").
    Mirrors: torch.nn.functional.dropout(training=True).
    """
    keep = keep_mask(x, p, generator)          # 1  (...)
    out = x * keep                             # 2  (...)

    def backward(dout: Array) -> Gradients:
        dx = dout * keep                       # 2
        return (dx,)

    return out, backward


def keep_mask(x: Array, p: float, generator: np.random.Generator | None) -> Array:
    """Return 0 with probability p, else 1 / (1 - p), drawn for each entry. Shape and dtype of x."""
    check_probability("dropout", p)
    generator = generator_or_new(generator)
    if p == 1.0:
        return np.zeros_like(x)
    kept: Array = (generator.random(x.shape) >= p).astype(x.dtype)
    return kept / (1.0 - p)


def check_probability(op: str, p: float) -> None:
    """Raise ValueError unless p is between 0 and 1."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{op}: p is {p}, expected a probability between 0 and 1")
