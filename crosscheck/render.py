"""The result as text for a terminal, which also reads well in a file."""

from __future__ import annotations

import math

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.check import Check
from crosscheck.conclusion import conclusion, summary
from crosscheck.distance import RELATIVE
from crosscheck.in_projection import is_part
from crosscheck.judge import ROUNDING, ROUNDING_FLOOR, Verdict
from crosscheck.models import ModelOptions
from crosscheck.parity import parity_failures
from crosscheck.printing import hanging, print_sections, two_columns
from crosscheck.row import Comparison
from crosscheck.tables import gradient_table, parity_table

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
        sections += [summary(comparison, dtype) for comparison in others]
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
    compared, rows = check.report.comparisons, check.verdicts
    return [*sections, conclusion(rows, compared, dtype, check.report.raised)]


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
    lines = {
        "engines": f"tinygrad_tf {versions['tinygrad_tf']} on NumPy {versions['numpy']}, "
        f"against PyTorch {versions['torch']} (Python {versions['python']})",
        "model": model_in_words(model),
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


def model_in_words(model: ModelOptions) -> str:
    """Return the sizes and the wiring of a language model in one line."""
    details = [
        f"{model.norm}-norm" if model.norm != "none" else "no norm",
        "residual" if model.residual else "no residual",
        model.activation,
        f"{model.position} positions",
        *([] if model.bias else ["no bias"]),
        *(["tied weights"] if model.tie_weights else []),
    ]
    return (
        f"{model.layers} blocks, width {model.width}, {model.heads} heads, "
        f"feed-forward {model.feed_forward}, {', '.join(details)}"
    )


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
