"""What scaled dot-product attention may have computed instead, forward and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from crosscheck.sides import Array

OP = "scaled_dot_product_attention"
NOT_TENSORS = ("dout", "constants", "options")


def tensors_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors among what an op was given, by name and in their order."""
    return {name: array for name, array in given.items() if name not in NOT_TENSORS}


@dataclass(frozen=True)
class Attention:
    """Attention without dropout, taken apart. q (..., T, K), k (..., S, K), v (..., S, Kv)."""

    q: Any
    k: Any
    v: Any
    mask: Any  # what is added to the scores (..., T, S)
    scale: float

    def scores(self, scale: float | None = None) -> Any:
        """The scores before the mask, (..., T, S)."""
        return self.q @ self.k.mT * (self.scale if scale is None else scale)

    def outputs(self) -> Iterator[tuple[str, Any]]:
        """What else the output may be. Those that need as many keys as queries come last."""
        scores, mask, causal = self.scores(), self.mask, _causal(self.scores())
        for words, scale in self._other_scales():
            yield words, _probs(self.scores(scale) + mask) @ self.v
        yield "scores without a scale, and causal", _probs(self.scores(1.0) + causal) @ self.v
        for words, other in (
            ("a causal mask that is not wanted", causal),
            ("no causal mask, nor any other", torch.zeros_like(causal)),
            ("a causal mask that hides each token from itself", _causal(scores, 0)),
        ):
            yield words, _probs(scores + other) @ self.v
        yield "a mask that is applied after the softmax", _probs(scores) * (mask == 0) @ self.v
        yield "the softmax over the queries, not the keys", _probs(scores + mask, -2) @ self.v
        yield "keys averaged, not values", _probs(scores + mask) @ self.k
        yield (
            "a causal mask that hides the past, not the future",
            _probs(scores + causal.mT) @ self.v,
        )
        yield "queries and keys exchanged", _probs(scores.mT + mask) @ self.v

    def _other_scales(self) -> Iterator[tuple[str, float]]:
        yield "scores without a scale", 1.0
        yield "scores times sqrt(K), not divided", 1 / self.scale
        yield "scores divided by K, not by sqrt(K)", self.scale**2
        for axis, size in enumerate(self.q.shape[:-1]):
            yield f"scores divided by the root of {size}, the size of axis {axis}", size**-0.5
        if self.q.ndim > 2:
            width = self.q.shape[-3] * self.q.shape[-1]
            yield "scores divided by sqrt(C), not by sqrt(K)", width**-0.5

    def gradients(self, argument: str, dout: Any, dropped: bool) -> Iterator[tuple[str, Any]]:
        """What else the gradient of an argument may be; what needs as many keys as queries last."""
        probs = _probs(self.scores() + self.mask)
        dprobs = dout @ self.v.mT
        weighted = dprobs * probs
        right = weighted - probs * weighted.sum(-1, keepdim=True)
        if argument == "dv":
            if dropped:
                yield "made with the probabilities before dropout", probs.mT @ dout
            yield "made with the scores, not with the probabilities", self.scores().mT @ dout
            yield "made with the probabilities where their transpose belongs", probs @ dout
            return
        if dropped:
            yield "as if nothing had been dropped", self._back(argument, right)
        for words, dscores in {
            "without the average that softmax's backward subtracts": weighted,
            "with an average that is not weighted by the probabilities": (
                weighted - probs * dprobs.mean(-1, keepdim=True)
            ),
            "with an average over the queries, not the keys": (
                weighted - probs * weighted.sum(-2, keepdim=True)
            ),
            "with only the diagonal of softmax's Jacobian": weighted * (1 - probs),
            "without the way back through the softmax": dprobs,
            "made with dscores where its transpose belongs": right.mT,
        }.items():
            yield words, self._back(argument, dscores)
        dprobs = dout @ self.k.mT
        weighted = dprobs * probs
        dscores = weighted - probs * weighted.sum(-1, keepdim=True)
        yield "made with the keys where the values belong", self._back(argument, dscores)

    def _back(self, argument: str, dscores: Any) -> Any:
        return (dscores @ self.k if argument == "dq" else dscores.mT @ self.q) * self.scale


def made(argument: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """Yield what each form makes of the op's arguments, after its words."""
    tensors = {name: torch.tensor(array) for name, array in tensors_of(given).items()}
    options = given.get("options", {})
    if not {"q", "k", "v"} <= tensors.keys():
        return  # one tensor stands for two of them
    q, k, v = tensors["q"], tensors["k"], tensors["v"]
    scale = options.get("scale")
    attention = Attention(
        q, k, v, _added(tensors, options, q @ k.mT), q.shape[-1] ** -0.5 if scale is None else scale
    )
    forms = attention.outputs()
    if argument in ("dq", "dk", "dv"):
        dropped = bool(options.get("dropout_p"))
        forms = attention.gradients(argument, torch.tensor(given["dout"]), dropped)
    elif argument != "out":
        return
    try:
        for words, tensor in forms:
            yield words, tensor.numpy()
    except (RuntimeError, ValueError):
        return  # the shapes do not fit: T is not S, or the heads are broadcast


def _added(tensors: Mapping[str, Any], options: Mapping[str, Any], scores: Any) -> Any:
    """Return the mask as what is added to the scores."""
    if options.get("is_causal"):
        return _causal(scores)
    mask = tensors.get("mask")
    if mask is None:
        return torch.zeros_like(scores)
    return torch.where(mask, 0.0, -torch.inf).to(scores) if mask.dtype == torch.bool else mask


def _causal(scores: Any, diagonal: int = 1) -> Any:
    """Return what a causal mask adds to the scores: -inf from this diagonal on. Shape (T, S)."""
    hidden = torch.ones(scores.shape[-2:]).triu(diagonal) > 0
    return torch.zeros(scores.shape[-2:]).to(scores).masked_fill(hidden, -torch.inf)


def _probs(scores: Any, axis: int = -1) -> Any:
    """The softmax of the scores; a query that may attend nowhere gets zeros."""
    return torch.nan_to_num(scores.softmax(axis), nan=0.0)
