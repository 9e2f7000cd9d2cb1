"""The text of a walk: what the model reads, what it says of each next character, and its loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from crosscheck.check import IGNORED
from crosscheck.runs import Batch
from crosscheck.sides import Array
from crosscheck.walk.array_table import ArrayTable
from crosscheck.walk.schema import Text


def text_of(
    batch: Batch, vocabulary: Sequence[str], logits: Array, dlogits: Array | None, table: ArrayTable
) -> Text:
    """Return the first window of a batch. logits, dlogits: the reference's (B, T, V)."""
    ids, targets = batch.inputs[0], np.asarray(batch.targets)[0]
    counts = targets != IGNORED
    log_probs = log_softmax(logits[0], axis=-1)
    losses = -log_probs[np.arange(len(ids)), np.where(counts, targets, 0)]
    return Text(
        tokens=tuple(vocabulary[i] for i in ids),
        targets=tuple(vocabulary[i] if i != IGNORED else "" for i in targets),
        counts=tuple(map(bool, counts)),
        vocabulary=tuple(vocabulary),
        ids=tuple(map(int, ids)),
        target_ids=tuple(map(int, targets)),
        losses=tuple(map(float, np.where(counts, losses, 0.0))),
        logits=table.ref(logits[0]),
        probs=table.ref(np.exp(log_probs)),
        dlogits=None if dlogits is None else table.ref(dlogits[0]),
    )
