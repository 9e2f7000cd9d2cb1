"""Training in step: two gradients added up, clipped, and a step taken, in both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygrad_tf.optim
import torch
from crosscheck.engines import Array, Engine, NumPyEngine, TorchEngine
from crosscheck.judge import FLOOR, RELATIVE, frobenius
from crosscheck.runs import Batch
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.gap import gap_between

STEPS, MAX_NORM = 3, 0.5
Arrays = dict[str, Array | None]

OPTIMISERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.05},
    "AdamW": {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-4},
}


def check_training(model: Any, reference: Any, batch: Batch) -> tuple[Finding, ...]:
    """Train both models with each optimiser; the first stage at which they differ is the finding.

    Each step adds up the gradients of two multiples of the loss, so that a second backward counts.
    The models are copied, never changed.
    """
    findings = []
    for name, options in OPTIMISERS.items():
        ours = _stages(
            NumPyEngine(), model, batch, _optimiser(tinygrad_tf.optim, name, options),
            tinygrad_tf.optim.clip_grad_norm_,
        )  # fmt: skip
        theirs = _stages(
            TorchEngine(), reference, batch, _optimiser(torch.optim, name, options),
            torch.nn.utils.clip_grad_norm_,
        )  # fmt: skip
        try:
            for (op, a), (_, b) in zip(ours, theirs, strict=True):
                if (found := _first_difference(name if op == "step" else op, a, b)) is not None:
                    findings.append(found)
                    break
        except Exception as error:  # a planted bug may raise anything
            what = f"it raised {type(error).__name__}: {error}"
            findings.append(Finding(Kind.RAISED, name, "training", name, "", what))
    return tuple(findings)


def _optimiser(module: Any, name: str, options: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda model: getattr(module, name)(list(model.parameters()), **options)


def _stages(
    engine: Engine, model: Any, batch: Batch, make_optimiser: Any, clip: Any
) -> Iterator[tuple[str, Arrays]]:
    """What there is after each stage of each step, and the stage's name."""
    model = engine.copy(model, "float64")
    optimiser = make_optimiser(model)
    inputs = engine.tensor(batch.inputs)
    assert batch.targets is not None
    targets = engine.tensor(batch.targets).flatten()
    for _ in range(STEPS):
        optimiser.zero_grad()
        yield "zero_grad", _gradients(engine, model)
        for factor in (0.5, 2.0):
            loss = engine.cross_entropy(model(inputs).flatten(0, -2), targets)
            (loss * factor).backward()
        yield "backward", _gradients(engine, model)
        clip(list(model.parameters()), MAX_NORM)
        yield "clip_grad_norm_", _gradients(engine, model)
        optimiser.step()
        yield "step", {n: np.array(engine.array(p)) for n, p in model.named_parameters()}


def _gradients(engine: Engine, model: Any) -> Arrays:
    return {
        name: None if p.grad is None else np.array(engine.array(p.grad))
        for name, p in model.named_parameters()
    }


def _first_difference(op: str, ours: Arrays, theirs: Arrays) -> Finding | None:
    norms = [frobenius(b) for b in theirs.values() if b is not None]
    floor = FLOOR * max(norms, default=0.0)
    for name, right in theirs.items():
        gap = gap_between(ours[name], right, floor, RELATIVE)
        if not gap.agrees:
            what = f"after it, {name} differs, and before it everything agreed"
            return Finding(Kind.FORWARD, op, "training", f"training/{op}", name, what, gap=gap)
    return None
