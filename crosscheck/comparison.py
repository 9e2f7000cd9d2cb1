"""`compare`: run two models with the same weights on the same batch, and judge every array."""

from __future__ import annotations

import dataclasses
from typing import Any

from crosscheck.amplification import Amplification
from crosscheck.answers import is_wrong_call
from crosscheck.called_rightly import require_equal_weights, require_sides
from crosscheck.choices import DTYPES
from crosscheck.distance import largest_gradient
from crosscheck.excuses import excused, is_wrong_in_float32_only
from crosscheck.forms import are_fast_forms_on
from crosscheck.four_runs import Quartet, Rows, gradient_names
from crosscheck.judge import FLOOR, Verdict
from crosscheck.report import Report
from crosscheck.row import Comparison
from crosscheck.runs import COTANGENT, CROSS_ENTROPY, Batch, Run, run
from crosscheck.sides import NUMPY, side_of
from crosscheck.tape import (
    first_not_finite,
    is_of_engine,
    localise,
    localise_rounding,
)
from crosscheck.zeros import Zeros


def compare(
    model: Any, reference: Any, batch: Batch, *, dtype: str = "both", seed: int = 0
) -> Report:
    """Compare outputs and all gradients of two models that hold the same weights.

    model: a `tinygrad_tf.nn.Module`, or a `ForeignModel` of any engine. reference: a
    `torch.nn.Module`. batch: a `Batch`, or the bare inputs: an array, a tensor or nested lists. The
    output is one tensor; of a tuple or list such as (logits, None), it is the only one that is not
    None. The models are copied, never changed, and run in evaluation mode (two engines cannot draw
    the same dropout), under a random cotangent drawn from the seed and, if the batch has targets,
    under cross-entropy. dtype: "float64" for the verdict, "float32" for the rounding errors,
    "both". Where something disagrees, or our engine raises where the reference does not, another
    run says in which op it was born.

    Raises ValueError when the weights differ or have other names or shapes, and for an unknown
    dtype; TypeError for models of the same engine (one compared with its like would prove nothing),
    for inputs of the wrong kind, and for an output that is not floats in one tensor. These messages
    begin with "compare:". What the reference or a ForeignModel raises is not caught.
    """
    if dtype not in DTYPES:
        raise ValueError(f"compare: dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
    require_sides(model, reference)
    require_equal_weights(model, reference)
    batch = Batch.of(batch)
    losses = [COTANGENT] if batch.targets is None else [CROSS_ENTROPY, COTANGENT]
    report = Report(dtype, seed, (), fast=side_of(model) is NUMPY and are_fast_forms_on())
    try:
        zeros = Zeros(reference, batch, seed)
        comparisons = tuple(
            _compare_under(loss, model, reference, batch, dtype, seed, zeros) for loss in losses
        )
    except _OursRaisedError as raised:
        where = localise(model, reference, batch, loss=losses[0], seed=seed)
        return dataclasses.replace(report, raised=str(raised), localisation=where)
    report = dataclasses.replace(report, comparisons=comparisons)
    if side_of(model) is not NUMPY:
        return report  # only our own engine can be taped
    if not report.wrong:
        return report
    only_float32 = all(is_wrong_in_float32_only(row, dtype) for _, row in report.wrong)
    search = localise_rounding if only_float32 else localise
    where = search(model, reference, batch, loss=report.wrong[0][0], seed=seed)
    if only_float32 and not where.findings:
        report = excused(report, model, batch)
    if any(row.verdict == Verdict.NOT_FINITE for _, row in report.wrong):
        report = dataclasses.replace(report, first_not_finite=first_not_finite(model, batch))
    return dataclasses.replace(report, localisation=where) if report.wrong else report


class _OursRaisedError(Exception):
    """Our engine's run ended with this exception, where the reference's did not."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")


def _compare_under(
    loss: str, model: Any, reference: Any, batch: Batch, dtype: str, seed: int, zeros: Zeros
) -> Comparison:
    runs = _four_runs(model, reference, batch, dtype=dtype, loss=loss, seed=seed)
    theirs = runs.theirs64.by_part
    largest = largest_gradient(theirs.values())
    nearby = {
        precision: Amplification(reference, batch, dtype=precision, loss=loss, seed=seed)
        for precision in ("float64", "float32")
    }
    rows = Rows(runs, dtype, nearby, zeros.among(theirs, FLOOR * largest, loss), largest)
    outputs = [rows.output("output", lambda run: run.output)]
    if loss == CROSS_ENTROPY:
        outputs.append(rows.output("loss", lambda run: run.loss))
    ours = runs.ours64 or runs.ours32
    gradients = tuple(rows.gradient(name) for name in gradient_names(runs))
    return Comparison(loss, ours.loss.item(), runs.theirs64.loss.item(), tuple(outputs), gradients)


def _four_runs(
    model: Any, reference: Any, batch: Batch, *, dtype: str, loss: str, seed: int
) -> Quartet:
    """Run both sides in the precisions that are asked for.

    Raises _OursRaisedError if an op of ours raises, and the reference does not: a wrong rule may
    raise whatever it likes. What the code of a model raises is not caught.
    """

    def one(model: Any, precision: str) -> Run:
        return run(model, batch, dtype=precision, loss=loss, seed=seed)

    def ours(precision: str) -> Run:
        try:
            return one(model, precision)
        except Exception as error:
            if side_of(model) is not NUMPY or is_wrong_call(error) or not is_of_engine(error):
                raise
            one(reference, precision)  # what it cannot run either is no fault of ours
            raise _OursRaisedError(error) from error

    return Quartet(
        ours("float64") if dtype != "float32" else None,
        one(reference, "float64"),
        ours("float32") if dtype != "float64" else None,
        one(reference, "float32") if dtype != "float64" else None,
    )
