"""`compare`: run two models with the same weights on the same batch, and judge every array."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.choices import DTYPES
from crosscheck.distance import largest_gradient, norm, relative_error
from crosscheck.forms import are_fast_forms_on
from crosscheck.in_projection import is_key_bias, with_parts
from crosscheck.judge import (
    FLOOR,
    FLOOR32,
    Judgement,
    Verdict,
    judge_form,
    judge_gradient,
    judge_output,
    judge_rounding,
    judge_zero,
)
from crosscheck.report import Comparison, Report, Row
from crosscheck.runs import COTANGENT, CROSS_ENTROPY, Batch, Run, run
from crosscheck.sides import NUMPY, TORCH, Array, side_of
from crosscheck.tape import first_not_finite, localise
from crosscheck.weights import get_weights


def compare(
    model: Any, reference: Any, batch: Batch, *, dtype: str = "both", seed: int = 0
) -> Report:
    """Compare outputs and all gradients of two models that hold the same weights.

    model: a `tinygrad_tf.nn.Module`, or a `ForeignModel` of any engine. reference: a
    `torch.nn.Module`. They are copied, never changed, and run in evaluation mode (two engines
    cannot draw the same dropout), under a random cotangent drawn from the seed and, if the batch
    has targets, under cross-entropy. dtype: "float64" for the verdict, "float32" for the rounding
    errors, "both". Where something disagrees, another run says in which op it was born. Raises
    ValueError when the weights differ, or for an unknown dtype, and TypeError for models of the
    same engine: one compared with its like would prove nothing.
    """
    if dtype not in DTYPES:
        raise ValueError(f"compare: dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
    _require_sides(model, reference)
    _require_equal_weights(model, reference)
    losses = [COTANGENT] if batch.targets is None else [CROSS_ENTROPY, COTANGENT]
    comparisons = tuple(
        _compare_under(loss, model, reference, batch, dtype, seed) for loss in losses
    )
    verdicts = {row.verdict for comparison in comparisons for row in comparison.rows}
    report = Report(dtype, seed, comparisons)
    if side_of(model) is not NUMPY:
        return report  # only our own engine can be taped
    report = dataclasses.replace(report, fast=are_fast_forms_on())
    if Verdict.NOT_FINITE in verdicts:
        report = dataclasses.replace(report, first_not_finite=first_not_finite(model, batch))
    disagreeing = [loss for loss, row in report.failures if row.verdict != Verdict.VACUOUS]
    if not disagreeing:
        return report
    where = localise(model, reference, batch, loss=disagreeing[0], seed=seed)
    return dataclasses.replace(report, localisation=where)


def _require_sides(model: Any, reference: Any) -> None:
    ours, theirs = side_of(model), side_of(reference)
    if ours == theirs:
        raise TypeError(
            f"compare: model and reference are both {ours.name} models: one compared with its like "
            "would prove nothing"
        )
    if theirs is not TORCH:
        raise TypeError(f"compare: reference is a {theirs.name} model, expected one of PyTorch")


def _require_equal_weights(model: Any, reference: Any) -> None:
    ours, theirs = get_weights(model), get_weights(reference)
    differing = [
        name
        for name in ours.keys() & theirs.keys()
        if not np.array_equal(ours[name], theirs[name], equal_nan=True)
    ]
    if differing:
        raise ValueError(
            f"compare: the models' weights differ in {', '.join(sorted(differing))}; "
            "call copy_weights(reference, model) first"
        )


@dataclass(frozen=True)
class _Quartet:
    """The same thing from each of four runs.

    It is None for a run that was not asked for.
    """

    ours64: Any  # the model's, in float64
    theirs64: Any  # the reference's, in float64: the truth for all others
    ours32: Any  # the model's, in float32
    theirs32: Any  # the reference's, in float32

    def map(self, function: Callable[[Any], Any]) -> _Quartet:
        """Return the value of the function for each run that was asked for."""
        four = (self.ours64, self.theirs64, self.ours32, self.theirs32)
        return _Quartet(*(None if one is None else function(one) for one in four))


def _compare_under(
    loss: str, model: Any, reference: Any, batch: Batch, dtype: str, seed: int
) -> Comparison:
    def one(model: Any, precision: str, wanted: bool) -> Run | None:
        return run(model, batch, dtype=precision, loss=loss, seed=seed) if wanted else None

    runs = _Quartet(
        one(model, "float64", dtype != "float32"),
        one(reference, "float64", True),
        one(model, "float32", dtype != "float64"),
        one(reference, "float32", dtype != "float64"),
    )
    outputs = [_row("output", runs.map(lambda run: run.output), dtype)]
    if loss == CROSS_ENTROPY:
        outputs.append(_row("loss", runs.map(lambda run: run.loss), dtype))
    ours, theirs = runs.ours64 or runs.ours32, runs.theirs64
    gradients = _gradient_rows(runs, dtype)
    return Comparison(loss, ours.loss.item(), theirs.loss.item(), tuple(outputs), gradients)


def _gradient_rows(runs: _Quartet, dtype: str) -> tuple[Row, ...]:
    """One row for each gradient that either side has or should have."""
    gradients = runs.map(lambda run: dict(with_parts(run.gradients)))
    ours = gradients.ours64 or gradients.ours32
    names = [*ours, *(name for name in gradients.theirs64 if name not in ours)]
    largest = largest_gradient(gradients.theirs64.values())

    def sides(name: str) -> _Quartet:
        return gradients.map(lambda side: side.get(name))

    return tuple(_row(name, sides(name), dtype, largest) for name in names)


def _row(name: str, arrays: _Quartet, dtype: str, largest: float | None = None) -> Row:
    """Judge one array. largest: the norm of the largest gradient, None if this is an output."""
    judgements = []
    if dtype != "float32":
        judgements.append(_judge_double(name, arrays.ours64, arrays.theirs64, largest))
    if dtype != "float64":
        judgements.append(_judge_single(name, arrays, largest))
    worst = next((j for j in judgements if not j.verdict.good), judgements[0])
    ours = arrays.ours32 if dtype == "float32" else arrays.ours64
    theirs = arrays.theirs64
    return Row(
        name=name,
        shape=next((array.shape for array in (ours, theirs) if array is not None), ()),
        norm=None if ours is None else norm(ours),
        norm_reference=None if theirs is None else norm(theirs),
        error=None if dtype == "float32" else judgements[0].error,
        rounding=_rounding(arrays.ours32, theirs),
        rounding_reference=_rounding(arrays.theirs32, theirs),
        verdict=worst.verdict,
        reason=worst.reason,
    )


def _judge_double(name: str, a: Array | None, b: Array | None, largest: float | None) -> Judgement:
    form = judge_form(a, b, "float64")
    if form is not None or a is None or b is None:
        return form or Judgement(Verdict.MISSING, "")
    if largest is not None and is_key_bias(name):
        return judge_zero(a, b, FLOOR * largest)
    return _judge_values(a, b, largest)


def _judge_values(a: Array, b: Array, largest: float | None) -> Judgement:
    return judge_output(a, b) if largest is None else judge_gradient(a, b, largest)


def _judge_single(name: str, arrays: _Quartet, largest: float | None) -> Judgement:
    form = judge_form(arrays.ours32, arrays.theirs32, "float32")
    if form is not None:
        return form
    if largest is not None and is_key_bias(name):
        return judge_zero(arrays.ours32, arrays.theirs32, FLOOR32 * largest)
    truth = arrays.theirs64
    ours, theirs = (_rounding(a, truth) for a in (arrays.ours32, arrays.theirs32))
    if ours is None or theirs is None:
        return Judgement(Verdict.MISSING, "the reference has none in float64")
    # Where the truth vanishes both sides are all rounding, and their ratio says nothing.
    itself = _judge_values(truth, truth, largest)
    return itself if itself.verdict == Verdict.VACUOUS else judge_rounding(ours, theirs)


def _rounding(single: Array | None, truth: Array | None) -> float | None:
    if single is None or truth is None or single.shape != truth.shape:
        return None
    return relative_error(single, truth)
