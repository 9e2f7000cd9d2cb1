"""`crosscheck mutants`: plant every bug of a catalogue, and print which of them are caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crosscheck.choices import FOREIGN_HONEST_RUNS, HONEST_RUNS
from crosscheck.commands.common import (
    DISAGREE,
    MOST_RUNS,
    SEED,
    FilePath,
    exit_codes,
    json_option,
    progress_bar,
    saving,
    threads_option,
    user_mistakes,
)
from crosscheck.files import require_marked
from crosscheck.mutants.catalogue import CATALOGUE, mutant_called
from crosscheck.mutants.foreign import catalogue as foreign_catalogue
from crosscheck.mutants.foreign.bug import Bug
from crosscheck.mutants.mutant import Mutant
from crosscheck.printing import make_console, print_sections

FAMILIES = sorted({mutant.family for mutant in CATALOGUE} | set(foreign_catalogue.FAMILIES))


@click.command(
    name="mutants",
    epilog=exit_codes("every bug is caught", "a bug escapes, or an honest run is accused"),
)
@click.option(
    "--foreign",
    is_flag=True,
    help="Plant bugs in blocks that others could have written, the examples; on all cores.",
)
@click.option("--family", type=click.Choice(FAMILIES), help="Only the bugs of one family.")
@click.option("--bug", "ids", multiple=True, metavar="ID", help="Only this bug; may be repeated.")
@click.option(
    "--honest",
    type=click.IntRange(0, MOST_RUNS),
    help="Runs without a bug, each with another seed, in which an alarm is a false one. If not "
    f"given, {HONEST_RUNS}, or {FOREIGN_HONEST_RUNS} with --foreign.",
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
    foreign: bool,
    family: str | None,
    ids: tuple[str, ...],
    honest: int | None,
    seed: int,
    threads: int | None,
    json_path: Path | None,
    update: Path | None,
) -> None:
    """Prove the check's own power: plant known bugs in our rules, and count what it finds."""
    from crosscheck.threads import few_threads

    console = make_console()
    scores, tables = _home_of_scores(foreign)
    with user_mistakes(), saving(json_path) as save, few_threads(threads):
        chosen = _chosen_foreign(family, ids) if foreign else _chosen(family, ids)
        if update is not None:
            require_marked(update, tables.MARKED)
        usual = FOREIGN_HONEST_RUNS if foreign else HONEST_RUNS
        runs = usual if honest is None else honest
        result = _with_progress(scores.score, chosen, seed, runs)
    try:
        with user_mistakes():
            save(result.to_dict())
            if update is not None:
                tables.put_into(update, result)
    finally:  # minutes of work are shown, whether or not they could be written
        print_sections(tables.score_sections(result), console)
    context.exit(0 if result.good else DISAGREE)


def _home_of_scores(foreign: bool) -> tuple[Any, Any]:
    """Return the module that makes this kind of score, and the one that prints it."""
    from crosscheck.mutants import score, score_table
    from crosscheck.mutants.foreign import score as foreign_score
    from crosscheck.mutants.foreign import score_table as foreign_score_table

    return (foreign_score, foreign_score_table) if foreign else (score, score_table)


def _chosen(family: str | None, ids: tuple[str, ...]) -> list[Mutant]:
    named = [mutant_called(id) for id in dict.fromkeys(ids)] or CATALOGUE
    return _require_some([m for m in named if family in (None, m.family)], family, ids)


def _chosen_foreign(family: str | None, ids: tuple[str, ...]) -> list[Bug]:
    bug_called, family_of = foreign_catalogue.bug_called, foreign_catalogue.family_of
    named = [bug_called(id) for id in dict.fromkeys(ids)] or foreign_catalogue.CATALOGUE
    return _require_some([b for b in named if family in (None, family_of(b))], family, ids)


def _require_some(chosen: list[Any], family: str | None, ids: tuple[str, ...]) -> list[Any]:
    if not chosen:
        called = f" is called {' or '.join(ids)}" if ids else " is in this catalogue"
        raise ValueError(f"of the family {family} no bug{called}")
    return chosen


def _with_progress(score: Callable[..., Any], chosen: list[Any], seed: int, runs: int) -> Any:
    with progress_bar("Planting bugs", "runs", len(chosen) + runs) as advance:
        return score(chosen, seed=seed, honest_runs=runs, progress=lambda *_: advance(1))
