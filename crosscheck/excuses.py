"""Errors in float32 that no op is to blame for."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from crosscheck.amplification import HOPELESS
from crosscheck.judge import ROUNDING, Verdict
from crosscheck.report import Report
from crosscheck.row import Comparison, Row
from crosscheck.runs import Batch
from crosscheck.tape import is_composed

CALM = 1e-3  # a float32 error of the reference from which on anything may be amplified
SMALL = 1e-6  # of the largest gradient: what is smaller says nothing of how calm a model is


def excused(report: Report, model: Any, batch: Batch) -> Report:
    """Excuse float32 errors of our engine's run, where each op alone is right.

    If the run is made of its ops and of nothing else, then the errors are theirs, amplified: at the
    kink of a ReLU, for instance, more than the draws of the reference have shown. But where the
    reference itself is calm, nothing amplifies an error beyond HOPELESS.
    """
    comparisons = tuple(
        _excused(comparison)
        if any(row.verdict.wrong for row in comparison.rows)
        and is_composed(model, batch, loss=comparison.loss, seed=report.seed)
        else comparison
        for comparison in report.comparisons
    )
    return dataclasses.replace(report, comparisons=comparisons)


def is_wrong_in_float32_only(row: Row, dtype: str) -> bool:
    """Whether float64 finds nothing wrong in a row. dtype: "both", "float64" or "float32"."""
    if row.verdict == Verdict.NOT_FINITE:
        return dtype == "float32" or math.isfinite(row.norm or 0.0)  # the norm is of float64
    return row.verdict == Verdict.ROUNDING


def _excused(comparison: Comparison) -> Comparison:
    largest = max((row.norm_reference or 0.0 for row in comparison.gradients), default=0.0)
    large = {row.name for row in comparison.rows if (row.norm_reference or 0.0) > SMALL * largest}
    errors = [row.rounding_reference or 0.0 for row in comparison.rows if row.name in large]
    is_calm = all(error < CALM for error in errors)

    def excuse(row: Row) -> Row:
        if row.verdict == Verdict.NOT_FINITE:
            reason = f"{row.reason}, beyond float32's range: nothing is tested here"
            return dataclasses.replace(row, verdict=Verdict.VACUOUS, reason=reason)
        is_far = (row.rounding_ratio or 0.0) > HOPELESS * ROUNDING
        if not row.verdict.wrong or (is_calm and is_far and row.name in large):
            return row
        reason = f"{row.reason}; but each op alone is right, and nothing happens between them"
        return dataclasses.replace(row, verdict=Verdict.AGREE, reason=reason)

    return dataclasses.replace(
        comparison,
        outputs=tuple(map(excuse, comparison.outputs)),
        gradients=tuple(map(excuse, comparison.gradients)),
    )
