"""What every planted bug has to pass: a few small models that together use every op.

The sizes are pairwise distinct, so that a swapped axis shows, and small, so that hundreds of trials
take seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck.comparison import compare
from crosscheck.mutants.gym import NumPyGym, TorchGym
from crosscheck.mutants.training import check_training
from crosscheck.runs import Batch
from crosscheck.tape import Localisation, localise
from crosscheck.weights import copy_weights, randomize

B, T, C, H, F, V, LAYERS = 3, 5, 28, 4, 18, 11, 2

Models = tuple[Any, Any]


@dataclass(frozen=True)
class Outcome:
    """What a trial said. localisation: None where nothing disagreed, or nothing was looked for."""

    agrees: bool
    said: str = ""
    localisation: Localisation | None = None


@dataclass(frozen=True)
class Trial:
    """A pair of models and a batch, and how they are judged.

    build(seed): both models with the same weights, redrawn, or with initial=True as they are made.
    """

    name: str
    build: Callable[..., tuple[Any, Any, Batch]]

    def run(self, seed: int, dtype: str = "both") -> Outcome:
        """Compare the models, and look for the place where they part if they do.

        An exception in our engine is a disagreement: whoever runs the check sees it.
        """
        model, reference, batch = self.build(seed)
        try:
            report = compare(model, reference, batch, dtype=dtype, seed=seed)
        except Exception as error:  # a planted bug may raise anything
            loss = "random cotangent" if batch.targets is None else "cross-entropy"
            where = localise(model, reference, batch, loss=loss, seed=seed)
            return Outcome(False, f"{type(error).__name__}: {error}", where)
        return Outcome(report.agrees, str(report), report.localisation)


@dataclass(frozen=True)
class TrainingTrial:
    """A few steps of training with each optimiser, compared step by step."""

    name: str = "training"

    def run(self, seed: int, dtype: str = "both") -> Outcome:
        """Train both, and say where they part."""
        model, reference, batch = _post_norm(seed)
        findings = check_training(model, reference, batch)
        said = "\n".join(map(str, findings))
        return Outcome(not findings, said, Localisation(findings, 0, 0, {}) if findings else None)


def _post_norm(seed: int, initial: bool = False) -> tuple[Any, Any, Batch]:
    return _language_model(seed, initial)


def _pre_norm(seed: int, initial: bool = False) -> tuple[Any, Any, Batch]:
    options = {"norm_first": True, "fused": True, "activation": "relu", "position": "learned"}
    return _language_model(seed, initial, **options, tie_weights=True)


def _language_model(seed: int, initial: bool, **options: Any) -> tuple[Any, Any, Batch]:
    arguments: dict[str, Any] = {
        "vocab_size": V, "context": T, "d_model": C, "nhead": H, "num_layers": LAYERS,
        "dim_feedforward": F, **options,
    }  # fmt: skip
    models = (
        tinygrad_tf.transformer.TransformerLanguageModel(**arguments),
        _seeded(lambda: torch_impl.TransformerLanguageModel(**arguments), seed),
    )
    generator = np.random.default_rng((seed, 2))
    inputs, targets = generator.integers(0, V, (2, B, T))
    return *_with_weights(models, seed, initial), Batch(inputs, targets)


def _masked_block(seed: int, initial: bool = False) -> tuple[Any, Any, Batch]:
    """One block, written out, under an attention mask and a padding mask, at a small scale."""
    models = (
        tinygrad_tf.transformer.TransformerBlock(C, H, F, 0.0, "gelu"),
        _seeded(lambda: torch_impl.TransformerBlock(C, H, F, 0.0, "gelu"), seed),
    )
    generator = np.random.default_rng((seed, 3))
    padding = np.zeros((B, T), bool)
    padding[0, -2:] = padding[1, -1:] = True
    options = {
        "src_mask": np.triu(np.ones((T, T), bool), 2),
        "src_key_padding_mask": padding,
    }
    x = 0.05 * generator.standard_normal((B, T, C))
    return *_with_weights(models, seed, initial), Batch(x, None, options)


def _plain_block(seed: int, initial: bool = False) -> tuple[Any, Any, Batch]:
    """One block, written out, without any mask."""
    models = (
        tinygrad_tf.transformer.TransformerBlock(C, H, F, 0.0, "relu", norm_first=True),
        _seeded(lambda: torch_impl.TransformerBlock(C, H, F, 0.0, "relu", norm_first=True), seed),
    )
    x = np.random.default_rng((seed, 5)).standard_normal((B, T, C))
    return *_with_weights(models, seed, initial), Batch(x)


def _varied(seed: int, initial: bool = False) -> tuple[Any, Any, Batch]:
    """A language model whose options the seed decides."""
    choose = np.random.default_rng((seed, 6))

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


def _gym(seed: int, initial: bool = False) -> tuple[Any, Any, Batch]:
    x = np.random.default_rng((seed, 4)).standard_normal((B, T, 7))
    return *_with_weights((NumPyGym(7), TorchGym(7)), seed, initial), Batch(x)


def _with_weights(models: Models, seed: int, initial: bool) -> Models:
    model, reference = models
    if not initial:
        randomize(reference, seed)
    copy_weights(reference, model)
    return model, reference


def _seeded(build: Callable[[], Any], seed: int) -> Any:
    """What PyTorch builds, with initial weights that depend on the seed only."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


TRIALS: tuple[Trial | TrainingTrial, ...] = (
    Trial("language model, post-norm, written out", _post_norm),
    Trial("language model, pre-norm, fused, ReLU, tied, learned positions", _pre_norm),
    Trial("block without a mask, written out", _plain_block),
    Trial("block with masks, small input", _masked_block),
    Trial("other ops, dropout", _gym),
    TrainingTrial(),
)

VARIED = Trial("language model of any wiring", _varied)

__all__ = ["TRIALS", "Outcome", "Trial"]
