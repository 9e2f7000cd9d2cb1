"""Where our side of the tape is kept: nowhere. What it needs is bounded by the two runs."""

from __future__ import annotations

import tracemalloc

import numpy as np
from support.engines import ENGINES

from crosscheck import Batch, copy_weights, localise, randomize

SIZES = {
    "vocab_size": 17, "context": 8, "d_model": 256, "nhead": 4, "num_layers": 12,
    "dim_feedforward": 1024,
}  # fmt: skip


def test_twelve_blocks_of_width_256_fit() -> None:
    ours, theirs = (engine.models.TransformerLanguageModel(**SIZES) for engine in ENGINES)
    randomize(ours)
    copy_weights(ours, theirs)
    weights = 8 * sum(p.numel() for p in ours.parameters())  # bytes, in float64
    inputs, targets = np.random.default_rng(0).integers(0, 17, (2, 2, 8))
    tracemalloc.start()  # of NumPy's memory; PyTorch's is as much again
    try:
        where = localise(ours, theirs, Batch(inputs, targets), loss="cross-entropy")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert where.findings == ()
    assert where.paired > 250
    assert weights > 70e6
    # The copy in float64 and its gradients are two; replay takes one op's worth at a time.
    assert peak < 4 * weights, f"{peak / 1e6:.0f} MB, weights {weights / 1e6:.0f} MB"
