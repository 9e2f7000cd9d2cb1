"""The score as tables: for the terminal, and in Markdown for `docs/judging.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from crosscheck.mutants.acceptance import OTHER_RULES
from crosscheck.mutants.score import Result, Score
from crosscheck.weights import write_whole


def score_parts(score: Score) -> list[RenderableType]:
    """Every bug in a row, then the totals, then what else there is to say."""
    parts: list[RenderableType] = [_bugs(score), _totals(score), Text("\n".join(_words(score)))]
    return parts


def _bugs(score: Score) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("planted bug", "caught", "place", "found in", "hint"):
        table.add_column(name, no_wrap=True)
    for name in OTHER_RULES:
        table.add_column(_short(name), justify="center")
    family = ""
    for result in score.results:
        if result.family != family:
            family = result.family
            table.add_row(Text(family, "bold"))
        table.add_row(
            f"  {result.id}",
            _mark(result.caught),
            _mark(result.placed),
            Text(result.op),
            _mark(result.named),
            *(_mark(result.others.get(name)) for name in OTHER_RULES),
        )
    return table


def _short(rule: str) -> str:
    """The last word of a rule's name; the totals below have all of it."""
    return "1 %" if rule.endswith("1 %") else rule.split()[-1]


def _mark(value: bool | None) -> Text:
    if value is None:
        return Text("")
    return Text("yes", "green") if value else Text("NO", "red")


def rows_of_totals(score: Score) -> Iterator[tuple[str, str, str, str]]:
    """What was judged, and of how many bugs it caught, placed and named how many."""
    total = len(score.results)
    yield (
        "crosscheck",
        f"{score.caught} of {total}",
        f"{score.placed} of {total}",
        f"{score.named} of {total}",
    )
    for name, (caught, asked) in score.others().items():
        yield name, f"{caught} of {asked}", "-", "-"


def _totals(score: Score) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("judged by", "caught", "placed at the op", "named by a hint"):
        table.add_column(name, justify="left" if name == "judged by" else "right")
    for row in rows_of_totals(score):
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
    """The totals, and each family in a row."""
    lines = [
        "| judged by | caught | placed at the op | named by a hint |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows_of_totals(score)]
    lines.append("")
    lines += [
        "| family | planted bugs | caught | placed | named |",
        "| --- | --- | --- | --- | --- |",
    ]
    for family, results in _by_family(score).items():
        counts = (
            len(results),
            sum(r.caught for r in results),
            sum(r.placed for r in results),
            sum(bool(r.named) for r in results),
        )
        lines.append(f"| {family} | {' | '.join(map(str, counts))} |")
    lines += [
        "",
        f"Bugs for which an innocent op was named as well: {score.innocent}.",
        f"False alarms in {score.honest_runs} honest runs: {len(score.false_alarms)}.",
    ]
    return "\n".join(lines)


def put_into(path: Path, score: Score) -> None:
    """Put the Markdown between the markers `<!-- score -->` and `<!-- /score -->` of a file.

    Raises ValueError if the file has none.
    """
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(r"(<!-- score -->\n).*?(<!-- /score -->)", re.S)
    if not pattern.search(text):
        raise ValueError(f"{path} has no markers <!-- score --> and <!-- /score -->")
    new = pattern.sub(lambda found: f"{found[1]}{markdown(score)}\n{found[2]}", text)
    write_whole(path, new.encode())


def _by_family(score: Score) -> dict[str, list[Result]]:
    families: dict[str, list[Result]] = {}
    for result in score.results:
        families.setdefault(result.family, []).append(result)
    return families
