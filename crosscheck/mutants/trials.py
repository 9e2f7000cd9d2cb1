"""What every planted bug has to pass: a few small models that together use every op.

The sizes are pairwise distinct, so that a swapped axis shows, and small, so that hundreds of trials
take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import torch
from crosscheck.comparison import compare
from crosscheck.draws import Stream, draws
from crosscheck.mutants.gym import NumPyGym, TorchGym
from crosscheck.mutants.training import check_training
from crosscheck.runs import Batch
from crosscheck.sides import NUMPY, TORCH, Array, Dialect
from crosscheck.tape import Localisation, localise
from crosscheck.weights import copy_weights, randomize

B, T, C, H, F, V, LAYERS = 3, 5, 28, 4, 18, 11, 2

Built: TypeAlias = tuple[Any, Any, Batch]  # our model, the reference, and what they are run on


@dataclass(frozen=True)
class Outcome:
    """What a trial came to."""

    agrees: bool  # whether the check found nothing
    said: str = ""  # the report, in words
    localisation: Localisation | None = None  # None where nothing disagreed


@dataclass(frozen=True)
class Trial:
    """A pair of models and a batch, and how they are judged."""

    name: str
    # (seed, initial=False): both models have equal weights, at random or, if initial, as made.
    build: Callable[..., Built]

    def run(self, seed: int, dtype: str = "both") -> Outcome:
        """Compare the models; if they disagree, find the place where they first differ.

        An exception in our engine is a disagreement: whoever runs the check sees it.
        """
        model, reference, batch = self.build(seed)
        try:
            report = compare(model, reference, batch, dtype=dtype, seed=seed)
        except Exception as error:  # a planted bug may raise anything
            where = localise(model, reference, batch, loss=batch.loss, seed=seed)
            return Outcome(False, f"{type(error).__name__}: {error}", where)
        return Outcome(report.agrees, "" if report.agrees else str(report), report.localisation)


@dataclass(frozen=True)
class TrainingTrial:
    """A few steps of training with each optimiser, compared stage by stage."""

    name: str = "training"

    def run(self, seed: int, dtype: str = "both") -> Outcome:
        """Train both models in float64, and find the first stage at which they differ."""
        findings = check_training(*_post_norm(seed))
        said = "\n".join(map(str, findings))
        return Outcome(not findings, said, Localisation(findings, 0, 0, {}) if findings else None)


def _post_norm(seed: int, initial: bool = False) -> Built:
    return _language_model(seed, initial)


def _pre_norm(seed: int, initial: bool = False) -> Built:
    options = {"norm_first": True, "fused": True, "activation": "relu", "position": "learned"}
    return _language_model(seed, initial, **options, tie_weights=True)


def _language_model(seed: int, initial: bool, **options: Any) -> Built:
    arguments: dict[str, Any] = {
        "vocab_size": V, "context": T, "d_model": C, "nhead": H, "num_layers": LAYERS,
        "dim_feedforward": F, **options,
    }  # fmt: skip
    pair = _pair(lambda side: side.models.TransformerLanguageModel(**arguments), seed, initial)
    return *pair, Batch(*draws(Stream.TOKENS, seed).integers(0, V, (2, B, T)))


def _masked_block(seed: int, initial: bool = False) -> Built:
    """Build a block, written out, under an attention and a padding mask; its input is small."""
    pair = _pair(lambda side: side.models.TransformerBlock(C, H, F, 0.0, "gelu"), seed, initial)
    padding = np.zeros((B, T), bool)
    padding[0, -2:] = padding[1, -1:] = True
    options = {"src_mask": np.triu(np.ones((T, T), bool), 2), "src_key_padding_mask": padding}
    return *pair, Batch(0.05 * _input(seed, C), None, options)


def _plain_block(seed: int, initial: bool = False) -> Built:
    """Build a block, written out, without any mask."""

    def build(side: Dialect) -> Any:
        return side.models.TransformerBlock(C, H, F, 0.0, "relu", norm_first=True)

    return *_pair(build, seed, initial), Batch(_input(seed, C))


def _varied(seed: int, initial: bool = False) -> Built:
    """Build a language model whose options the seed decides."""
    choose = draws(Stream.OPTIONS, seed)

    def one_of(*options: Any) -> Any:
        return options[choose.integers(len(options))]

    return _language_model(
        seed,
        initial,
        num_layers=one_of(1, 2, 3),
        nhead=one_of(1, 4, 7),
        norm_first=one_of(True, False),
        norm=one_of(True, True, False),
        residual=one_of(True, True, False),
        bias=one_of(True, False),
        activation=one_of("gelu", "relu"),
        position=one_of("sinusoidal", "learned"),
        tie_weights=one_of(True, False),
        fused=one_of(True, False),
    )


def _gym(seed: int, initial: bool = False) -> Built:
    gyms: dict[str, Any] = {NUMPY.key: NumPyGym, TORCH.key: TorchGym}
    return *_pair(lambda side: gyms[side.key](7), seed, initial), Batch(_input(seed, 7))


def _pair(build: Callable[[Dialect], Any], seed: int, initial: bool) -> tuple[Any, Any]:
    """Return our model and the reference with equal weights, which depend on the seed only."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reference = build(TORCH)
    if not initial:
        randomize(reference, seed)
    model = build(NUMPY)
    copy_weights(reference, model)
    return model, reference


def _input(seed: int, width: int) -> Array:
    return draws(Stream.INPUT, seed).standard_normal((B, T, width))


TRIALS: tuple[Trial | TrainingTrial, ...] = (
    Trial("language model, post-norm, written out", _post_norm),
    Trial("language model, pre-norm, fused, ReLU, tied, learned positions", _pre_norm),
    Trial("block without a mask, written out", _plain_block),
    Trial("block with masks, small input", _masked_block),
    Trial("other ops, dropout", _gym),
    TrainingTrial(),
)

VARIED = Trial("language model of any wiring", _varied)
