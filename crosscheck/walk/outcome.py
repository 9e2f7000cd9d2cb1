"""The verdict of the plain run, in short."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crosscheck.conclusion import conclusion
from crosscheck.report import Report
from crosscheck.walk.schema import Outcome


def outcome_of(report: Report, notes: Sequence[str] = ()) -> Outcome:
    """Return the verdict of the plain run, and its last line. notes: beside the report's."""
    rows = [row for comparison in report.comparisons for row in comparison.rows]
    errors = [row.error for row in rows if row.error is not None and row.verdict.good]
    verdicts = [row.verdict for row in rows]
    said = conclusion(verdicts, report.comparisons, report.dtype, report.raised)
    return Outcome(
        agrees=report.agrees,
        disagrees=report.disagrees,
        rows=len(rows),
        failing=len(report.failures),
        largest_error=max(filter(math.isfinite, errors), default=None),
        said=said.plain,
        notes=tuple(dict.fromkeys((*notes, *report.notes))),
    )


def loss_of(report: Report, usual: str) -> str:
    """Return the loss to walk back from: the first under which something is wrong, or the usual."""
    return report.wrong[0][0] if report.wrong else usual
