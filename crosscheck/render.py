"""The result as text for a terminal, which also reads well in a file."""

from __future__ import annotations

import math

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.check import Check
from crosscheck.distance import RELATIVE
from crosscheck.in_projection import is_part
from crosscheck.judge import ROUNDING, ROUNDING_FLOOR, Verdict
from crosscheck.models import ModelOptions
from crosscheck.parity import parity_failures
from crosscheck.printing import hanging, plural, print_sections, two_columns
from crosscheck.row import Comparison
from crosscheck.tables import gradient_table, parity_table, shown_error

PRECISIONS = {"both": "float64 and float32"}
MASKS = {
    "none": "no mask",
    "causal": "causal mask",
    "padding": "padding mask",
    "both": "causal and padding masks",
    "float": "biases and -1e9 as a float mask",
}


def print_check(check: Check, console: Console) -> None:
    """Print everything: what was run, the loss, the gradients, the parity, the verdict."""
    print_sections(_sections(check, console), console)


def _sections(check: Check, console: Console) -> list[RenderableType]:
    dtype = check.report.dtype
    sections: list[RenderableType] = [_heading(check), _loss_lines(check)]
    if check.report.comparisons:  # empty if our engine raised
        first, *others = check.report.comparisons
        table, has_ratio = gradient_table(first, dtype, console)
        sections += [table, _legend(first, dtype, has_ratio)]
        sections += [_summary(comparison, dtype) for comparison in others]
    parity: RenderableType = Text(
        "nn.TransformerEncoderLayer has no such form: no parity to test\n"
    )
    if check.parity:
        parity = parity_table(check.parity, check.options.width, console)
    sections.append(parity)
    if said := _parity_failures(check):
        sections.append(Text(hanging(said, console.width), "red"))
    if not check.report.agrees:
        said = hanging(str(check.report), console.width)
        sections.append(Text(said, "red" if check.report.disagrees else "yellow"))
    return [*sections, _verdict(check)]


def _parity_failures(check: Check) -> str:
    """What is said below the parity's table. Findings that the report has too stand there."""
    where, known = check.parity_localisation, check.report.localisation
    if where is not None and known is not None:
        told = {(finding.op, finding.argument) for finding in known.findings}
        if {(finding.op, finding.argument) for finding in where.findings} <= told:
            where = None
    return parity_failures(check.parity, where)


def _heading(check: Check) -> Table:
    model, versions, report = check.options, check.versions, check.report
    details = [
        f"{model.norm}-norm" if model.norm != "none" else "no norm",
        "residual" if model.residual else "no residual",
        model.activation,
        f"{model.position} positions",
        *([] if model.bias else ["no bias"]),
        *(["tied weights"] if model.tie_weights else []),
    ]
    lines = {
        "engines": f"tinygrad_tf {versions['tinygrad_tf']} on NumPy {versions['numpy']}, "
        f"against PyTorch {versions['torch']} (Python {versions['python']})",
        "model": f"{model.layers} blocks, width {model.width}, {model.heads} heads, "
        f"feed-forward {model.feed_forward}, {', '.join(details)}",
        **_attention(model),
        "parameters": f"{check.parameters:,}",
        "text": f"{len(check.corpus.text):,} characters, {check.vocab_size} distinct: "
        f"{check.corpus.source}",
        "batch": f"{check.batch_size} windows of {model.context} characters, "
        f"the first: {check.sample!r}",
        "precision": f"{PRECISIONS.get(report.dtype, report.dtype)}, seed {check.seed}; "
        + ("our float32 by the fast forms" if report.fast else "every op by its page"),
    }
    return two_columns(lines, "bold")


def _attention(model: ModelOptions) -> dict[str, str]:
    """Return the line on attention; none for what runs if nobody asks for another."""
    if (model.mask, model.attention) == ("causal", "written"):
        return {}
    how = {"written": "written out", "packed": "packed, against PyTorch's fused"}
    return {"attention": f"{how.get(model.attention, model.attention)}; {MASKS[model.mask]}"}


def _loss_lines(check: Check) -> Text:
    initial = {
        side: "raised" if loss is None else f"{loss:.6f}"
        for side, loss in check.initial_loss.items()
    }
    uniform = math.log(check.vocab_size)
    return Text(
        f"\nInitial loss   NumPy {initial['numpy']}   PyTorch {initial['torch']}"
        f"   (guessing among {check.vocab_size} characters: ln {check.vocab_size} = {uniform:.4f})"
        "\nThen every parameter is randomised, so that no zero or one can hide a bug."
    )


def _legend(comparison: Comparison, dtype: str, has_ratio: bool) -> Table:
    lines = {"error": f"|NumPy - PyTorch| / |PyTorch| in float64, at most {RELATIVE:g}"}
    ratio = "our float32 rounding error over PyTorch's own"
    if dtype == "float32":
        lines["error"] = "|NumPy in float32 - PyTorch in float64| / |PyTorch in float64|"
        ratio = "that error over PyTorch's own in float32"
    if has_ratio:
        lines["f32"] = f"{ratio}, at most {ROUNDING:g}, or our error below {ROUNDING_FLOOR:g}"
    if any(row.verdict == Verdict.ZERO for row in comparison.rows):
        lines["zero"] = (
            "moving it changes nothing: softmax does not see what a bias of the keys adds to scores"
        )
    if any(row.verdict == Verdict.AMPLIFIED for row in comparison.rows):
        lines["amplified"] = "rounding alone does as much to PyTorch's side: nothing is proved here"
    if any(is_part(row.name) for row in comparison.rows):
        lines["q, k, v"] = "the three parts of the in-projection"
    *_, last = lines
    lines[last] += "\n"  # a line of air below
    return two_columns(lines, style="dim")


def _summary(comparison: Comparison, dtype: str) -> Text:
    rows = comparison.rows
    good = sum(row.verdict.good for row in rows)
    worst = _worst((comparison,), dtype)
    error = "" if worst is None else f", largest error {worst:.1e}"
    return Text(f"Under {comparison.loss}: {good} of {len(rows)} rows agree{error}")


def _worst(comparisons: tuple[Comparison, ...], dtype: str) -> float | None:
    rows = (row for comparison in comparisons for row in comparison.rows if row.verdict.good)
    errors = (shown_error(row, dtype) for row in rows)
    return max((e for e in errors if e is not None and math.isfinite(e)), default=None)


def _verdict(check: Check) -> Text:
    verdicts = check.verdicts
    rows = len(verdicts)
    if check.agrees:
        worst = _worst(check.report.comparisons, check.report.dtype)
        precision = "float32" if check.report.dtype == "float32" else "float64"
        detail = f"; largest error in {precision} {worst:.1e}" if worst else ""
        return Text(f"AGREE: {rows} rows compared, all agree{detail}.", "bold green")
    if check.report.raised:
        return Text(f"DISAGREE: our engine raised {check.report.raised}", "bold red")
    wrong = sum(verdict.wrong for verdict in verdicts)
    unproved = _unproved(verdicts)
    if check.disagrees:
        said = f"{wrong} of {rows} rows {plural(wrong, 'fails', 'fail')}"
        others = [f"{count} more {words}" for count, words in unproved]
        return Text(f"DISAGREE: {'; '.join([said, *others])}.", "bold red")
    (count, words), *rest = unproved
    good = sum(verdict.good for verdict in verdicts)
    parts = [
        f"{count} of {rows} rows {words}",
        *(f"{count} more {words}" for count, words in rest),
        f"the other {good} {plural(good, 'agrees', 'agree')}",
    ]
    return Text(f"NOT PROVED: {'; '.join(parts)}.", "bold yellow")


def _unproved(verdicts: list[Verdict]) -> list[tuple[int, str]]:
    """Say how many rows prove nothing, for each reason that there is."""
    small, amplified = verdicts.count(Verdict.VACUOUS), verdicts.count(Verdict.AMPLIFIED)
    one, many = (
        "is too small to test (its gradient vanishes)",
        "are too small to test (their gradients vanish)",
    )
    rounding = f"{plural(amplified, 'differs', 'differ')} by no more than rounding explains"
    counted = [(small, plural(small, one, many)), (amplified, rounding)]
    return [(count, words) for count, words in counted if count]
