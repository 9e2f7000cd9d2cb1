"""The tables of the result: every gradient in a row, and the parity with PyTorch's own layer.

A name is never cut or folded. Where the console is too narrow, columns are left out, and first the
ones that a reader misses least. Where even the rest does not fit, the table is as wide as it must
be.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crosscheck.judge import Verdict
from crosscheck.parity import SHAPE, Parity
from crosscheck.printing import fitted, plain_table, unwrapped
from crosscheck.row import Comparison, Row

BAR_WIDTH = 12
LARGE = 1e4  # from here on the digits of a ratio say nothing
Sides = tuple[str, str]  # what the model and the reference are called above their columns


class Layout(NamedTuple):
    """Which columns a table of gradients has, and how wide they stand."""

    bar: bool  # whether a bar shows the norm
    ratio: bool  # whether there is the column f32, a ratio of rounding errors
    padding: int  # the spaces on either side of a column


# From the widest to the narrowest. The last fits the default model into 80 columns.
LAYOUTS = (
    Layout(bar=True, ratio=True, padding=1),
    Layout(bar=False, ratio=True, padding=1),
    Layout(bar=False, ratio=False, padding=1),
    Layout(bar=False, ratio=False, padding=0),
)


def gradient_table(
    comparison: Comparison, dtype: str, console: Console, sides: Sides = ("NumPy", "PyTorch")
) -> tuple[Table, bool]:
    """The table in the widest layout that fits the console, and whether it has the f32 column."""
    for layout in LAYOUTS:
        # A ratio of float32 errors needs a float32 run.
        shown = layout._replace(ratio=layout.ratio and dtype != "float64")
        table = _gradient_table(comparison, dtype, shown, sides)
        if unwrapped(table, console) <= console.width:
            break
    return fitted(table, console), shown.ratio


def shown_error(row: Row, dtype: str) -> float | None:
    """Return the error in float64, or of a run in float32 alone, the error against the truth."""
    if row.verdict == Verdict.ZERO:
        return None  # relative to a zero, an error says nothing
    return row.rounding if dtype == "float32" else row.error


def parity_table(parity: tuple[Parity, ...], width: int, console: Console) -> Table:
    """Both engines' blocks in both precisions, against PyTorch's own layer of this width."""
    shape = "x".join(map(str, (*SHAPE, width)))
    table = plain_table(f"One block against torch.nn.TransformerEncoderLayer, input {shape}", 1)
    table.add_column("block of", no_wrap=True)
    table.add_column("precision", no_wrap=True)
    for name in ("output\ndiffers by", "gradients\nby", "\nlimit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in parity:
        gradient = "none" if row.gradient is None else f"{row.gradient:.1e}"
        numbers = (f"{row.output:.1e}", gradient, f"{row.limit:.1e}")
        table.add_row(row.side, row.dtype, *numbers, _verdict(row.verdict))
    return fitted(table, console)


def _gradient_table(comparison: Comparison, dtype: str, layout: Layout, sides: Sides) -> Table:
    table = plain_table(f"Outputs and gradients under {comparison.loss}", layout.padding)
    table.add_column("parameter", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    for side in sides:
        table.add_column(f"norm\n{side}", justify="right", no_wrap=True)
    if layout.bar:
        table.add_column("", no_wrap=True)
    table.add_column("error", justify="right", no_wrap=True)
    if layout.ratio:
        table.add_column("f32", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    largest = max((row.norm or 0.0 for row in comparison.gradients), default=0.0)
    for row in comparison.outputs:
        table.add_row(*_cells(row, row.name, "", dtype, layout))
    table.add_section()
    heading = ""
    for row in comparison.gradients:
        group, name = _group(row.name)
        if group != heading:
            table.add_row(Text(group, style="bold"))
            heading = group
        table.add_row(*_cells(row, f"  {name}", _bar(row, largest), dtype, layout))
    return table


def _group(name: str) -> tuple[str, str]:
    """The heading a gradient stands under (blocks.0, or its module), and its name there."""
    levels = name.split(".")
    cut = 2 if levels[0] == "blocks" else 1
    return ".".join(levels[:cut]), ".".join(levels[cut:]) or name


def _cells(row: Row, name: str, bar: Bar | str, dtype: str, layout: Layout) -> list[Bar | Text]:
    """What stands in the columns of `_gradient_table`, as Text: no name is taken for markup."""
    error = shown_error(row, dtype)
    ratio = None if row.verdict == Verdict.ZERO else row.rounding_ratio
    cells = [
        name,
        "x".join(map(str, row.shape)) or "scalar",
        _number(row.norm),
        _number(row.norm_reference),
        *([bar] if layout.bar else []),
        "" if error is None else f"{error:.1e}",
        *([_ratio(ratio)] if layout.ratio else []),
        _verdict(row.verdict),
    ]
    return [Text(cell) if isinstance(cell, str) else cell for cell in cells]


def _verdict(verdict: Verdict) -> Text:
    if verdict.good:
        return Text(verdict.value, "green")
    return Text(verdict.value, "bold yellow" if verdict.unproved else "bold red")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if value < LARGE else f"{value:.0e}"


def _bar(row: Row, largest: float) -> Bar | str:
    norm = row.norm
    if norm is None or not math.isfinite(norm) or not largest or not math.isfinite(largest):
        return ""
    return Bar(largest, 0, norm, width=BAR_WIDTH)
