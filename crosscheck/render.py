"""The result as tables for a terminal, which also read well in a file."""

from __future__ import annotations

import math
import sys

from rich import box
from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crosscheck.check import Check
from crosscheck.judge import RELATIVE, ROUNDING, Verdict
from crosscheck.parity import SHAPE
from crosscheck.report import Comparison, Row

PIPED_WIDTH = 110  # a file has no width of its own; this one fits every row


def make_console() -> Console:
    """A console on standard output: the terminal's width, or in a pipe one that fits."""
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    piped = not sys.stdout.isatty()
    return Console(width=PIPED_WIDTH if piped else None, highlight=False)


def print_check(check: Check, console: Console) -> None:
    """Print everything: what was run, the loss, the gradients, the parity, the verdict."""
    console.print(_heading(check))
    console.print(_loss_lines(check))
    first, *others = check.report.comparisons
    console.print(_gradient_table(first))
    console.print(_legend(), style="dim")
    for comparison in others:
        console.print(_summary(comparison))
    console.print(_parity(check))
    for line in _trouble(check):
        console.print(line, style="red")
    console.print(_verdict(check))


def _heading(check: Check) -> Table:
    model, versions = check.options, check.versions
    wiring = f"{model.norm}-norm" if model.norm != "none" else "no norm"
    details = [
        wiring,
        "residual" if model.residual else "no residual",
        model.activation,
        f"{model.position} positions",
        *([] if model.bias else ["no bias"]),
        *(["tied weights"] if model.tie_weights else []),
    ]
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    grid.add_row(
        "engines",
        f"tinygrad_tf {versions['tinygrad_tf']} on NumPy {versions['numpy']}, "
        f"against PyTorch {versions['torch']} (Python {versions['python']})",
    )
    grid.add_row(
        "model",
        f"{model.layers} blocks, width {model.width}, {model.heads} heads, "
        f"feed-forward {model.feed_forward}, " + ", ".join(details),
    )
    grid.add_row("parameters", f"{check.parameters:,}")
    grid.add_row(
        "text",
        Text(
            f"{len(check.corpus.text):,} characters, {check.vocab_size} distinct: "
            f"{check.corpus.source}"
        ),
    )
    grid.add_row(
        "batch",
        f"{check.batch_size} windows of {model.context} characters, the first: "
        + Text(repr(check.sample)).plain,
    )
    grid.add_row("precision", f"{check.report.dtype}, seed {check.seed}")
    return grid


def _loss_lines(check: Check) -> Text:
    initial = check.initial_loss
    uniform = math.log(check.vocab_size)
    return Text(
        f"\nInitial loss   NumPy {initial['numpy']:.6f}   PyTorch {initial['torch']:.6f}"
        f"   (guessing among {check.vocab_size} characters: ln {check.vocab_size} = {uniform:.4f})"
        "\nThen every parameter is randomised, so that no zero or one can hide a bug."
    )


def _gradient_table(comparison: Comparison) -> Table:
    table = Table(
        title=f"\nOutputs and gradients under {comparison.loss}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("parameter", overflow="fold")
    table.add_column("shape", no_wrap=True)
    for side in ("NumPy", "PyTorch"):
        table.add_column(f"norm\n{side}", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("error", justify="right", no_wrap=True)
    table.add_column("f32", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    largest = max((row.norm_numpy or 0.0 for row in comparison.gradients), default=0.0)
    for row in comparison.outputs:
        _add_row(table, row, row.name, "")
    table.add_section()
    heading = ""
    for row in comparison.gradients:
        group, name = _group(row.name)
        if group != heading:
            table.add_row(Text(group, style="bold"))
            heading = group
        _add_row(table, row, f"  {name}", _bar(row, largest))
    return table


def _group(name: str) -> tuple[str, str]:
    """The heading a gradient stands under (blocks.0, or its module), and its name there."""
    levels = name.split(".")
    cut = 2 if levels[0] == "blocks" else 1
    return ".".join(levels[:cut]), ".".join(levels[cut:]) or name


def _add_row(table: Table, row: Row, name: str, bar: Bar | str) -> None:
    ratio = None if row.verdict == Verdict.ZERO else row.rounding_ratio
    table.add_row(
        Text(name),
        "x".join(map(str, row.shape)) or "scalar",
        _number(row.norm_numpy),
        _number(row.norm_torch),
        bar,
        "" if row.error is None else f"{row.error:.1e}",
        "" if ratio is None else f"{ratio:.1f}",
        Text(row.verdict, style="green" if row.verdict.good else "bold red"),
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _bar(row: Row, largest: float) -> Bar | str:
    norm = row.norm_numpy
    if norm is None or not math.isfinite(norm) or not largest or not math.isfinite(largest):
        return ""
    return Bar(largest, 0, norm, width=12)


def _legend() -> str:
    return (
        f"error: |NumPy - PyTorch| / |PyTorch| in float64, at most {RELATIVE:g}.   f32: our "
        f"float32 rounding error over\nPyTorch's own, at most {ROUNDING:g}.   zero: a bias of the "
        "keys adds the same to all scores of a query, and\nsoftmax cannot see it.   q, k, v: the "
        "three parts of the in-projection.\n"
    )


def _summary(comparison: Comparison) -> Text:
    rows = comparison.rows
    good = sum(row.verdict.good for row in rows)
    worst = comparison.worst_error
    error = "" if worst is None else f", largest error {worst:.1e}"
    return Text(f"Under {comparison.loss}: {good} of {len(rows)} rows agree{error}")


def _parity(check: Check) -> Table | Text:
    if not check.parity:
        return Text("nn.TransformerEncoderLayer has no such form: no parity to test\n")
    shape = "x".join(map(str, (*SHAPE, check.options.width)))
    table = Table(
        title=f"\nOne block against torch.nn.TransformerEncoderLayer, input {shape}",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("block of")
    table.add_column("precision")
    for name in ("output differs by", "gradients by", "limit"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in check.parity:
        verdict = Text("agree", "green") if row.agrees else Text("disagree", "bold red")
        numbers = (f"{n:.1e}" for n in (row.output, row.gradient, row.limit))
        table.add_row(row.side, row.dtype, *numbers, verdict)
    return table


def _trouble(check: Check) -> list[Text]:
    return [] if check.report.agrees else [Text(str(check.report))]


def _verdict(check: Check) -> Text:
    rows = sum(len(c.rows) for c in check.report.comparisons)
    if check.agrees:
        worst = max((c.worst_error or 0.0 for c in check.report.comparisons), default=0.0)
        detail = f"; largest error in float64 {worst:.1e}" if worst else ""
        return Text(f"AGREE: {rows} rows compared, all agree{detail}.", "bold green")
    failed = len(check.report.failures) + sum(not row.agrees for row in check.parity)
    return Text(f"DISAGREE: {failed} of {rows + len(check.parity)} rows fail.", "bold red")
