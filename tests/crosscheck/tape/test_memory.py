"""Where our side of the tape is kept: nowhere. What it needs is bounded by the two runs."""

from __future__ import annotations

import multiprocessing
import tracemalloc
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from support.engines import ENGINES

from crosscheck import Batch, copy_weights, localise, randomize

SIZES = {
    "vocab_size": 17, "context": 8, "d_model": 256, "nhead": 4, "num_layers": 6,
    "dim_feedforward": 1024,
}  # fmt: skip


def measured() -> tuple[int, int, int, int]:
    """Return how many findings and pairs there are, the bytes of the weights, and the peak."""
    ours, theirs = (engine.models.TransformerLanguageModel(**SIZES) for engine in ENGINES)
    randomize(ours)
    copy_weights(ours, theirs)
    weights = 8 * sum(p.numel() for p in ours.parameters())  # in float64
    inputs, targets = np.random.default_rng(0).integers(0, 17, (2, 2, 8))
    tracemalloc.start()  # of NumPy's memory; PyTorch's is as much again
    where = localise(ours, theirs, Batch(inputs, targets), loss="cross-entropy")
    _, peak = tracemalloc.get_traced_memory()
    return len(where.findings), where.paired, weights, peak


def test_six_blocks_of_width_256_fit() -> None:
    # In a process of its own, for the peak would count what other tests have left behind.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        findings, paired, weights, peak = process.submit(measured).result()
    assert not findings
    assert paired > 125
    assert weights > 35e6
    # The copy in float64, its gradients, and the gradients of the replays are three.
    assert peak < 4 * weights, f"{peak / 1e6:.0f} MB, weights {weights / 1e6:.0f} MB"
