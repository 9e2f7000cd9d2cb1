"""The whole check that the command line runs: build, compare, anchor; the result as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from crosscheck.comparison import compare
from crosscheck.corpus import Corpus
from crosscheck.draws import Stream, draws
from crosscheck.judge import Verdict
from crosscheck.masks import model_masks
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.parity import Parity, encoder_layer_parity
from crosscheck.report import Report
from crosscheck.runs import CROSS_ENTROPY, Batch, run
from crosscheck.sides import DIALECTS
from crosscheck.text import CharacterTokenizer, Tokens, sample_batch, split
from crosscheck.versions import versions
from crosscheck.weights import copy_weights, randomize

SCHEMA = 3
IGNORED = -100  # the target that cross-entropy does not count, on both sides


@dataclass(frozen=True)
class Check:
    """What was run, and what came of it."""

    versions: dict[str, str]  # of Python and of each package
    options: ModelOptions  # what the model is like
    batch_size: int  # B, the number of windows
    seed: int  # of the weights, the windows and the cotangent
    corpus: Corpus  # the text that the windows are from
    vocab_size: int  # V, the number of distinct characters
    parameters: int  # how many numbers the model learns
    sample: str  # the first window of the batch
    initial_loss: dict[str, float]  # by side, at the initial weights, in nats
    report: Report  # the comparison at randomised weights
    parity: tuple[Parity, ...]  # empty where PyTorch's own layer has no such form

    @property
    def agrees(self) -> bool:
        """Whether every row of the comparison and every row of the parity passes."""
        return self.report.agrees and all(row.agrees for row in self.parity)

    @property
    def rows(self) -> int:
        """How many rows all comparisons and the parity have together."""
        return len(self._verdicts)

    @property
    def failed(self) -> int:
        """How many rows do not pass. Rows that are too small to test are among them."""
        return sum(not verdict.good for verdict in self._verdicts)

    @property
    def vacuous(self) -> int:
        """How many rows are too small to test. If no other row fails, nothing disagrees."""
        return self._verdicts.count(Verdict.VACUOUS)

    @property
    def _verdicts(self) -> list[Verdict]:
        compared = [row.verdict for c in self.report.comparisons for row in c.rows]
        return compared + [row.verdict for row in self.parity]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON. The corpus is given by its source and size, without its text."""
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
    batch = _batch(training, options, batch_size, seed)
    models = build_language_models(options, tokenizer.vocab_size, seed)
    losses = [run(m, batch, dtype="float64", loss=CROSS_ENTROPY).loss.item() for m in models]
    model, reference = models
    randomize(reference, seed)
    copy_weights(reference, model)
    return Check(
        versions=versions(),
        options=options,
        batch_size=batch_size,
        seed=seed,
        corpus=corpus,
        vocab_size=tokenizer.vocab_size,
        parameters=sum(p.numel() for p in model.parameters()),
        sample=tokenizer.decode(batch.inputs[0]),
        initial_loss=dict(zip(DIALECTS, losses, strict=True)),
        report=compare(model, reference, batch, dtype=dtype, seed=seed),
        parity=encoder_layer_parity(options, seed),
    )


def _batch(training: Tokens, options: ModelOptions, batch_size: int, seed: int) -> Batch:
    """Return windows of the text with their masks. The loss leaves out what is padding."""
    windows = draws(Stream.WINDOWS, seed)
    inputs, targets = sample_batch(training, batch_size, options.context, windows)
    masks = model_masks(options.mask, inputs.shape, seed)
    if (hidden := masks.get("src_key_padding_mask")) is not None:
        targets = np.where(hidden, IGNORED, targets)
    return Batch(inputs, targets, masks)


def _training_part(tokens: Tokens, context: int) -> Tokens:
    training, _ = split(tokens)
    if len(training) <= context:
        raise ValueError(
            f"the text has {len(tokens):,} characters, of which the first 90 % are for "
            f"training: {len(training):,}; but context {context} needs at least {context + 1} of "
            "these (the last target is one further on): use a longer text (--corpus) or a shorter "
            "--context"
        )
    return training
