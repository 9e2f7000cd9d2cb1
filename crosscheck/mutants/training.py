"""Training on both sides: two gradients added up, clipped, and a step taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from crosscheck.distance import gap_between, largest_gradient
from crosscheck.judge import FLOOR
from crosscheck.runs import Batch
from crosscheck.sides import NUMPY, TORCH, Dialect, Gradients
from crosscheck.tape.finding import Finding, Kind

STEPS, MAX_NORM = 3, 0.5

OPTIMISERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.05},
    "AdamW": {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-4},
}
STAGES = ("zero_grad", "backward", "clip_grad_norm_", *OPTIMISERS)


def check_training(model: Any, reference: Any, batch: Batch) -> tuple[Finding, ...]:
    """Train both models with each optimiser. The first stage at which they differ is the finding.

    Each step adds up the gradients of two multiples of the loss, so that a second backward counts.
    The models are copied, never changed.
    """
    findings = []
    for name in OPTIMISERS:
        ours, theirs = _stages(NUMPY, model, batch, name), _stages(TORCH, reference, batch, name)
        try:
            for (stage, a), (_, b) in zip(ours, theirs, strict=True):
                if (found := _first_difference(stage, a, b)) is not None:
                    findings.append(found)
                    break
        except Exception as error:  # a planted bug may raise anything
            what = f"it raised {type(error).__name__}: {error}"
            findings.append(Finding(Kind.RAISED, name, "training", name, "", what))
    return tuple(findings)


def _stages(
    side: Dialect, model: Any, batch: Batch, optimiser_name: str
) -> Iterator[tuple[str, Gradients]]:
    """Yield the name of each stage of each step, and the gradients or the weights after it."""
    model = side.copy(model, "float64")
    parameters = list(model.parameters())
    optimiser = getattr(side.library.optim, optimiser_name)(
        parameters, **OPTIMISERS[optimiser_name]
    )
    inputs, targets = side.tensor(batch.inputs), side.tensor(batch.targets)
    for _ in range(STEPS):
        optimiser.zero_grad()
        yield "zero_grad", _gradients(side, model)
        for factor in (0.5, 2.0):
            (side.cross_entropy(model(inputs), targets) * factor).backward()
        yield "backward", _gradients(side, model)
        side.clip_grad_norm(parameters, MAX_NORM)
        yield "clip_grad_norm_", _gradients(side, model)
        optimiser.step()
        yield optimiser_name, dict(side.weights(model))


def _gradients(side: Dialect, model: Any) -> Gradients:
    """Return copies of the gradients: clipping writes into them."""
    gradients = side.gradients(model)
    return {name: None if g is None else np.array(g) for name, g in gradients.items()}


def _first_difference(op: str, ours: Gradients, theirs: Gradients) -> Finding | None:
    floor = FLOOR * largest_gradient(theirs.values())
    for name, right in theirs.items():
        gap = gap_between(ours[name], right, floor)
        if not gap.agrees:
            what = f"after it, {name} differs, and before it everything agreed"
            return Finding(Kind.FORWARD, op, "training", f"training/{op}", name, what, gap=gap)
    return None
