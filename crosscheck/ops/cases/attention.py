"""Cases of attention, in one op and in one op for all heads."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.draws import Stream, draws
from crosscheck.ops.case import OpCase, plain_cases
from crosscheck.sides import NUMPY
from tinygrad_tf.ops.multi_head_attention import multi_head_attention as all_heads

OP = "scaled_dot_product_attention"
B, H, T, S, K, KV = 2, 3, 5, 7, 4, 6
QKV = ((B, H, T, K), (B, H, S, K), (B, H, S, KV))
SQUARE = ((B, H, T, K), (B, H, T, K), (B, H, T, KV))

MAY = np.arange(T * S).reshape(T, S) * 5 % 7 < 4  # True: the query may attend; each may somewhere
NOWHERE = MAY & (np.arange(T) != 2)[:, None]  # the third query may attend nowhere
PADDING = (np.arange(S) < np.array([S, S - 2])[:, None])[:, None, None, :]  # (B, 1, 1, S)
DROPPED = 0.25


def _attention(mask: Any = None, **options: Any) -> Any:
    def use(e: Any, q: Any, k: Any, v: Any) -> Any:
        given = None if mask is None else e.tensor(mask)
        if given is not None and mask.dtype.kind == "f":
            given = given.to(q)
        return e.functional.scaled_dot_product_attention(q, k, v, given, **options)

    return use


def _float_mask(e: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    return e.functional.scaled_dot_product_attention(q, k, v, mask)


def _dropout(e: Any, q: Any, k: Any, v: Any) -> Any:
    """Drop the same probabilities on both sides: PyTorch cannot draw what our generator draws."""
    generator = draws(Stream.DROPOUT, 1)
    if e is NUMPY:
        return e.functional.scaled_dot_product_attention(
            q, k, v, dropout_p=DROPPED, generator=generator
        )
    probs = e.functional.softmax(q @ k.transpose(-1, -2) / K**0.5, dim=-1)
    keep = (generator.random(tuple(probs.shape)) >= DROPPED) / (1 - DROPPED)
    return probs * e.tensor(keep).to(q) @ v


def _heads(num_heads: int, is_causal: bool) -> Any:
    """PyTorch has no op for it, but those that it is made of."""

    def use(e: Any, x: Any) -> Any:
        if e is NUMPY:
            return all_heads(x, num_heads=num_heads, is_causal=is_causal)
        split = x.unflatten(2, (3, num_heads, -1)).permute(2, 0, 3, 1, 4)
        context = e.functional.scaled_dot_product_attention(*split.unbind(0), is_causal=is_causal)
        return context.transpose(1, 2).flatten(2)

    return use


CASES = (
    *plain_cases(
        OP,
        lambda e, x: e.functional.scaled_dot_product_attention(
            x, x * 2, x[:, :, :4], is_causal=True
        ),
    ),
    OpCase(OP, "T differs from S", _attention(), QKV),
    OpCase(OP, "causal", _attention(is_causal=True), SQUARE),
    OpCase(OP, "causal, T differs from S", _attention(is_causal=True), QKV),
    OpCase(OP, "a scale", _attention(scale=0.3), QKV),
    OpCase(OP, "a bool mask", _attention(MAY), QKV),
    OpCase(OP, "a query that may attend nowhere", _attention(NOWHERE), QKV),
    OpCase(OP, "a padding mask", _attention(PADDING), QKV),
    OpCase(OP, "minus infinity", _attention(np.where(MAY, 0.0, -np.inf)), QKV),
    OpCase(OP, "-1e9 in whole rows", _attention(np.where(NOWHERE, 0.0, -1e9)), QKV, smooth=False),
    OpCase(OP, "a float mask", _float_mask, (*QKV, (T, S))),
    OpCase(OP, "a float mask of the heads", _float_mask, (*QKV, (H, 1, S))),
    OpCase(OP, "large scores", _attention(), QKV, scale=6.0, cancels=True),
    OpCase(OP, "two axes", _attention(), tuple(shape[2:] for shape in QKV)),
    OpCase(OP, "one input thrice", lambda e, x: _attention()(e, x, x, x), ((B, T, K),)),
    OpCase(OP, "dropout", _dropout, QKV),
    *plain_cases("multi_head_attention", _heads(2, is_causal=True)),
    OpCase("multi_head_attention", "three heads", _heads(3, is_causal=False), ((B, T, 18),)),
    OpCase("multi_head_attention", "one head", _heads(1, is_causal=False), ((B, T, 12),)),
)
