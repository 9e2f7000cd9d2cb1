"""`crosscheck mutants`: plant every bug of the catalogue, and print which of them are caught."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosscheck.choices import HONEST_RUNS
from crosscheck.commands.common import (
    DISAGREE,
    SEED,
    FilePath,
    exit_codes,
    json_option,
    progress_bar,
    saving,
    threads_option,
    user_mistakes,
)
from crosscheck.mutants.catalogue import CATALOGUE, mutant_called
from crosscheck.mutants.mutant import Mutant
from crosscheck.printing import make_console, print_sections

if TYPE_CHECKING:
    from crosscheck.mutants.score import Score

FAMILIES = sorted({mutant.family for mutant in CATALOGUE})


@click.command(
    name="mutants",
    epilog=exit_codes("every bug is caught", "a bug escapes, or an honest run is accused"),
)
@click.option("--family", type=click.Choice(FAMILIES), help="Only the bugs of one family.")
@click.option("--bug", "ids", multiple=True, metavar="ID", help="Only this bug; may be repeated.")
@click.option(
    "--honest",
    type=click.IntRange(min=0),
    default=HONEST_RUNS,
    help="Runs without a bug, each with another seed, in which an alarm is a false one.",
)
@click.option("--seed", type=SEED, default=0, help="For weights and batches.")
@threads_option
@json_option
@click.option(
    "--update", type=FilePath(), help="Put the totals into this Markdown file, between its markers."
)
@click.pass_context
def mutants_command(
    context: click.Context,
    family: str | None,
    ids: tuple[str, ...],
    honest: int,
    seed: int,
    threads: int | None,
    json_path: Path | None,
    update: Path | None,
) -> None:
    """Prove the check's own power: plant known bugs in our rules, and count what it finds."""
    from crosscheck.mutants.score_table import put_into, score_sections
    from crosscheck.threads import few_threads

    console = make_console()
    with user_mistakes(), saving(json_path) as save, few_threads(threads):
        result = _with_progress(_chosen(family, ids), seed, honest)
        save(result.to_dict())
        if update is not None:
            put_into(update, result)
    print_sections(score_sections(result), console)
    context.exit(0 if result.good else DISAGREE)


def _chosen(family: str | None, ids: tuple[str, ...]) -> list[Mutant]:
    named = [mutant_called(id) for id in dict.fromkeys(ids)] or CATALOGUE
    chosen = [mutant for mutant in named if family in (None, mutant.family)]
    if not chosen:
        raise ValueError(f"of the family {family} no bug is called {' or '.join(ids)}")
    return chosen


def _with_progress(chosen: list[Mutant], seed: int, honest: int) -> Score:
    from crosscheck.mutants.score import score

    with progress_bar("Planting bugs", "runs", len(chosen) + honest) as advance:
        return score(chosen, seed=seed, honest_runs=honest, progress=lambda what: advance(1))
