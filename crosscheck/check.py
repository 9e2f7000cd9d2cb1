"""The whole check that the command line runs: build, compare, anchor; the result as data."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy

import torch
from crosscheck.comparison import compare
from crosscheck.corpus import Corpus
from crosscheck.judge import Verdict
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.parity import Parity, encoder_layer_parity
from crosscheck.report import Report
from crosscheck.runs import Batch, run
from crosscheck.text import CharacterTokenizer, Tokens, sample_batch, split
from crosscheck.weights import copy_weights, randomize

SCHEMA = 3


@dataclass(frozen=True)
class Check:
    """What was run, and what came of it. initial_loss: by side, at the initial weights, in nats."""

    versions: dict[str, str]
    options: ModelOptions
    batch_size: int
    seed: int
    corpus: Corpus
    vocab_size: int
    parameters: int
    sample: str
    initial_loss: dict[str, float]
    report: Report
    parity: tuple[Parity, ...]

    @property
    def agrees(self) -> bool:
        """Whether every row of the comparison and every row of the parity passes."""
        return self.report.agrees and all(row.agrees for row in self.parity)

    @property
    def rows(self) -> int:
        """How many rows there are: of all comparisons, and of the parity."""
        return len(self._verdicts)

    @property
    def failed(self) -> int:
        """How many rows do not pass, those too small to test among them."""
        return sum(not verdict.good for verdict in self._verdicts)

    @property
    def vacuous(self) -> int:
        """How many rows are too small to test: where all that failed is, nothing disagrees."""
        return self._verdicts.count(Verdict.VACUOUS)

    @property
    def _verdicts(self) -> list[Verdict]:
        compared = [row.verdict for c in self.report.comparisons for row in c.rows]
        return compared + [row.verdict for row in self.parity]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; of the corpus, its source and size instead of its text."""
        corpus = {
            "source": self.corpus.source,
            "complete": self.corpus.complete,
            "characters": len(self.corpus.text),
        }
        plain = {name: value for name, value in vars(self).items() if name not in _STRUCTURED}
        return {
            "schema": SCHEMA,
            "agrees": self.agrees,
            **plain,
            "options": asdict(self.options),
            "corpus": corpus,
            "report": self.report.to_dict(),
            "parity": [
                {**asdict(row), "verdict": row.verdict, "agrees": row.agrees} for row in self.parity
            ],
        }


_STRUCTURED = ("options", "corpus", "report", "parity")


def run_check(
    options: ModelOptions,
    corpus: Corpus,
    *,
    batch_size: int = 4,
    dtype: str = "both",
    seed: int = 0,
) -> Check:
    """Cross-check a language model on a batch of the corpus's training part.

    The initial loss is taken at the initial weights; then every parameter is randomised, since
    initial values (zeros, ones) hide bugs, and the comparison is made. Raises ValueError for
    options that do not fit together, and for a corpus shorter than the context.
    """
    tokenizer = CharacterTokenizer(corpus.text)
    training = _training_part(tokenizer.encode(corpus.text), options.context)
    generator = np.random.default_rng(seed)
    inputs, targets = sample_batch(training, batch_size, options.context, generator)
    batch = Batch(inputs, targets)
    models = build_language_models(options, tokenizer.vocab_size, seed)
    numpy_model, torch_model = models
    losses = [run(m, batch, dtype="float64", loss="cross-entropy").loss.item() for m in models]
    randomize(numpy_model, seed)
    copy_weights(numpy_model, torch_model)
    return Check(
        versions=_versions(),
        options=options,
        batch_size=batch_size,
        seed=seed,
        corpus=corpus,
        vocab_size=tokenizer.vocab_size,
        parameters=sum(p.numel() for p in numpy_model.parameters()),
        sample=tokenizer.decode(inputs[0]),
        initial_loss=dict(zip(("numpy", "torch"), losses, strict=True)),
        report=compare(numpy_model, torch_model, batch, dtype=dtype, seed=seed),
        parity=encoder_layer_parity(options, seed),
    )


def _training_part(tokens: Tokens, context: int) -> Tokens:
    training, _ = split(tokens)
    if len(training) <= context:
        raise ValueError(
            f"the text has {len(tokens):,} characters, of which the first 90 % are for "
            f"training: {len(training):,}; but context {context} needs at least {context + 1} of "
            "these (the last target is one further on): use a longer text or a shorter context"
        )
    return training


def _versions() -> dict[str, str]:
    return {
        "tinygrad_tf": version("tinygrad-tf"),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
