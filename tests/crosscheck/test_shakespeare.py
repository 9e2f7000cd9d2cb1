"""The smoke test: two blocks with embedding and head on Tiny Shakespeare, in both engines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.engines import ENGINES

import torch
from crosscheck import Batch, compare
from crosscheck.corpus import Corpus
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.runs import run
from crosscheck.sides import Dialect, side_of
from crosscheck.text import CharacterTokenizer, sample_batch, split


def batches(corpus: Corpus, count: int, context: int = 32) -> tuple[list[Batch], int]:
    tokenizer = CharacterTokenizer(corpus.text)
    training, _ = split(tokenizer.encode(corpus.text))
    generator = np.random.default_rng(0)
    pairs = [sample_batch(training, 4, context, generator) for _ in range(count)]
    return [Batch(*pair) for pair in pairs], tokenizer.vocab_size


def test_the_text_is_tiny_shakespeare(corpus: Corpus) -> None:
    if not corpus.complete:
        pytest.skip(f"the whole text is not here: {corpus.source}")
    assert len(corpus.text) == 1_115_394
    assert CharacterTokenizer(corpus.text).vocab_size == 65


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_the_first_loss_is_near_that_of_guessing(corpus: Corpus, norm: str) -> None:
    (batch,), vocab_size = batches(corpus, 1)
    models = build_language_models(ModelOptions(norm=norm), vocab_size, seed=0)
    losses = [run(model, batch, dtype="float64", loss="cross-entropy").loss for model in models]
    assert losses[0] == pytest.approx(losses[1], rel=1e-14)
    assert float(losses[0]) == pytest.approx(math.log(vocab_size), abs=0.1)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_every_gradient_agrees_at_the_initial_weights_too(corpus: Corpus, norm: str) -> None:
    (batch,), vocab_size = batches(corpus, 1)
    models = build_language_models(ModelOptions(norm=norm), vocab_size, seed=1)
    report = compare(*models, batch)
    assert report.agrees, str(report)


def descend(model: Any, batch: Batch, rate: float) -> float:
    """One step of plain gradient descent; the loss before it."""
    side = side_of(model)
    assert isinstance(side, Dialect)
    model.zero_grad()
    assert batch.targets is not None
    loss = side.cross_entropy(model(side.tensor(batch.inputs)), side.tensor(batch.targets))
    loss.backward()
    for parameter in model.parameters():
        parameter.data -= rate * parameter.grad.data
    return float(loss.item())


def test_both_engines_learn_alike(corpus: Corpus) -> None:
    steps, vocab_size = batches(corpus, 30)
    models = build_language_models(ModelOptions(context=32), vocab_size, seed=0)
    curves = [[descend(model.double(), batch, 0.3) for batch in steps] for model in models]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-10)
    assert np.mean(curves[0][-5:]) < np.mean(curves[0][:5]) - 0.5


@pytest.mark.parametrize("engine", ENGINES, ids=repr)
def test_the_shapes_flow(engine: Any, corpus: Corpus) -> None:
    (batch,), vocab_size = batches(corpus, 1, context=8)
    model = engine.models.TransformerLanguageModel(vocab_size, 8)
    assert tuple(model(engine.tensor(batch.inputs)).shape) == (4, 8, vocab_size)
    block = engine.models.TransformerBlock(64, 4, 256)
    x = torch.zeros(2, 8, 64).numpy()
    assert tuple(block(engine.tensor(x)).shape) == (2, 8, 64)
