"""Does it train? A small language model, in six wirings, for a few hundred steps of AdamW.

At initialisation the gradient's size says little about what follows. Without residuals, tokens
become alike within a few blocks. A model that cannot tell its inputs apart can do no better than
predict how frequent each character is, and its loss is then the unigram entropy of the text.

That loss is a plateau. The first seed trains on, to see when it ends, and so does a model of fewer
blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crosscheck.choices import NORMS
from crosscheck.corpus import Corpus
from crosscheck.distance import norm
from crosscheck.draws import Stream, draws
from crosscheck.flow.fit import geometric_mean
from crosscheck.flow.papers.result import Claim, Paper
from crosscheck.flow.stacks import WIRINGS, Wiring
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.sides import TORCH, Dialect
from crosscheck.text import CharacterTokenizer, Tokens, sample_batch, split

STEPS, RATE = 300, 1e-3
LONG = 1000  # steps of the first seed without residual connections
EVERY = 100  # steps, after which it is seen whether the plateau has ended
LEFT = 0.1  # nats: it has, where the loss is below the unigram entropy by more than this
SHALLOW = 2  # blocks of a model that leaves the plateau earlier
BATCH = 12  # windows of the text in a step
VALIDATION_BATCHES = 20  # the validation loss is the mean over these
GRADIENTS = 24  # seeds whose first gradients are compared: one seed proves nothing, nor do three


@dataclass(frozen=True)
class Text:
    """A corpus as tokens."""

    training: Tokens  # the first nine tenths, (N,)
    validation: Tokens  # the last tenth, (M,)
    vocab_size: int  # V, the number of distinct characters

    def unigram(self) -> float:
        """Return the validation loss, in nats, of predicting the frequencies of training."""
        counts = np.bincount(self.training, minlength=self.vocab_size) + 1.0
        return float(-np.log(counts / counts.sum())[self.validation].mean())


def training(
    seeds: Sequence[int],
    sides: Sequence[Dialect],
    corpus: Corpus,
    *,
    steps: int = STEPS,
    long: int = LONG,
    model: ModelOptions | None = None,
    advance: Callable[[int], None] = lambda steps: None,
) -> Paper:
    """Compare the wirings by validation loss and first gradient, on the first of the sides."""
    model = model or ModelOptions(layers=4, context=64, activation="relu")
    text, side = read(corpus), sides[0]
    unigram, longer = text.unigram(), (steps, *range(steps + EVERY, long + 1, EVERY))
    losses, plateaus = [], []
    for wiring in WIRINGS:
        after_steps = []
        for seed in seeds:
            goes_on = seed == seeds[0] and not wiring.residual
            ends = longer if goes_on else longer[:1]
            found = train(side, text, model, wiring, seed, ends, advance)
            after_steps.append(found[0])
            if goes_on:
                plateaus += _plateau_claims(wiring.label, found, ends, unigram)
        losses.append(_loss_claim(wiring, float(np.mean(after_steps)), unigram))
    shallow, leaves = replace(model, layers=SHALLOW), Wiring("post", residual=False)
    found = train(side, text, shallow, leaves, seeds[0], longer, advance)
    plateaus += _plateau_claims(f"{leaves.label}, {SHALLOW} blocks", found, longer, unigram)
    gradients, notes = _first_gradients(side, text, model, seeds[0])
    return Paper(
        "training",
        "Without residual connections the loss stays where a model is that sees no context",
        "our own experiment",
        f"{steps} steps of AdamW, {model.layers} blocks of width {model.width}, {BATCH} windows of "
        f"{model.context} characters, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}, "
        f"{side.name}; unigram entropy {unigram:.3f}",
        (*losses, *gradients, *plateaus),
        tuple(notes),
    )


def steps_of(seeds: Sequence[int]) -> int:
    """Return how many steps all runs of `training` take together: the measure of its progress."""
    plain = sum(not wiring.residual for wiring in WIRINGS)
    return STEPS * len(seeds) * len(WIRINGS) + (LONG - STEPS) * plain + LONG


def _loss_claim(wiring: Wiring, loss: float, unigram: float) -> Claim:
    what = f"{wiring.label}: validation loss"
    if wiring.residual:
        return Claim(what, loss, 0.0, 2.5)
    return Claim(what, loss, unigram - 0.15, unigram + 0.15)


def _plateau_claims(
    label: str, losses: Sequence[float], ends: Sequence[int], unigram: float
) -> list[Claim]:
    """Return the loss after the last of `ends`, and the first of them at which it had fallen.

    Nothing predicts when that is, so the ranges are wide: no loss rises, and none falls at once.
    """
    fallen = (end for end, loss in zip(ends, losses, strict=True) if loss < unigram - LEFT)
    step = next(fallen, np.inf)
    return [
        Claim(f"{label}: loss after {ends[-1]} steps, first seed", losses[-1], 0.0, unigram + 0.15),
        Claim(f"{label}: steps until it is below {unigram - LEFT:.3f}", step, EVERY),
    ]


def _first_gradients(
    side: Dialect, text: Text, model: ModelOptions, seed: int
) -> tuple[list[Claim], list[str]]:
    """Compare the first block's gradient at the start, without residual and with it: see Paper."""
    drawn = range(seed, seed + GRADIENTS)
    first = {w: [first_gradient(side, text, model, w, s) for s in drawn] for w in WIRINGS}
    claims, notes = [], []
    for name in NORMS:
        without, with_residual = (first[Wiring(name, residual)] for residual in (False, True))
        ratios = [a / b for a, b in zip(without, with_residual, strict=True)]
        label = Wiring(name, residual=False).norm_label
        low, high = (0.0, 0.01) if name == "none" else (1.0, np.inf)
        what = f"{label}: first block's gradient at the start, without over with residual"
        claims.append(Claim(what, geometric_mean(ratios), low, high))
        larger = sum(r > 1 for r in ratios)
        notes.append(
            f"{label}: of {GRADIENTS} seeds, the gradient without residual is the larger in "
            f"{larger}; the ratio is {min(ratios):.2g} to {max(ratios):.2g}"
        )
    return claims, notes


def read(corpus: Corpus) -> Text:
    """Return the corpus as tokens, the last tenth for validation."""
    tokenizer = CharacterTokenizer(corpus.text)
    training_part, validation = split(tokenizer.encode(corpus.text))
    return Text(training_part, validation, tokenizer.vocab_size)


def train(
    side: Dialect,
    text: Text,
    model: ModelOptions,
    wiring: Wiring,
    seed: int,
    ends: Sequence[int],
    advance: Callable[[int], None] = lambda steps: None,
) -> list[float]:
    """Train one model in float32, and return its loss on validation text after each of `ends`.

    ends: numbers of steps, in ascending order. The training ends with the last.
    """
    network = _network(side, text, model, wiring, seed)
    optimizer = side.library.optim.AdamW(network.parameters(), lr=RATE)
    generator = draws(Stream.WINDOWS, seed)
    losses = []
    for step in range(1, max(ends) + 1):
        optimizer.zero_grad()
        batch = sample_batch(text.training, BATCH, model.context, generator)
        _loss(side, network, batch).backward()
        optimizer.step()
        advance(1)
        if step in ends:
            losses.append(_validation_loss(side, text, model, network))
    return losses


def _validation_loss(side: Dialect, text: Text, model: ModelOptions, network: Any) -> float:
    fixed = draws(Stream.VALIDATION, 0)  # the same windows for every run
    losses = []
    for _ in range(VALIDATION_BATCHES):
        batch = sample_batch(text.validation, BATCH, model.context, fixed)
        losses.append(side.array(_loss(side, network, batch)).item())
    return float(np.mean(losses))


def first_gradient(
    side: Dialect, text: Text, model: ModelOptions, wiring: Wiring, seed: int
) -> float:
    """Return the norm of all gradients of the first block together, before the first step."""
    network = _network(side, text, model, wiring, seed)
    batch = sample_batch(text.training, BATCH, model.context, draws(Stream.WINDOWS, seed))
    _loss(side, network, batch).backward()
    return norm(
        np.concatenate([side.array(p.grad).ravel() for p in network.blocks[0].parameters()])
    )


def _network(side: Dialect, text: Text, model: ModelOptions, wiring: Wiring, seed: int) -> Any:
    options = replace(model, norm=wiring.norm, residual=wiring.residual)
    ours, reference = build_language_models(options, text.vocab_size, seed)
    return reference if side is TORCH else ours


def _loss(side: Dialect, network: Any, batch: tuple[Tokens, Tokens]) -> Any:
    inputs, targets = batch
    return side.cross_entropy(network(side.tensor(inputs)), side.tensor(targets))
