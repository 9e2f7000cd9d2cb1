"""Cross-entropy: how surprised the predicted distribution is by the right token.

The Transformer block does not run it: it is the loss of the language model.
"""

from __future__ import annotations

import numpy as np

from tinygrad_tf.autograd import differentiable
from tinygrad_tf.graph import Array, Backward, Gradients
from tinygrad_tf.ops.softmax import log_softmax


@differentiable
def cross_entropy(
    logits: Array,
    targets: Array,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[Array, Backward]:
    """Measure the mean surprise in nats. loss[n] = -sum_v goal[n, v] * log_softmax(logits)[n, v].

    logits (N, V), targets (N,) integers in [0, V) -> () for "mean" and "sum", (N,) for "none".
    goal is one-hot at the target; label smoothing mixes it with the uniform distribution 1 / V. A
    row whose target is ignore_index has loss 0 and is not counted by the mean.

    Backward. Let s = log_softmax(logits). Then dlogits = ds - probs * sum(ds), by the rule of
    log_softmax, and ds = -goal * dloss. The goal sums to 1, so the two terms become one product:
        dlogits[n] = (probs[n] - goal[n]) * dloss[n],
    prediction minus truth. For the mean, dloss[n] = dout / (number of rows that count). This number
    is easy to get wrong: for a language model it is B * T.
    Fact: each row of dlogits sums to 0.
    Source: Goodfellow, Bengio, Courville (2016), Deep Learning, section 6.2.2.3; label smoothing:
    Szegedy et al. (2016), arXiv:1512.00567, section 7.
    Mirrors: torch.nn.functional.cross_entropy.
    """
    _check(logits, targets, ignore_index, label_smoothing, reduction)
    counts = targets != ignore_index                                           #    (N,) bool
    rows = np.flatnonzero(counts)
    goal = np.full_like(logits, label_smoothing / max(logits.shape[-1], 1))    # 1  (N, V)
    goal[rows, targets[rows]] += 1.0 - label_smoothing
    log_probs, _ = log_softmax.rule(logits, dim=-1)                            # 2  (N, V)
    # An impossible token that is not the goal costs nothing, but 0 * -inf would be NaN.
    losses = -(goal * np.where(goal > 0, log_probs, 0)).sum(axis=-1) * counts  # 3  (N,)
    out = _reduce(losses, len(rows), reduction)                                # 4  () or (N,)

    def backward(dout: Array) -> Gradients:
        share = dout / max(len(rows), 1) if reduction == "mean" else dout  # 4  mean(losses)
        dlosses = np.broadcast_to(share, losses.shape) * counts            # 3  ... * counts
        dlogits = (np.exp(log_probs) - goal) * dlosses[:, None]            # 3  -(goal * log_probs)
                                                                           # 2  log_softmax(logits)
        return dlogits, None

    return out, backward


def _reduce(losses: Array, count: int, reduction: str) -> Array:
    if reduction == "none":
        return losses
    total: Array = losses.sum()
    if reduction == "sum":
        return total
    # The mean of no losses is 0 / 0 = NaN, as in PyTorch. This form gives no warning.
    return total / count if count else np.full_like(total, np.nan)


def _check(
    logits: Array, targets: Array, ignore_index: int, label_smoothing: float, reduction: str
) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"cross_entropy: reduction is {reduction!r}, expected mean, sum or none")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}, expected 0 to 1")
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ValueError(
            f"cross_entropy: logits have shape {logits.shape}, targets {targets.shape}; expected "
            "(N, V) and (N,): flatten batch and tokens into one axis"
        )
    if targets.dtype.kind not in "iu":
        raise ValueError(f"cross_entropy: targets are {targets.dtype}, expected class numbers")
    real = targets[targets != ignore_index]
    if real.size and (real.min() < 0 or real.max() >= logits.shape[1]):
        worst = real.min() if real.min() < 0 else real.max()
        raise ValueError(
            f"cross_entropy: target {worst} is outside the {logits.shape[1]} classes of logits "
            f"{logits.shape} (ignore_index is {ignore_index})"
        )
