"""`crosscheck diff`: two saved results of `crosscheck --json`, and what got worse between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    is above 1e-13.
    """
    from crosscheck.saved import changes

    console = make_console()
    with user_mistakes():
        results = _load(before), _load(after)
        try:
            found = changes(*results)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{before} or {after} is damaged: {error!r}") from error
    if not found:
        console.print(Text("No row got worse or better."))
        return
    console.print(_table(found))
    worse = sum(change.worse for change in found)
    console.print(Text(f"{worse} got worse, {len(found) - worse} better"))
    context.exit(DISAGREE if worse else 0)


def _load(path: Path) -> dict[str, Any]:
    from crosscheck.check import SCHEMA

    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    schema = result.get("schema") if isinstance(result, dict) else None
    if schema != SCHEMA or "report" not in result:
        raise ValueError(
            f"{path} is not a result of `crosscheck --json` of schema {SCHEMA} (it says {schema}): "
            "save it anew with this version"
        )
    loaded: dict[str, Any] = result
    return loaded


def _table(found: list[Change]) -> Table:
    table = plain_table()
    for name in ("row", "under", "before", "after", ""):
        table.add_column(name, no_wrap=True)
    for change in found:
        mark = Text("worse", "red") if change.worse else Text("better", "green")
        table.add_row(change.name, change.loss, change.before, change.after, mark)
    return table
