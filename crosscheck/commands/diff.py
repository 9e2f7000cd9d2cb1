"""`crosscheck diff`: two saved results of `crosscheck --json`, and what got worse between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from crosscheck.commands.common import DISAGREE, FilePath, exit_codes, user_mistakes
from crosscheck.printing import make_console, plain_table

if TYPE_CHECKING:
    from crosscheck.saved import Change


@click.command(name="diff", epilog=exit_codes("no row got worse", "a row got worse"))
@click.argument("before", type=FilePath())
@click.argument("after", type=FilePath())
@click.pass_context
def diff_command(context: click.Context, before: Path, after: Path) -> None:
    """Compare two results saved with --json: which rows got worse, or better.

    A row is worse if it passed and does not now, or if its error in float64 has grown tenfold and
    is above 1e-13. If the two were run with another model or seed, that is said first.
    """
    from crosscheck.check import SCHEMA
    from crosscheck.saved import changes, read_result, unlike

    console = make_console()
    with user_mistakes():
        results = read_result(before, SCHEMA), read_result(after, SCHEMA)
    found = changes(*results)
    if otherwise := unlike(*results):
        console.print(Text("Note: these are not two results of one run."))
        console.print(Text("\n".join(f"  {line}" for line in otherwise)))
    if not found:
        console.print(Text("No row got worse or better."))
        return
    console.print(_table(found))
    worse = sum(change.worse for change in found)
    console.print(Text(f"{worse} got worse, {len(found) - worse} better"))
    context.exit(DISAGREE if worse else 0)


def _table(found: list[Change]) -> Table:
    table = plain_table()
    for name in ("row", "under", "before", "after", ""):
        table.add_column(name, no_wrap=True)
    for change in found:
        mark = Text("worse", "red") if change.worse else Text("better", "green")
        table.add_row(change.name, change.loss, change.before, change.after, mark)
    return table
