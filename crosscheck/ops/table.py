"""The result of `crosscheck ops` as text: a row for each op, and below it every failure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.distance import RELATIVE
from crosscheck.judge import ROUNDING, ROUNDING_FLOOR
from crosscheck.ops.outcome import Row
from crosscheck.printing import plain_table, two_columns

LISTED = 3  # how many failures of an op are spelled out


def ops_sections(rows: Sequence[Row], dtype: str) -> list[RenderableType]:
    """Return the table, what its columns mean, the failures in words, and the verdict."""
    failing = [row for row in rows if not row.agrees]
    return [_table(rows), _legend(dtype), *map(_failures, failing), _verdict(rows, failing)]


def _table(rows: Sequence[Row]) -> Table:
    table = plain_table()
    table.add_column("op", no_wrap=True)
    for name in ("cases", "error", "f32", "finite\ndifference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        verdict = Text("agree", "green") if row.agrees else Text("DISAGREE", "bold red")
        ratio = _number(row.ratio, ".1f" if (row.ratio or 0.0) < 1000 else ".1e")
        numbers = (_number(row.error, ".1e"), ratio, _number(row.difference, ".1e"))
        table.add_row(Text(row.op), str(row.cases), *numbers, verdict)
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _legend(dtype: str) -> Table:
    lines = {}
    if dtype != "float32":
        lines["error"] = f"|NumPy - PyTorch| / |PyTorch| in float64, at most {RELATIVE:g}"
        lines["finite difference"] = "our gradient against a finite difference of PyTorch's forward"
    if dtype != "float64":
        lines["f32"] = (
            "our float32 rounding error over PyTorch's own, or over "
            f"{ROUNDING_FLOOR / ROUNDING:g} if that is more; at most {ROUNDING:g}"
        )
    lines["an empty cell"] = "nothing to measure: initial values are judged by their distribution"
    return two_columns(lines, style="dim")


def _failures(row: Row) -> Text:
    several = f" in {len(row.failures)} ways" if len(row.failures) > 1 else ""
    lines = [f"\n{row.op} disagrees{several}", *map(str, row.failures[:LISTED])]
    if len(row.failures) > LISTED:
        lines.append(f"and {len(row.failures) - LISTED} more, which --json FILE lists")
    return Text("\n  ".join(lines), "red")


def _verdict(rows: Sequence[Row], failing: Sequence[Row]) -> Text:
    cases = sum(row.cases for row in rows)
    if not failing:
        whom = "all agree" if len(rows) > 1 else "it agrees"
        return Text(
            f"\nAGREE: {_count(len(rows), 'op')}, {_count(cases, 'case')}, {whom}.", "bold green"
        )
    names = ", ".join(row.op for row in failing)
    return Text(f"\nDISAGREE: {len(failing)} of {_count(len(rows), 'op')}: {names}.", "bold red")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
