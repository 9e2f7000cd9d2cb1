"""Does it train? A small language model, in six wirings, for a few hundred steps of AdamW.

At initialisation the gradient's size says little about what follows: without residuals, tokens
become alike within a few blocks, and the best a model can do that cannot tell its inputs apart is
to predict how frequent each character is, at the unigram entropy of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_tf.optim
import torch
from crosscheck.corpus import Corpus
from crosscheck.engines import Array
from crosscheck.flow.measure import norm
from crosscheck.flow.papers.result import Claim, Paper
from crosscheck.flow.stacks import ENGINES, WIRINGS, Wiring
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.text import CharacterTokenizer, Tokens, sample_batch, split

OPTIMIZERS: dict[str, Any] = {"numpy": tinygrad_tf.optim.AdamW, "torch": torch.optim.AdamW}
STEPS, RATE = 300, 1e-3
BATCH, VALIDATION = 12, 20  # windows in a step; batches that the validation loss is the mean of


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


@dataclass(frozen=True)
class Training:
    """One run: its loss on validation text, and the first block's gradient at the first step."""

    loss: float
    gradient: float


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
    text = read(corpus)
    runs = {
        wiring: [train(engines[0], text, model, wiring, seed, steps, advance) for seed in seeds]
        for wiring in WIRINGS
    }
    loss = {wiring: float(np.mean([run.loss for run in found])) for wiring, found in runs.items()}
    unigram = text.unigram()
    return Paper(
        "training",
        "Without residual connections the model learns how frequent characters are, and no more",
        "our own experiment",
        f"{steps} steps of AdamW, {model.layers} blocks of width {model.width}, {BATCH} windows of "
        f"{model.context} characters, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}, "
        f"{ENGINES[engines[0]].name}; unigram entropy {unigram:.3f}",
        tuple(_claims(loss, runs, unigram)),
    )


def _claims(
    loss: dict[Wiring, float], runs: dict[Wiring, list[Training]], unigram: float
) -> Iterator[Claim]:
    for wiring in WIRINGS:
        what = f"{wiring.label}: validation loss"
        if wiring.residual:
            yield Claim(what, loss[wiring], 0.0, 2.5)
        else:
            yield Claim(what, loss[wiring], unigram - 0.15, unigram + 0.15)
    for name in ("pre", "post", "none"):
        sizes = [
            float(np.mean([run.gradient for run in runs[Wiring(name, residual)]]))
            for residual in (False, True)
        ]
        what = f"{Wiring(name, False).label}: first block's gradient over that with residual"
        low, high = (0.0, 0.01) if name == "none" else (1.0, np.inf)
        yield Claim(what, sizes[0] / sizes[1], low, high)


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
) -> Training:
    """Train one model in float32, and return what came of it."""
    side = ENGINES[engine]
    options = replace(model, norm=wiring.norm, residual=wiring.residual)
    models = build_language_models(options, text.vocab_size, seed)
    network = models[list(ENGINES).index(engine)]
    optimizer = OPTIMIZERS[engine](network.parameters(), lr=RATE)
    generator = np.random.default_rng((seed, 4))
    first: list[Array] = []
    for step in range(steps):
        optimizer.zero_grad()
        _loss(
            side, network, sample_batch(text.training, BATCH, model.context, generator)
        ).backward()
        if step == 0:
            first = [side.array(p.grad).ravel() for p in network.blocks[0].parameters()]
            first = [np.array(gradient) for gradient in first]
        optimizer.step()
        advance(1)
    fixed = np.random.default_rng(0)  # the same windows for every run
    batches = [
        sample_batch(text.validation, BATCH, model.context, fixed) for _ in range(VALIDATION)
    ]
    losses = [side.array(_loss(side, network, batch)).item() for batch in batches]
    return Training(float(np.mean(losses)), norm(np.concatenate(first).astype(np.float64)))


def _loss(side: Any, network: Any, batch: tuple[Tokens, Tokens]) -> Any:
    inputs, targets = batch
    logits = network(side.tensor(inputs)).flatten(0, -2)
    return side.cross_entropy(logits, side.tensor(targets).flatten())
