"""Masks by the name and in the form that a forward takes, found by what an output depends on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck.brought.adapted import adapted
from crosscheck.brought.behaviour import output_of
from crosscheck.brought.masked import hidden_keys, hides, mask_options
from crosscheck.masks import padding

X = np.random.default_rng(5).standard_normal((3, 5, 4))


def attend(x: torch.Tensor, scores_of: Any) -> torch.Tensor:
    """One head without weights: (B, T, C) -> (B, T, C); scores_of hides what it likes."""
    scores = x @ x.transpose(1, 2) / math.sqrt(x.shape[-1])
    return x + torch.softmax(scores_of(scores), dim=-1) @ x


class TrueIsHidden(torch.nn.Module):
    def forward(self, x, attn_mask=None):
        return attend(x, lambda s: s if attn_mask is None else s.masked_fill(attn_mask, -math.inf))


class ZeroIsHidden(torch.nn.Module):
    """As the annotated Transformer has it: a mask (B, T, T)."""

    def forward(self, x, mask=None):
        if mask is not None:
            assert mask.ndim == 3
        return attend(x, lambda s: s if mask is None else s.masked_fill(mask == 0, -1e9))


class Added(torch.nn.Module):
    def forward(self, x, attention_mask=None):
        return attend(x, lambda s: s if attention_mask is None else s + attention_mask)


class Switched(torch.nn.Module):
    def forward(self, x, is_causal=False):
        later = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
        return attend(x, lambda s: s.masked_fill(later, -math.inf) if is_causal else s)


class OfKeys(torch.nn.Module):
    """As BERT has it: attention_mask (B, T), 1 where a token counts."""

    def forward(self, x, attention_mask=None):
        if attention_mask is None:
            return attend(x, lambda s: s)
        if attention_mask.dtype == torch.bool:
            raise TypeError("the mask must be integers")
        return attend(x, lambda s: s + (1.0 - attention_mask[:, None, :]) * -1e9)


class Blind(torch.nn.Module):
    """Takes a mask and does nothing with it."""

    def forward(self, x, mask=None):
        return attend(x, lambda s: s)


class OnQueries(torch.nn.Module):
    """Masks the wrong axis."""

    def forward(self, x, mask=None):
        return attend(x, lambda s: s if mask is None else s.masked_fill(mask, -1e9).transpose(1, 2))


def by_hand(x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    scores = np.where(hidden, -np.inf, x @ x.transpose(0, 2, 1) / 2.0)
    probs = np.exp(scores - scores.max(-1, keepdims=True))
    return x + probs / probs.sum(-1, keepdims=True) @ x


@pytest.mark.parametrize(
    ("model", "mask", "said"),
    [
        (TrueIsHidden(), "causal", r"attn_mask \(5, 5\), True where a key is hidden"),
        (TrueIsHidden(), "padding", r"attn_mask \(3, 5, 5\), True where a key is hidden"),
        (TrueIsHidden(), "both", r"attn_mask \(3, 5, 5\), True where a key is hidden"),
        (ZeroIsHidden(), "causal", r"mask \(3, 5, 5\), True where a key is seen"),
        (ZeroIsHidden(), "padding", r"mask \(3, 5, 5\), True where a key is seen"),
        (Added(), "causal", r"attention_mask \(5, 5\), added to the scores"),
        (Switched(), "causal", "is_causal=True"),
        (OfKeys(), "padding", r"attention_mask \(3, 5\), 1 where a key is seen"),
    ],
)
def test_the_form_is_found_that_hides_what_it_should(model: Any, mask: str, said: str) -> None:
    options, notes = mask_options(model, model.forward, mask, X, 1, "Block")
    (note,) = notes
    assert said.replace("\\", "") in note
    given = output_of(adapted(model, options=options), X, {}, "float64")
    np.testing.assert_allclose(given, by_hand(X, hidden_keys(mask, X.shape, 1)), rtol=1e-12)


def test_padding_hides_what_the_masks_say() -> None:
    assert np.array_equal(hidden_keys("padding", X.shape, 1)[:, 2], padding((3, 5), 1))


@pytest.mark.parametrize("model", [Blind(), OnQueries()])
def test_a_mask_that_does_not_hide_is_given_all_the_same_and_that_is_said(model: Any) -> None:
    options, (note,) = mask_options(model, model.forward, "causal", X, 0, "Block")
    assert list(options) == ["mask"]
    assert "and its outputs still depend on tokens that this hides" in note


def test_a_model_without_a_mask_is_said_to_hide_by_itself_or_not() -> None:
    plain, causal = Switched(), adapted(Switched(), options={"is_causal": True})
    forward = torch.nn.Linear(1, 1).forward
    assert mask_options(plain, forward, "causal", X, 0, "Block") == (
        {},
        ["Block takes no mask, and sees what --mask causal hides: it runs as it is"],
    )
    assert mask_options(causal, forward, "causal", X, 0, "Block") == (
        {},
        ["Block hides by itself what --mask causal hides"],
    )


@pytest.mark.parametrize(("mask", "expected"), [(None, {}), ("none", {"is_causal": False})])
def test_no_mask_passes_none(mask: str | None, expected: dict[str, Any]) -> None:
    assert mask_options(Switched(), Switched().forward, mask, X, 0, "Block") == (expected, [])


def test_a_float_mask_is_added() -> None:
    options, _ = mask_options(Added(), Added().forward, "float", X, 0, "Block")
    assert options["attention_mask"].shape == (5, 5)
    assert mask_options(Switched(), Switched().forward, "float", X, 0, "Block")[0] == {}


def test_a_model_that_mixes_no_tokens_hides_nothing() -> None:
    assert not hides(torch.nn.Linear(4, 4), {}, X, hidden_keys("causal", X.shape, 0))
