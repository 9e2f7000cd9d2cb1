"""Does it train? A small language model, in six wirings, for a few hundred steps of AdamW.

At initialisation the gradient's size says little about what follows: without residuals, tokens
become alike within a few blocks, and the best a model can do that cannot tell its inputs apart is
to predict how frequent each character is, at the unigram entropy of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_tf.optim
import torch
from crosscheck.corpus import Corpus
from crosscheck.flow.fit import geometric_mean
from crosscheck.flow.measure import norm
from crosscheck.flow.papers.result import Claim, Paper
from crosscheck.flow.stacks import ENGINES, WIRINGS, Wiring
from crosscheck.models import NORMS, ModelOptions, build_language_models
from crosscheck.text import CharacterTokenizer, Tokens, sample_batch, split

OPTIMIZERS: dict[str, Any] = {"numpy": tinygrad_tf.optim.AdamW, "torch": torch.optim.AdamW}
STEPS, RATE = 300, 1e-3
BATCH, VALIDATION = 12, 20  # windows in a step; batches that the validation loss is the mean of
GRADIENTS = 24  # seeds whose first gradients are compared: one seed proves nothing, nor do three


@dataclass(frozen=True)
class Text:
    """Training and validation tokens, and the number of characters."""

    training: Tokens
    validation: Tokens
    vocab_size: int

    def unigram(self) -> float:
        """The validation loss, in nats, of predicting how frequent characters are in training."""
        counts = np.bincount(self.training, minlength=self.vocab_size) + 1.0
        return float(-np.log(counts / counts.sum())[self.validation].mean())


def training(
    seeds: Sequence[int],
    engines: Sequence[str],
    corpus: Corpus,
    *,
    steps: int = STEPS,
    model: ModelOptions | None = None,
    advance: Callable[[int], None] = lambda steps: None,
) -> Paper:
    """Validation losses and first gradients of the six wirings, in the first of the engines."""
    model = model or ModelOptions(layers=4, context=64, activation="relu")
    text, engine = read(corpus), engines[0]
    loss = {
        wiring: float(
            np.mean([train(engine, text, model, wiring, s, steps, advance) for s in seeds])
        )
        for wiring in WIRINGS
    }
    drawn = range(seeds[0], seeds[0] + GRADIENTS)
    first = {w: [first_gradient(engine, text, model, w, seed) for seed in drawn] for w in WIRINGS}
    unigram = text.unigram()
    notes = []
    claims = [_loss_claim(wiring, loss[wiring], unigram) for wiring in WIRINGS]
    for name in NORMS:
        without, with_residual = (first[Wiring(name, residual)] for residual in (False, True))
        ratios = [a / b for a, b in zip(without, with_residual, strict=True)]
        label = "no norm" if name == "none" else f"{name}-norm"
        low, high = (0.0, 0.01) if name == "none" else (1.0, np.inf)
        what = f"{label}: first block's gradient at the start, without over with residual"
        claims.append(Claim(what, geometric_mean(ratios), low, high))
        larger = sum(r > 1 for r in ratios)
        notes.append(
            f"{label}: of {GRADIENTS} seeds, the gradient without residual is the larger in "
            f"{larger}; the ratio is {min(ratios):.2g} to {max(ratios):.2g}"
        )
    return Paper(
        "training",
        "Without residual connections the model learns how frequent characters are, and no more",
        "our own experiment",
        f"{steps} steps of AdamW, {model.layers} blocks of width {model.width}, {BATCH} windows of "
        f"{model.context} characters, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}, "
        f"{ENGINES[engine].name}; unigram entropy {unigram:.3f}",
        tuple(claims),
        tuple(notes),
    )


def _loss_claim(wiring: Wiring, loss: float, unigram: float) -> Claim:
    what = f"{wiring.label}: validation loss"
    if wiring.residual:
        return Claim(what, loss, 0.0, 2.5)
    return Claim(what, loss, unigram - 0.15, unigram + 0.15)


def read(corpus: Corpus) -> Text:
    """The corpus as tokens, the last tenth for validation."""
    tokenizer = CharacterTokenizer(corpus.text)
    training_part, validation = split(tokenizer.encode(corpus.text))
    return Text(training_part, validation, tokenizer.vocab_size)


def train(
    engine: str,
    text: Text,
    model: ModelOptions,
    wiring: Wiring,
    seed: int,
    steps: int,
    advance: Callable[[int], None] = lambda steps: None,
) -> float:
    """Train one model in float32, and return its loss on validation text."""
    side, network = ENGINES[engine], _network(engine, text, model, wiring, seed)
    optimizer = OPTIMIZERS[engine](network.parameters(), lr=RATE)
    generator = np.random.default_rng((seed, 4))
    for _ in range(steps):
        optimizer.zero_grad()
        batch = sample_batch(text.training, BATCH, model.context, generator)
        _loss(side, network, batch).backward()
        optimizer.step()
        advance(1)
    fixed = np.random.default_rng(0)  # the same windows for every run
    losses = []
    for _ in range(VALIDATION):
        batch = sample_batch(text.validation, BATCH, model.context, fixed)
        losses.append(side.array(_loss(side, network, batch)).item())
    return float(np.mean(losses))


def first_gradient(
    engine: str, text: Text, model: ModelOptions, wiring: Wiring, seed: int
) -> float:
    """The norm of all gradients of the first block together, before the first step."""
    side, network = ENGINES[engine], _network(engine, text, model, wiring, seed)
    generator = np.random.default_rng((seed, 4))
    batch = sample_batch(text.training, BATCH, model.context, generator)
    _loss(side, network, batch).backward()
    found = [side.array(p.grad).ravel() for p in network.blocks[0].parameters()]
    return norm(np.concatenate(found).astype(np.float64))


def _network(engine: str, text: Text, model: ModelOptions, wiring: Wiring, seed: int) -> Any:
    options = replace(model, norm=wiring.norm, residual=wiring.residual)
    models = dict(zip(ENGINES, build_language_models(options, text.vocab_size, seed), strict=True))
    return models[engine]


def _loss(side: Any, network: Any, batch: tuple[Tokens, Tokens]) -> Any:
    inputs, targets = batch
    logits = network(side.tensor(inputs)).flatten(0, -2)
    return side.cross_entropy(logits, side.tensor(targets).flatten())
