"""The ladder of comparisons climbs from one linear layer to the language model.

Read this after `test_facts.py`, to see how a gradient is proved right.
Every test takes four steps:

    build      the same module twice: `ours` in tinygrad_tf, and `theirs` in PyTorch
    randomize  every parameter of `theirs`, so that no zero or one can hide a bug
    copy       these weights to `ours`; the names are the same in both engines
    compare    the output, the gradient of the input, and the gradient of every parameter

`compare` multiplies the output by random numbers (a random cotangent), adds the products up, and
calls `backward` on the sum. If the batch has targets, another pass starts from the cross-entropy.
Both models run in float64, which gives the verdict, and in float32, where `compare` judges the
rounding errors. `crosscheck/comparison.py` shows how.

The sizes differ from one another, so that no swapped axis can pass: B=2 sequences, T=7 tokens,
C=12 channels, H=3 heads of K=4 channels, F=20 hidden channels, V=11 words.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck import Batch, compare, copy_weights, randomize

B, T, C, H, F, V = 2, 7, 12, 3, 20, 11

# Every entry is exact in float32, so both precisions start from the same numbers.
X = np.random.default_rng(1).standard_normal((B, T, C)).astype(np.float32)


class Engine(NamedTuple):
    """One side of the comparison: the two packages from which a rung is built."""

    nn: Any  # the layers, and in nn.functional the functions
    models: Any  # the Transformer block and its parts


NUMPY = Engine(tinygrad_tf.nn, tinygrad_tf.transformer)
TORCH = Engine(torch.nn, torch_impl)


def module_of(engine: Engine, function: Any) -> Any:
    """Return a module without parameters that computes function(x)."""

    class Function(engine.nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    return Function()


def softmax(engine: Engine) -> Any:
    return module_of(engine, lambda x: engine.nn.functional.softmax(x, dim=-1))


def log_softmax(engine: Engine) -> Any:
    return module_of(engine, lambda x: engine.nn.functional.log_softmax(x, dim=-1))


def attention_op(engine: Engine) -> Any:
    attend = engine.nn.functional.scaled_dot_product_attention
    return module_of(engine, lambda x: attend(x, x, x, is_causal=True))


def feed_forward(engine: Engine) -> Any:
    nn = engine.nn
    return nn.Sequential(nn.Linear(C, F), nn.GELU(), nn.Linear(F, C))


def stack(engine: Engine) -> Any:
    """Return two post-norm blocks and a pre-norm block, one after the other."""
    blocks = [engine.models.TransformerBlock(C, H, F, norm_first=i > 1) for i in range(3)]
    return engine.nn.Sequential(*blocks)


# Each function here builds a module from the packages of one engine.
RUNGS: dict[str, Any] = {
    "linear": lambda engine: engine.nn.Linear(C, F),
    "linear without bias": lambda engine: engine.nn.Linear(C, F, bias=False),
    "softmax": softmax,
    "log softmax": log_softmax,
    "layer norm": lambda engine: engine.nn.LayerNorm(C),
    "relu": lambda engine: engine.nn.ReLU(),
    "gelu": lambda engine: engine.nn.GELU(),
    "gelu, tanh": lambda engine: engine.nn.GELU(approximate="tanh"),
    "attention, one op": attention_op,
    "attention": lambda engine: engine.models.MultiheadSelfAttention(C, H),
    "attention, fused": lambda engine: engine.models.MultiheadSelfAttention(C, H, fused=True),
    "feed-forward": feed_forward,
    "sinusoidal positions": lambda engine: engine.models.SinusoidalPositionalEncoding(C, T + 1),
    "learned positions": lambda engine: engine.models.LearnedPositionalEncoding(C, T),
    "block": lambda engine: engine.models.TransformerBlock(C, H, F),
    "stack": stack,
}


@pytest.mark.parametrize("scale", [1.0, 0.02])
@pytest.mark.parametrize("rung", RUNGS)
def test_rung(rung: str, scale: float) -> None:
    build = RUNGS[rung]
    ours, theirs = build(NUMPY), build(TORCH)
    randomize(theirs)
    copy_weights(theirs, ours)
    report = compare(ours, theirs, Batch(scale * X))
    assert report.agrees, str(report)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("norm", ["post", "pre", "none"])
def test_block_in_every_wiring(norm: str, residual: bool, activation: str) -> None:
    wiring = {"norm": norm != "none", "norm_first": norm == "pre", "residual": residual}
    ours = tinygrad_tf.transformer.TransformerBlock(C, H, F, activation=activation, **wiring)
    theirs = torch_impl.TransformerBlock(C, H, F, activation=activation, **wiring)
    randomize(theirs)
    copy_weights(theirs, ours)
    report = compare(ours, theirs, Batch(X))
    assert report.agrees, str(report)


# True in a bool mask keeps a query from attending to a key. A float mask is added to the scores.
FUTURE = np.triu(np.ones((T, T), dtype=bool), 1)
PADDING = np.zeros((B, T), dtype=bool)
PADDING[1, -3:] = True  # the second sequence is three tokens shorter
MASKS: dict[str, dict[str, Any]] = {
    "causal": {"is_causal": True},
    "bool": {"src_mask": FUTURE},
    "float": {"src_mask": np.random.default_rng(2).standard_normal((T, T)).astype(np.float32)},
    "padding": {"src_key_padding_mask": PADDING},
    "causal and padding": {"is_causal": True, "src_key_padding_mask": PADDING},
    "nowhere": {"src_mask": FUTURE | (np.arange(T) == 2)[:, None]},  # token 2 may attend to nothing
}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_block_under_every_mask(mask: str, fused: bool) -> None:
    ours = tinygrad_tf.transformer.TransformerBlock(C, H, F, fused=fused)
    theirs = torch_impl.TransformerBlock(C, H, F, fused=fused)
    randomize(theirs)
    copy_weights(theirs, ours)
    report = compare(ours, theirs, Batch(X, options=MASKS[mask]))
    assert report.agrees, str(report)


@pytest.mark.parametrize("tie_weights", [False, True])
@pytest.mark.parametrize("position", ["sinusoidal", "learned"])
@pytest.mark.parametrize("norm", ["post", "pre", "none"])
def test_language_model(norm: str, position: str, tie_weights: bool) -> None:
    sizes = (V, T + 1, C, H, 2, F)  # two blocks; the context is one token longer than needed
    wiring: dict[str, Any] = {
        "norm": norm != "none",
        "norm_first": norm == "pre",
        "position": position,
        "tie_weights": tie_weights,
    }
    ours = tinygrad_tf.transformer.TransformerLanguageModel(*sizes, **wiring)
    theirs = torch_impl.TransformerLanguageModel(*sizes, **wiring)
    randomize(theirs)
    copy_weights(theirs, ours)
    tokens, targets = np.random.default_rng(1).integers(0, V, (2, B, T))
    report = compare(ours, theirs, Batch(tokens, targets))
    losses = [comparison.loss for comparison in report.comparisons]
    assert losses == ["cross-entropy", "random cotangent"]
    assert report.agrees, str(report)
