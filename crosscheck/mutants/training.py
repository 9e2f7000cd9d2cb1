"""Training on both sides, compared stage by stage."""

from __future__ import annotations

from typing import Any

from crosscheck.distance import gap_between, largest_gradient
from crosscheck.judge import FLOOR
from crosscheck.ops.stages import Loss, stages
from crosscheck.runs import Batch
from crosscheck.sides import NUMPY, TORCH, Dialect, Gradients
from crosscheck.tape.finding import Finding, Kind

OPTIMISERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.05},
    "AdamW": {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-4},
}
STAGES = ("zero_grad", "backward", "clip_grad_norm_", *OPTIMISERS)


def check_training(model: Any, reference: Any, batch: Batch) -> tuple[Finding, ...]:
    """Train both models with each optimiser. The first stage at which they differ is the finding.

    The models are copied, never changed.
    """
    findings = []
    for name, options in OPTIMISERS.items():
        ours, theirs = (
            stages(side, one, _loss(side, batch), name, options)
            for side, one in ((NUMPY, model), (TORCH, reference))
        )
        try:
            for (stage, a), (_, b) in zip(ours, theirs, strict=True):
                if (found := _first_difference(stage, a, b)) is not None:
                    findings.append(found)
                    break
        except Exception as error:  # a planted bug may raise anything
            what = f"it raised {type(error).__name__}: {error}"
            findings.append(Finding(Kind.RAISED, name, "training", name, "", what))
    return tuple(findings)


def _loss(side: Dialect, batch: Batch) -> Loss:
    inputs, targets = side.tensor(batch.inputs), side.tensor(batch.targets)
    return lambda model, step: side.cross_entropy(model(inputs), targets)


def _first_difference(op: str, ours: Gradients, theirs: Gradients) -> Finding | None:
    floor = FLOOR * largest_gradient(theirs.values())
    for name, right in theirs.items():
        gap = gap_between(ours[name], right, floor)
        if not gap.agrees:
            what = f"after it, {name} differs, and before it everything agreed"
            return Finding(Kind.FORWARD, op, "training", f"training/{op}", name, what, gap=gap)
    return None
