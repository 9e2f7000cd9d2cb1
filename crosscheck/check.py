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
from crosscheck.room import COMPARISON, require_room
from crosscheck.runs import CROSS_ENTROPY, Batch, run
from crosscheck.sides import DIALECTS, NUMPY, side_of
from crosscheck.tape import Localisation
from crosscheck.text import CharacterTokenizer, Tokens, sample_batch, split
from crosscheck.versions import versions
from crosscheck.weights import copy_weights, randomize

SCHEMA = 5
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
    # By side, at the initial weights, in nats; None if our engine raised.
    initial_loss: dict[str, float | None]
    report: Report  # the comparison at randomised weights
    parity: tuple[Parity, ...]  # empty where PyTorch's own layer has no such form
    parity_localisation: Localisation | None = None  # where our block departs, if its parity fails

    @property
    def agrees(self) -> bool:
        """Whether every row of the comparison and every row of the parity passes."""
        return self.report.agrees and all(row.agrees for row in self.parity)

    @property
    def disagrees(self) -> bool:
        """Whether something is wrong. What is only not proved is neither this nor agreement."""
        return self.report.disagrees or any(verdict.wrong for verdict in self.verdicts)

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts of all rows: of the comparisons, and of the parity."""
        compared = [row.verdict for c in self.report.comparisons for row in c.rows]
        return compared + [row.verdict for row in self.parity]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON. The corpus is given by its source and size, without its text."""
        corpus = {
            "source": self.corpus.source,
            "complete": self.corpus.complete,
            "characters": len(self.corpus.text),
        }
        where = self.parity_localisation
        plain = {name: value for name, value in vars(self).items() if name not in _STRUCTURED}
        return {
            "schema": SCHEMA,
            "agrees": self.agrees,
            "disagrees": self.disagrees,
            **plain,
            "options": asdict(self.options),
            "corpus": corpus,
            "report": self.report.to_dict(),
            "parity": [
                {**asdict(row), "verdict": row.verdict, "agrees": row.agrees} for row in self.parity
            ],
            "parity_localisation": where and where.to_dict(),
        }


_STRUCTURED = ("options", "corpus", "report", "parity", "parity_localisation")


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
    options that do not fit together, for a corpus shorter than the context, and for sizes that
    this machine has no memory for.
    """
    tokenizer = CharacterTokenizer(corpus.text)
    batch = text_batch(tokenizer, corpus.text, options, batch_size, seed)
    models = build_language_models(options, tokenizer.vocab_size, seed)
    losses = [_loss(model, batch) for model in models]
    model, reference = models
    randomize(reference, seed)
    copy_weights(reference, model)
    report = compare(model, reference, batch, dtype=dtype, seed=seed)
    parity, parity_localisation = encoder_layer_parity(options, seed)
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
        report=report,
        parity=parity,
        parity_localisation=parity_localisation,
    )


def _loss(model: Any, batch: Batch) -> float | None:
    try:
        return float(run(model, batch, dtype="float64", loss=CROSS_ENTROPY).loss.item())
    except Exception:
        if side_of(model) is not NUMPY:
            raise
        return None  # the comparison will say what our engine raised, and where


def text_batch(
    tokenizer: CharacterTokenizer, text: str, options: ModelOptions, batch_size: int, seed: int
) -> Batch:
    """Return windows of the training part of a text, with their masks.

    Raises ValueError for a text that is too short, and for sizes that there is no memory for.
    """
    training = _training_part(tokenizer.encode(text), options.context)
    require_room(options.blocks(batch_size, tokenizer.vocab_size), COMPARISON)
    windows = draws(Stream.WINDOWS, seed)
    return masked_batch(
        *sample_batch(training, batch_size, options.context, windows), options, seed
    )


def masked_batch(inputs: Tokens, targets: Tokens, options: ModelOptions, seed: int) -> Batch:
    """Return these windows with the masks of the options. The loss leaves out what is padding."""
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
            "window (--context; of `walk` it is --characters)"
        )
    return training
