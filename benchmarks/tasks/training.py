"""A training step of nanoGPT's character model for the CPU, with AdamW and clipping.

4 layers, 4 heads, 128 channels, context 64, batch 12, learned positions, tied weights, no biases,
pre-norm: `config/train_shakespeare_char.py` of the repository karpathy/nanoGPT, as its README
advises for a CPU. Random tokens serve as well as text: the arithmetic is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.tasks.engines import engine

V, B, T = 65, 12, 64


def prepare(name: str) -> tuple[Callable[[], Any], float | None]:
    """The step: forward, loss, backward, clip, update."""
    side = engine(name)
    generator = np.random.default_rng(0)
    model = side.models.TransformerLanguageModel(
        V, T, 128, 4, 4, 512, 0.0, norm_first=True, bias=False, position="learned",
        tie_weights=True, fused=name not in ("ours, as it comes", "ours, fast, written out"),
    )  # fmt: skip
    side.finish(model)
    optimizer = side.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)

    def in_pieces(array: Any) -> list[Any]:
        return [side.tensor(piece) for piece in np.split(array, side.threads)]

    batches = [list(map(in_pieces, generator.integers(0, V, (2, B, T)))) for _ in range(8)]
    share = side.tensor(np.float32(1 / side.threads))  # of one piece in the mean over all
    count = 0

    def learn(tokens: Any, targets: Any) -> None:
        logits = model(tokens)
        loss = side.lib.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward(share)

    def step() -> Any:
        nonlocal count
        tokens, targets = batches[count % len(batches)]
        count += 1
        optimizer.zero_grad()
        side.each(learn, tokens, targets)
        side.clip(model.parameters(), 1.0)
        side.update(optimizer)

    return step, None
