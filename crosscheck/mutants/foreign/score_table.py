"""The score of the examples as tables: for the terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.files import replace_marked
from crosscheck.mutants.foreign.score import ForeignScore, Totals
from crosscheck.mutants.foreign.trial import FIRST, Result
from crosscheck.mutants.score_table import mark, markdown_table, totals_table
from crosscheck.printing import plain_table

MARKED = "foreign-score"  # the name of the markers in a page
TOTALS = (
    "examples in",
    "planted bugs",
    "caught",
    "first line",
    f"among {FIRST}",
    "in the segment",
    "median lines",
)


def score_sections(score: ForeignScore) -> list[RenderableType]:
    """Return every bug in a row, then the totals, then what else there is to say."""
    totals = totals_table(TOTALS, _rows_of_totals(score))
    return [_bugs(score), totals, Text("\n".join(_words(score)))]


def _bugs(score: ForeignScore) -> Table:
    table = plain_table()
    table.padding = (0, 1, 0, 0)
    for name in ("planted bug", "caught", "first", f"in {FIRST}", "within"):
        table.add_column(name, no_wrap=True)
    for name in ("lines", "to blame", "named"):
        table.add_column(name, no_wrap=True, justify="right")
    for file, results in groupby(score.results, attrgetter("file")):
        table.add_row(Text(file, "bold"))
        for result in results:
            hits = (result.caught, result.first, result.among, result.inside)
            named = str(result.named[0]) if result.named else "-"
            cells = (str(result.lines), ", ".join(map(str, result.to_blame)), named)
            table.add_row(f" {result.id}", *map(mark, hits), *cells)
    return table


def _rows_of_totals(score: ForeignScore) -> Iterator[tuple[str, ...]]:
    for totals in (*score.families, score.total):
        yield (totals.name, str(totals.bugs), *_shares(totals), f"{totals.median:g}")


def _shares(totals: Totals) -> Iterator[str]:
    for count in (totals.caught, totals.first, totals.among, totals.inside):
        yield f"{count} ({count / max(totals.bugs, 1):.0%})"


def _words(score: ForeignScore) -> Iterator[str]:
    if score.honest_runs:
        yield _honest(score)
        yield from score.false_alarms
    for result in score.results:
        if not result.caught:
            yield f"Escaped: {result.id}{_because(result)}"


def _because(result: Result) -> str:
    return f", {result.error}" if result.error else ""


def _honest(score: ForeignScore) -> str:
    return f"False alarms in {score.honest_runs} honest runs: {len(score.false_alarms)}"


def markdown(score: ForeignScore) -> str:
    """Return the totals in Markdown."""
    return "\n".join([*markdown_table(TOTALS, _rows_of_totals(score)), "", f"{_honest(score)}."])


def put_into(path: Path, score: ForeignScore) -> None:
    """Put the Markdown between the markers named `foreign-score` of a file, or raise ValueError."""
    replace_marked(path, MARKED, f"{markdown(score)}\n")
