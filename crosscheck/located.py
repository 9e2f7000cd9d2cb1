"""Where a disagreement was born: in an op, beside a mirror; in a line, beside anything else."""

from __future__ import annotations

import dataclasses
from typing import Any

from crosscheck.brought.behaviour import is_coarse
from crosscheck.cuts import find_cuts
from crosscheck.excuses import excused, is_wrong_in_float32_only
from crosscheck.judge import Verdict
from crosscheck.maps.pairing import Pairing
from crosscheck.report import Report
from crosscheck.runs import Batch
from crosscheck.sides import NUMPY, TORCH, side_of
from crosscheck.tape import first_not_finite, localise, localise_rounding


def located_exception(report: Report, paired: Pairing, batch: Batch, loss: str) -> Report:
    """Add to the report who raised the exception that ended our engine's run."""
    where = localise(paired.model, paired.reference, batch, loss=loss, seed=report.seed)
    return dataclasses.replace(report, localisation=where)


def located(report: Report, paired: Pairing, batch: Batch) -> Report:
    """Add to a report of disagreement where it was born; or excuse what no op is to blame for."""
    if side_of(paired.model) is not NUMPY or side_of(paired.reference) is not TORCH:
        return _by_cuts(report, paired, batch)
    return _by_tapes(report, paired.model, paired.reference, batch)


def _by_tapes(report: Report, model: Any, reference: Any, batch: Batch) -> Report:
    only_float32 = _is_only_float32(report)
    search = localise_rounding if only_float32 else localise
    where = search(model, reference, batch, loss=report.wrong[0][0], seed=report.seed)
    if only_float32 and not where.findings:
        report = excused(report, model, batch)
    if any(row.verdict == Verdict.NOT_FINITE for _, row in report.wrong):
        report = dataclasses.replace(report, first_not_finite=first_not_finite(model, batch))
    return dataclasses.replace(report, localisation=where) if report.wrong else report


def _by_cuts(report: Report, paired: Pairing, batch: Batch) -> Report:
    if all(row.verdict == Verdict.DTYPE for _, row in report.wrong):
        said = "no line is named: the numbers are right, and only their type is not"
    elif _is_only_float32(report) and report.dtype != "float32":
        said = "float64 agrees everywhere, so no line is wrong: float32 loses too many digits"
    elif report.dtype == "float32" and is_coarse(paired.model, batch):
        said = (
            "no line is named: lines are told apart in float64, and the model computes in float32"
        )
    elif side_of(paired.reference) is not TORCH:
        said = "no line is named: only a reference in PyTorch shows what its values are"
    else:
        cuts = find_cuts(paired, batch, loss=report.wrong[0][0], seed=report.seed)
        return dataclasses.replace(report, cuts=cuts)
    return dataclasses.replace(report, notes=(*report.notes, said))


def _is_only_float32(report: Report) -> bool:
    return all(is_wrong_in_float32_only(row, report.dtype) for _, row in report.wrong)
