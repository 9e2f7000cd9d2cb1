"""The ladder: from one linear layer up to the language model, each rung in both engines.

Start reading here. On every rung the same few lines run: build the same module twice, copy the
weights, and compare outputs and all gradients, under a random cotangent (and cross-entropy where
there are targets), at inputs of ordinary and of small scale. Sizes are pairwise distinct, so that
no swapped axis can pass: B=2, T=7, C=12, H=3, K=4, F=20, V=11.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crosscheck import Batch, compare

B, T, C, H, F, V = 2, 7, 12, 3, 20, 11


def function(engine: Any, forward: Any) -> Any:
    """A module without parameters around a function of PyTorch's dialect."""

    class Function(engine.nn.Module):
        def forward(self, x: Any) -> Any:
            return forward(x)

    return Function()


def stack(engine: Any) -> Any:
    blocks = [engine.models.TransformerBlock(C, H, F, norm_first=i > 1) for i in range(3)]
    return engine.nn.Sequential(*blocks)


RUNGS: dict[str, Any] = {
    "linear": lambda e: e.nn.Linear(C, F),
    "linear without bias": lambda e: e.nn.Linear(C, F, bias=False),
    "softmax": lambda e: function(e, lambda x: e.functional.softmax(x, dim=-1)),
    "log softmax": lambda e: function(e, lambda x: e.functional.log_softmax(x, dim=-1)),
    "layer norm": lambda e: e.nn.LayerNorm(C),
    "relu": lambda e: e.nn.ReLU(),
    "gelu": lambda e: e.nn.GELU(),
    "gelu, tanh": lambda e: e.nn.GELU(approximate="tanh"),
    "attention, one op": lambda e: function(
        e, lambda x: e.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    ),
    "attention": lambda e: e.models.MultiheadSelfAttention(C, H),
    "attention, fused": lambda e: e.models.MultiheadSelfAttention(C, H, fused=True),
    "feed-forward": lambda e: e.nn.Sequential(e.nn.Linear(C, F), e.nn.GELU(), e.nn.Linear(F, C)),
    "sinusoidal positions": lambda e: e.models.SinusoidalPositionalEncoding(C, T + 1),
    "learned positions": lambda e: e.models.LearnedPositionalEncoding(C, T),
    "block": lambda e: e.models.TransformerBlock(C, H, F),
    "stack": stack,
}


@pytest.mark.parametrize("scale", [1.0, 0.02])
@pytest.mark.parametrize("rung", RUNGS)
def test_rung(rung: str, scale: float, make_pair: Any) -> None:
    x = scale * np.random.default_rng(1).standard_normal((B, T, C))
    report = compare(*make_pair(RUNGS[rung]), Batch(x.astype(np.float32)))
    assert report.agrees, str(report)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("norm", ["post", "pre", "none"])
def test_block_in_every_wiring(norm: str, residual: bool, activation: str, make_pair: Any) -> None:
    models = make_pair(
        lambda e: e.models.TransformerBlock(
            C, H, F, activation=activation, norm_first=norm == "pre", norm=norm != "none",
            residual=residual,
        )
    )  # fmt: skip
    x = np.random.default_rng(1).standard_normal((B, T, C)).astype(np.float32)
    report = compare(*models, Batch(x))
    assert report.agrees, str(report)


def masks() -> dict[str, dict[str, Any]]:
    generator = np.random.default_rng(2)
    future = np.triu(np.ones((T, T), dtype=bool), 1)
    padding = np.zeros((B, T), dtype=bool)
    padding[1, -3:] = True
    return {
        "causal": {"is_causal": True},
        "bool": {"src_mask": future},
        "float": {"src_mask": generator.standard_normal((T, T)).astype(np.float32)},
        "padding": {"src_key_padding_mask": padding},
        "causal and padding": {"is_causal": True, "src_key_padding_mask": padding},
        "nowhere": {"src_mask": future | (np.arange(T) == 2)[:, None]},
    }


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("mask", masks())
def test_block_under_every_mask(mask: str, fused: bool, make_pair: Any) -> None:
    models = make_pair(lambda e: e.models.TransformerBlock(C, H, F, fused=fused))
    x = np.random.default_rng(1).standard_normal((B, T, C)).astype(np.float32)
    report = compare(*models, Batch(x, options=masks()[mask]))
    assert report.agrees, str(report)


@pytest.mark.parametrize("tie_weights", [False, True])
@pytest.mark.parametrize("position", ["sinusoidal", "learned"])
@pytest.mark.parametrize("norm", ["post", "pre", "none"])
def test_language_model(norm: str, position: str, tie_weights: bool, make_pair: Any) -> None:
    models = make_pair(
        lambda e: e.models.TransformerLanguageModel(
            V, T + 1, C, H, 2, F, norm_first=norm == "pre", norm=norm != "none",
            position=position, tie_weights=tie_weights,
        )
    )  # fmt: skip
    generator = np.random.default_rng(1)
    tokens, targets = generator.integers(0, V, (2, B, T))
    report = compare(*models, Batch(tokens, targets))
    assert [comparison.loss for comparison in report.comparisons] == [
        "cross-entropy",
        "random cotangent",
    ]
    assert report.agrees, str(report)
