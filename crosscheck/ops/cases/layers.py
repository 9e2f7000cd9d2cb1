"""Cases of the ops that layers and the loss are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.draws import Stream, draws
from crosscheck.ops.case import B, C, OpCase, T, plain_cases
from crosscheck.sides import NUMPY, Array

ROWS = B * T
IDS = np.array([[3, 0, 3, 4], [1, 3, 3, 0]])
TARGETS = np.array([5, 0, 1, 1, 2, 4, 3, 5, 0, 2])  # one for each of the ROWS, of C classes
IGNORED = np.where(np.arange(ROWS) % 3 == 0, -100, TARGETS)  # four of the ROWS
ONE_LEFT = np.where(np.arange(ROWS) == 4, TARGETS, -100)
LOGITS = ((ROWS, C),)
AFFINE = ((B, T, C), (C,), (C,))


def _dropout(p: float) -> Any:
    """PyTorch cannot draw what our generator draws, so it gets the mask made of the same draws."""

    def use(e: Any, x: Any) -> Any:
        generator = draws(Stream.DROPOUT, 0)
        if e is NUMPY:
            return e.functional.dropout(x, p, generator=generator)
        kept = generator.random(tuple(x.shape)) >= p
        return x * e.tensor(kept / (1 - p) if p < 1 else kept * 0.0).to(x)

    return use


def _loss(targets: Array = TARGETS, **options: Any) -> Any:
    return lambda e, logits: e.functional.cross_entropy(logits, e.tensor(targets), **options)


def _linear(e: Any, x: Any, weight: Any, bias: Any) -> Any:
    return e.functional.linear(x, weight, bias)


def _norm(eps: float) -> Any:
    return lambda e, x, weight, bias: e.functional.layer_norm(x, (C,), weight, bias, eps)


def _unlike(x: Array) -> Array:
    """Tokens of unlike size: from 1e-3 to 1e3."""
    return x * 10.0 ** np.linspace(-3, 3, T)[:, None] if x.ndim == 3 else x


def _alike(x: Array) -> Array:
    """Channels that differ by little beside their mean."""
    return 10 + 1e-3 * x if x.ndim == 3 else x


def _equal(x: Array) -> Array:
    """Channels that are equal: the variance is zero, and eps alone is left."""
    return np.broadcast_to(x[..., :1], x.shape) if x.ndim == 3 else x


def _masked(x: Array) -> Array:
    """Two scores of each line are minus infinity."""
    x[..., 1::3] = -np.inf
    return x


CASES = (
    *plain_cases("linear", lambda e, x: e.functional.linear(x, x[0], x[1, :, 2])),
    OpCase("linear", "three inputs", _linear,
           ((B, T, C), (4, C), (4,))),
    OpCase("linear", "a square weight", lambda e, x, weight: e.functional.linear(x, weight),
           ((B, T, C), (C, C))),
    OpCase("linear", "one row", _linear,
           ((C,), (4, C), (4,))),
    OpCase("linear", "a matrix", _linear,
           ((T, C), (1, C), (1,))),
    OpCase("linear", "a flipped weight", lambda e, x, weight: e.functional.linear(x, weight.T),
           ((B, T, C), (C, 4))),
    *plain_cases(
        "layer_norm", lambda e, x: e.functional.layer_norm(x, (C,), x[0, 0], x[1, 4], 1e-3)
    ),
    OpCase("layer_norm", "three inputs", _norm(1e-5), AFFINE),
    OpCase("layer_norm", "a large eps", _norm(0.5), AFFINE),
    OpCase("layer_norm", "a small eps", _norm(1e-12), AFFINE),
    OpCase("layer_norm", "tokens of unlike size", _norm(1e-5), AFFINE, prepare=_unlike),
    OpCase("layer_norm", "a large mean", _norm(1e-5), AFFINE, prepare=_alike),
    OpCase("layer_norm", "equal channels", _norm(1e-5), AFFINE, prepare=_equal),
    OpCase("layer_norm", "no weight", lambda e, x: e.functional.layer_norm(x, (C,))),
    OpCase("layer_norm", "two axes",
           lambda e, x, weight, bias: e.functional.layer_norm(x, (T, C), weight, bias),
           ((B, T, C), (T, C), (T, C))),
    *plain_cases("softmax", lambda e, x: e.functional.softmax(x, dim=1)),
    OpCase("softmax", "the last axis", lambda e, x: e.functional.softmax(x, dim=-1)),
    OpCase("softmax", "the first axis", lambda e, x: e.functional.softmax(x, dim=0)),
    OpCase("softmax", "masked scores", lambda e, x: e.functional.softmax(x, -1), prepare=_masked,
           smooth=False),
    OpCase("softmax", "scores around 1e4", lambda e, x: e.functional.softmax(1e4 + x * 4, -1)),
    OpCase("softmax", "an input that is used again",
           lambda e, x: e.functional.softmax(x, dim=-1) * x),
    *plain_cases("log_softmax", lambda e, x: e.functional.log_softmax(x, dim=1)),
    OpCase("log_softmax", "the last axis", lambda e, x: e.functional.log_softmax(x, dim=-1)),
    OpCase("log_softmax", "scores around 1e4",
           lambda e, x: e.functional.log_softmax(1e4 + x * 4, -1)),
    *plain_cases(
        "cross_entropy",
        lambda e, x: e.functional.cross_entropy(x.flatten(0, 1), e.tensor(TARGETS)),
    ),
    OpCase("cross_entropy", "the sum", _loss(reduction="sum"), LOGITS),
    OpCase("cross_entropy", "no reduction", _loss(reduction="none"), LOGITS),
    OpCase("cross_entropy", "ignored targets", _loss(IGNORED), LOGITS),
    OpCase("cross_entropy", "ignored targets, no reduction", _loss(IGNORED, reduction="none"),
           LOGITS),
    OpCase("cross_entropy", "one target left", _loss(ONE_LEFT), LOGITS),
    OpCase("cross_entropy", "an index of one's own is ignored", _loss(ignore_index=1), LOGITS),
    OpCase("cross_entropy", "label smoothing", _loss(label_smoothing=0.1), LOGITS),
    OpCase("cross_entropy", "smoothing and ignored targets", _loss(IGNORED, label_smoothing=0.3),
           LOGITS),
    OpCase("cross_entropy", "smoothing, the sum", _loss(label_smoothing=0.3, reduction="sum"),
           LOGITS),
    OpCase("cross_entropy", "classes in the middle", _loss(TARGETS.reshape(B, T)), ((B, C, T),)),
    OpCase("cross_entropy", "one row", _loss(np.array(2)), ((C,),)),
    *plain_cases("embedding", lambda e, x: e.functional.embedding(e.tensor(IDS), x[0])),
    OpCase("embedding", "unused rows", lambda e, weight: e.functional.embedding(
        e.tensor(IDS), weight), ((9, C),)),
    OpCase("embedding", "one token everywhere", lambda e, weight: e.functional.embedding(
        e.tensor(IDS * 0 + 2), weight), ((5, C),)),
    OpCase("embedding", "one id", lambda e, weight: e.functional.embedding(
        e.tensor(IDS[0, 0]), weight), ((5, C),)),
    *plain_cases("dropout", _dropout(0.25)),
    OpCase("dropout", "p = 0.9", _dropout(0.9)),
    OpCase("dropout", "p = 1", _dropout(1.0), may_vanish=True),
)  # fmt: skip
