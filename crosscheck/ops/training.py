"""Cases of optimisers: a few steps of training on both sides, compared stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from crosscheck.distance import gap_between, largest_gradient, relative_error
from crosscheck.draws import Stream, draws
from crosscheck.judge import FLOOR, ROUNDING
from crosscheck.ops.outcome import Outcome, form_in_words, larger
from crosscheck.ops.rounding import ratio_of
from crosscheck.ops.stages import MAX_NORM, stages
from crosscheck.sides import NUMPY, TORCH, Array, Dialect, Gradients
from crosscheck.tape.finding import short_place
from crosscheck.tape.raised import place_of
from crosscheck.weights import copy_weights, randomize

STEPS = 4


@dataclass(frozen=True)
class TrainingCase:
    """Some steps of an optimiser."""

    op: str  # what the case is about: the optimiser, or another stage
    name: str  # what is special in this case
    optimiser: str  # its class
    options: Mapping[str, Any] = field(default_factory=dict)  # of the optimiser
    max_norm: float = MAX_NORM  # of the gradients, after clipping
    grouped: Callable[[list[Any]], Any] = list  # what the optimiser is given of the parameters
    zeroed_by_model: bool = False  # whether it is the model whose zero_grad is called
    set_to_none: bool = True  # what zero_grad is asked for

    def examine(self, seed: int, dtype: str) -> Outcome:
        """Train both sides and judge. dtype: "float64", "float32" or "both".

        Of the stages that differ, the first is reported: what comes after it is inherited.
        """
        outcome = Outcome(self.op, self.name, tested=True)
        ours, theirs = _models(seed)
        truth = self._train(TORCH, theirs, seed, "float64")
        for precision in ("float64", "float32") if dtype == "both" else (dtype,):
            try:
                found = self._train(NUMPY, ours, seed, precision)
            except Exception as error:  # a wrong optimiser may raise anything
                what = f"in {precision}, it raised {type(error).__name__}: {error}"
                outcome.fail("", what, place=short_place(place_of(error)))
                continue
            if precision == "float64":
                _judge_double(found, truth, outcome)
            else:
                _judge_single(found, self._train(TORCH, theirs, seed, precision), truth, outcome)
        return outcome

    def _train(self, side: Dialect, model: Any, seed: int, dtype: str) -> dict[str, Gradients]:
        """Return what each stage of each step leaves, by step and stage and by array.

        The loss is linear in the parameters, and in each step another one. So a gradient does not
        depend on the steps before it, and float32 has no way to grow one step's error in the next.
        """

        def loss(model: Any, step: int) -> Any:
            generator = draws(Stream.COTANGENT, (seed, step))
            total: Any = 0.0
            for parameter in model.parameters():
                slopes = generator.standard_normal(tuple(parameter.shape)).astype(np.float32)
                total = total + (parameter * side.tensor(slopes.astype(dtype))).sum()
            return total

        run = stages(
            side, model, loss, self.optimiser, self.options,
            steps=STEPS, dtype=dtype, max_norm=self.max_norm, grouped=self.grouped,
            zeroed_by_model=self.zeroed_by_model, set_to_none=self.set_to_none,
        )  # fmt: skip
        return {f"step {i // 4 + 1}, after {stage}": left for i, (stage, left) in enumerate(run)}


def _models(seed: int) -> tuple[Any, Any]:
    """Return two layers on both sides, with equal weights."""

    def build(side: Dialect) -> Any:
        nn = side.library.nn
        return nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3))

    ours, theirs = build(NUMPY), build(TORCH)
    randomize(theirs, seed)
    copy_weights(theirs, ours)
    return ours, theirs


def _judge_double(
    found: dict[str, Gradients], truth: dict[str, Gradients], outcome: Outcome
) -> None:
    for stage, right in truth.items():
        floor = FLOOR * largest_gradient(right.values())
        for name, array in right.items():
            gap = gap_between(found[stage][name], array, floor)
            if not gap.form:
                outcome.error = larger(outcome.error, gap.error)
            if not gap.agrees:
                what = (
                    form_in_words(gap)
                    or f"ours differs from PyTorch's: relative error {gap.error:.1e}"
                )
                outcome.fail(name, f"{stage}, {what}, and before it everything agreed", gap=gap)
                return


def _judge_single(
    found: dict[str, Any],
    rival: dict[str, Gradients],
    truth: dict[str, Gradients],
    outcome: Outcome,
) -> None:
    for stage, right in truth.items():
        for name, array in right.items():
            ours, theirs = (_error(run[stage][name], array) for run in (found, rival))
            ratio = ratio_of(ours, theirs)
            outcome.ratio = larger(outcome.ratio, ratio)
            if ratio > ROUNDING:
                what = f"float32 error {ours:.1e}, PyTorch's own is {theirs:.1e}"
                outcome.fail(name, f"{stage}, {what}")
                return


def _error(single: Array | None, truth: Array | None) -> float:
    if single is None or truth is None:
        return 0.0 if single is truth else float("inf")
    return relative_error(single, truth)


def _two_groups(parameters: list[Any]) -> list[dict[str, Any]]:
    """The first layer has a learning rate of its own."""
    return [{"params": parameters[:2], "lr": 0.3}, {"params": parameters[2:]}]


def _some(parameters: list[Any]) -> list[Any]:
    """The optimiser is given the weights, and not the biases."""
    return parameters[::2]


_sgd = partial(TrainingCase, "SGD", optimiser="SGD")
_adamw = partial(TrainingCase, "AdamW", optimiser="AdamW")
_adam = partial(TrainingCase, "Adam", optimiser="Adam")
_clip = partial(TrainingCase, "clip_grad_norm_", optimiser="SGD", options={"lr": 0.1})
_zero = partial(TrainingCase, "zero_grad", options={"lr": 0.1})
MOMENTUM = {"lr": 0.1, "momentum": 0.9}

TRAINING_CASES = (
    _sgd("as it comes"),
    _sgd("momentum", options=MOMENTUM),
    _sgd("momentum with dampening", options={**MOMENTUM, "dampening": 0.1}),
    _sgd("Nesterov's momentum", options={**MOMENTUM, "nesterov": True}),
    _sgd("weight decay", options={"lr": 0.1, "weight_decay": 0.05}),
    _sgd("everything", options={**MOMENTUM, "nesterov": True, "weight_decay": 0.05}),
    _sgd("two groups", options=MOMENTUM, grouped=_two_groups),
    _sgd("weights only", options=MOMENTUM, grouped=_some),
    _adamw("as it comes"),
    _adamw("a large step", options={"lr": 0.1}),
    _adamw("a large eps", options={"lr": 0.1, "eps": 0.1}),
    _adamw("other betas", options={"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-4}),
    _adamw("betas of zero", options={"lr": 0.1, "betas": (0.0, 0.0), "eps": 1e-4}),
    _adamw("weight decay", options={"lr": 0.1, "weight_decay": 0.3, "eps": 1e-4}),
    _adamw("no weight decay", options={"lr": 0.1, "weight_decay": 0.0, "eps": 1e-4}),
    _adamw("two groups", options={"lr": 0.01, "eps": 1e-4}, grouped=_two_groups),
    _adamw("weights only", options={"lr": 0.1, "eps": 1e-4}, grouped=_some),
    _adam("as it comes"),
    _adam("a large step", options={"lr": 0.1}),
    _adam("other betas", options={"lr": 0.1, "betas": (0.5, 0.7), "eps": 1e-4}),
    _adam("weight decay", options={"lr": 0.1, "weight_decay": 0.3, "eps": 1e-4}),
    _adam("two groups", options={"lr": 0.01, "eps": 1e-4}, grouped=_two_groups),
    _clip("far below the norm", max_norm=1e-3),
    _clip("below the norm", max_norm=0.5),
    _clip("above the norm", max_norm=1e3),
    _zero("by SGD", optimiser="SGD"),
    _zero("by AdamW", optimiser="AdamW"),
    _zero("two groups", optimiser="SGD", grouped=_two_groups),
    _zero("by the model", optimiser="SGD", zeroed_by_model=True),
    _zero("to zeros", optimiser="AdamW", set_to_none=False),
    _zero("to zeros, by the model", optimiser="AdamW", zeroed_by_model=True, set_to_none=False),
)
