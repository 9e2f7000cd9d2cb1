"""A comparison of two brought models as text: what ran, the answers, every gradient, the source."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, RenderableType
from rich.text import Text

from crosscheck.conclusion import conclusion, summary
from crosscheck.cuts import annotated
from crosscheck.judge import Verdict
from crosscheck.printing import hanging, plural, print_sections, two_columns
from crosscheck.report import Report
from crosscheck.tables import gradient_table

SAME_OUTPUT = 1e-5  # what two float32 outputs may differ by: the study track's own test
LISTED = 6  # rows in words
LISTED_FEW = 1  # where the source is shown, which says more


def print_comparison(report: Report, console: Console, heading: Mapping[str, str]) -> None:
    """Print everything. heading: what was compared, as terms and what is said of them."""
    print_sections(_sections(report, console, heading), console)


def _sections(report: Report, console: Console, heading: Mapping[str, str]) -> list[RenderableType]:
    sections: list[RenderableType] = [two_columns({**heading, **_answers(report)}, "bold")]
    if report.comparisons:
        first, *others = report.comparisons
        table, _ = gradient_table(first, report.dtype, console, ("yours", "reference"))
        sections += [table, *(summary(comparison, report.dtype) for comparison in others)]
    if not report.agrees:
        sections += _what_is_wrong(report, console)
    notes = [hanging(f"Note: {note}.", console.width) for note in report.notes]
    if notes:
        sections.append(Text("\n".join(["", *notes]), "yellow"))
    if report.cuts is not None:
        sections += [Text(), annotated(report.cuts, console.width)]
    sections.append(Text())
    verdicts = [row.verdict for c in report.comparisons for row in c.rows]
    return [*sections, conclusion(verdicts, report.comparisons, report.dtype, report.raised)]


def _answers(report: Report) -> dict[str, str]:
    """Return what the study track asks first: the shape of the output, and how far it is off."""
    if not report.comparisons:
        return {}
    row = report.comparisons[0].outputs[0]
    shape = "x".join(map(str, row.shape)) or "scalar"
    if row.verdict == Verdict.SHAPE:
        return {"output": f"its shape differs: {row.reason}"}
    said = [f"shape {shape}, as the reference's"]
    if (single := report.differences.get("float32")) is not None:
        within = "within" if single < SAME_OUTPUT else "not within"
        said.append(f"{single:.1e} apart in float32, {within} {SAME_OUTPUT:g}")
    if (double := report.differences.get("float64")) is not None:
        said.append(f"{double:.1e} apart in float64")
    return {"output": "; ".join(said)}


def _what_is_wrong(report: Report, console: Console) -> list[RenderableType]:
    """Spell out the first rows that fail, and the ops where they were born, for our engine."""
    listed = LISTED if report.cuts is None else LISTED_FEW
    wrong = report.failures
    lines = [f"{row.name} (under {loss}): {row}" for loss, row in wrong[:listed]]
    if (more := len(wrong) - listed) > 0:
        lines.append(f"... and {more} more {plural(more, 'row', 'rows')}, in the table above")
    if report.first_not_finite:
        lines.insert(0, report.first_not_finite)
    if report.localisation is not None and str(report.localisation):
        lines.insert(0, str(report.localisation))
    said = hanging("\n".join(lines), console.width)
    return [Text(f"\n{said}", "red" if report.disagrees else "yellow")]
