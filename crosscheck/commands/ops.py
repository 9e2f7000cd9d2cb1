"""`crosscheck ops`: every op alone, against PyTorch and against a finite difference."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosscheck.choices import DTYPES
from crosscheck.commands.common import (
    DISAGREE,
    NEVER_FAST,
    SEED,
    exit_codes,
    fast_option,
    json_option,
    progress_bar,
    saving,
    threads_option,
    user_mistakes,
)
from crosscheck.printing import make_console, print_sections

if TYPE_CHECKING:
    from crosscheck.ops.outcome import Case


@click.command(name="ops", epilog=exit_codes("all agree", "something disagrees"))
@click.argument("names", metavar="[OP]...", nargs=-1)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="both",
    help="float64 is judged by PyTorch, float32 by its rounding errors beside PyTorch's.",
)
@click.option("--seed", type=SEED, default=0, help="For all that is drawn.")
@fast_option
@json_option
@threads_option
@click.pass_context
def ops_command(
    context: click.Context,
    names: tuple[str, ...],
    dtype: str,
    seed: int,
    fast: bool,
    json_path: Path | None,
    threads: int | None,
) -> None:
    """Check every op alone, or those named, on ordinary and on extreme inputs.

    Optimisers, clipping and the initial values of layers are checked too, under their own names.
    """
    from crosscheck.forms import are_fast_forms_on, fast_forms
    from crosscheck.ops.outcome import SCHEMA, rows
    from crosscheck.ops.table import ops_sections
    from crosscheck.threads import few_threads
    from crosscheck.versions import versions

    if fast and dtype == "float64":
        raise click.UsageError(NEVER_FAST)
    console = make_console()
    with user_mistakes(), few_threads(threads):
        chosen = _chosen(names)
        with saving(json_path) as save, fast_forms(fast):
            with progress_bar("Checking", "cases", len(chosen)) as advance:
                outcomes = []
                for case in chosen:
                    outcomes.append(case.examine(seed, dtype))
                    advance(1)
            found = rows(outcomes)
            agrees = all(row.agrees for row in found)
            save(
                {
                    "schema": SCHEMA,
                    "agrees": agrees,
                    "dtype": dtype,
                    "seed": seed,
                    "fast": are_fast_forms_on(),
                    "versions": versions(),
                    "rows": [row.to_dict() for row in found],
                }
            )
    print_sections(ops_sections(found, dtype), console)
    context.exit(0 if agrees else DISAGREE)


def _chosen(names: Sequence[str]) -> list[Case]:
    """Return the cases of these ops, or all. Raises ValueError that names what is near."""
    from crosscheck.ops.cases import CASES

    known = list(dict.fromkeys(case.op for case in CASES))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, cutoff=0.5)
            meant = (
                f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(known)}"
            )
            raise ValueError(f"no op is called {name}{meant}")
    return [case for case in CASES if not names or case.op in names]
