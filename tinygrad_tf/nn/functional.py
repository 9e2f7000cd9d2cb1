"""PyTorch's functional spelling of the rules in `ops/`: the same names, arguments and order."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import true_or_false, whole
from tinygrad_tf.ops import dropout as _dropout
from tinygrad_tf.ops import gelu as _gelu
from tinygrad_tf.ops import layer_norm as _layer_norm
from tinygrad_tf.ops import softmax as _softmax
from tinygrad_tf.ops.attention import scaled_dot_product_attention as _attention
from tinygrad_tf.ops.cross_entropy import cross_entropy as _cross_entropy
from tinygrad_tf.ops.elementwise import sigmoid, tanh
from tinygrad_tf.ops.embedding import embedding
from tinygrad_tf.ops.linear import linear
from tinygrad_tf.ops.relu import relu
from tinygrad_tf.tensor import Tensor

__all__ = [
    "cross_entropy",
    "dropout",
    "embedding",
    "gelu",
    "layer_norm",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "scaled_dot_product_attention",
    "sigmoid",
    "softmax",
    "tanh",
]


@named
def softmax(input: Tensor, dim: int) -> Tensor:
    """Turn scores (...) into probabilities (...). Each line along dim sums to 1."""
    return _softmax.softmax(input, dim=dim)


@named
def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Turn scores (...) into log-probabilities (...) along dim."""
    return _softmax.log_softmax(input, dim=dim)


@named
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last axes, of sizes normalized_shape. weight and bias have that shape."""
    shape = tuple(map(operator.index, normalized_shape))
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(
            f"layer_norm: normalized_shape is {shape}, but the last axes of x {input.shape} differ"
        )
    if len(shape) == 1:
        return _layer_norm.layer_norm(input, weight, bias, eps=eps)
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None and array.shape != shape:
            raise ValueError(f"layer_norm: {name} has shape {array.shape}, expected {shape}")
    flat = [None if a is None else a.flatten() for a in (weight, bias)]
    joined = _layer_norm.layer_norm(input.flatten(-len(shape)), *flat, eps=eps)
    return joined.unflatten(-1, shape)


@named
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Apply the exact GELU, or GPT-2's form with approximate="tanh". (...) -> (...)."""
    if approximate == "none":
        return _gelu.gelu(input)
    if approximate == "tanh":
        return _gelu.gelu_tanh(input)
    raise ValueError(f"gelu: approximate is {approximate!r}, expected 'none' or 'tanh'")


@named
def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """While training, zero entries with probability p and scale up the others. (...) -> (...)."""
    _dropout.check_probability("dropout", p)
    if true_or_false("inplace", inplace):
        raise ValueError("dropout: inplace=True is not supported")
    if not training or p == 0.0:
        return input
    return _dropout.dropout(input, p=p, generator=generator)


@named
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Let each query take a weighted average of the values.

    query (..., T, K), key (..., S, K), value (..., S, Kv), attn_mask (..., T, S) -> (..., T, Kv).
    In a bool mask True means *may attend*; a float mask is added to the scores.
    """
    return _attention(
        query,
        key,
        value,
        attn_mask,
        is_causal=true_or_false("is_causal", is_causal),
        scale=scale,
        dropout_p=dropout_p,
        generator=generator,
    )


@named
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy in nats.

    input (N, V) and target (N,), or (N, V, ...) and (N, ...), or (V,) and (). weight, a number for
    each class, is not supported.
    """
    if weight is not None:
        raise ValueError("cross_entropy: a weight for each class is not supported")
    logits, ids = input, target  # (N, V), (N,)
    if input.ndim != 2:
        classes = 0 if input.ndim == 1 else 1
        others = [axis for axis in range(input.ndim) if axis != classes]
        logits = input.permute(*others, classes).reshape(-1, input.shape[classes])
        if target.shape != tuple(input.shape[axis] for axis in others):
            raise ValueError(
                f"cross_entropy: target {target.shape} does not fit input {input.shape}, whose "
                f"axis {classes} is the classes"
            )
        ids = target.reshape(-1)
    loss = _cross_entropy(
        logits,
        ids,
        ignore_index=whole("ignore_index", ignore_index),
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
    return loss.reshape(target.shape) if reduction == "none" else loss


@named
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the mean or the sum of the squared differences, or all of them. Both are (...)."""
    if input.shape != target.shape:
        raise ValueError(
            f"mse_loss: input {input.shape} and target {target.shape} differ in shape; "
            "broadcasting would compare an entry with several"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"mse_loss: reduction is {reduction!r}, expected mean, sum or none")
    squares = (input - target) ** 2
    if not squares.is_floating_point():
        raise TypeError(f"mse_loss: input is {input.dtype}, expected floats")
    return squares if reduction == "none" else getattr(squares, reduction)()
