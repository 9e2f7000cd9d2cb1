"""The score as tables: for the terminal, and in Markdown for `docs/judging.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.files import replace_marked
from crosscheck.mutants.acceptance import OTHER_RULES
from crosscheck.mutants.score import Score
from crosscheck.printing import plain_table

MARKED = "score"  # the name of the markers in a page
TOTALS = ("judged by", "caught", "placed at the op", "named by a hint")
FAMILIES = ("family", "planted bugs", "caught", "placed", "named")


def score_sections(score: Score) -> list[RenderableType]:
    """Return every bug in a row, then the totals, then what else there is to say."""
    totals = totals_table(TOTALS, _rows_of_totals(score))
    return [_bugs(score), totals, Text("\n".join(_words(score)))]


def _bugs(score: Score) -> Table:
    table = plain_table()
    table.padding = (0, 1, 0, 0)  # narrower than others, since there are many columns
    for name in ("planted bug", "caught", "place", "found in", "hint"):
        table.add_column(name, no_wrap=True)
    for name in OTHER_RULES:
        table.add_column(_short(name), justify="center")
    for family, results in groupby(score.results, attrgetter("family")):
        table.add_row(Text(family, "bold"))
        for result in results:
            table.add_row(
                f" {result.id}",  # a deeper indent would not fit PIPED_WIDTH
                mark(result.caught),
                mark(result.placed),
                Text(result.op),
                mark(result.named),
                *(mark(result.others.get(name)) for name in OTHER_RULES),
            )
    return table


def _short(rule: str) -> str:
    """Return the last word of a rule's name; the totals have all of it."""
    return "1 %" if rule.endswith("1 %") else rule.split()[-1]


def mark(value: bool | None) -> Text:
    """Return yes or no as a cell; an empty one for None."""
    if value is None:
        return Text("")
    return Text("yes", "green") if value else Text("NO", "red")


def _rows_of_totals(score: Score) -> Iterator[tuple[str, ...]]:
    total = len(score.results)
    counts = (score.caught, score.placed, score.named)
    yield "crosscheck", *(f"{count} of {total}" for count in counts)
    for name, (caught, asked) in score.others().items():
        yield name, f"{caught} of {asked}", "-", "-"


def totals_table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    """Return the totals under these names, of which the first says what is counted."""
    table = plain_table()
    for name in names:
        table.add_column(name, justify="left" if name == names[0] else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _words(score: Score) -> Iterator[str]:
    for result in score.results:
        if result.why_not:
            yield f"{result.id}: {result.why_not}"
    yield f"Bugs for which innocent ops were named as well: {score.innocent}"
    if score.honest_runs:
        count = len(score.false_alarms)
        yield f"False alarms in {score.honest_runs} honest runs: {count}"
        yield from score.false_alarms
    missed = [result.id for result in score.results if not result.caught]
    if missed:
        yield f"Escaped: {', '.join(missed)}"


def markdown(score: Score) -> str:
    """Return the totals and a row for each family, in Markdown."""
    families = []
    for family, group in groupby(score.results, attrgetter("family")):
        results = list(group)
        counts = (sum(bool(getattr(r, name)) for r in results) for name in FAMILIES[2:])
        families.append((family, len(results), *counts))
    return "\n".join(
        [
            *markdown_table(TOTALS, _rows_of_totals(score)),
            "",
            *markdown_table(FAMILIES, families),
            "",
            f"Bugs for which an innocent op was named as well: {score.innocent}.",
            f"False alarms in {score.honest_runs} honest runs: {len(score.false_alarms)}.",
        ]
    )


def markdown_table(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    for cells in (names, ["---"] * len(names), *rows):
        yield f"| {' | '.join(map(str, cells))} |"


def put_into(path: Path, score: Score) -> None:
    """Put the Markdown between the markers named `score` of a file, or raise ValueError."""
    replace_marked(path, MARKED, f"{markdown(score)}\n")
