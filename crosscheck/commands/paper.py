"""`crosscheck flow --paper NAME`: a published result, expected and measured side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crosscheck.choices import TRAINING
from crosscheck.commands.common import DISAGREE, named_text, progress_bar, saving, user_mistakes
from crosscheck.flow.export import SCHEMA
from crosscheck.flow.papers.catalogue import reproduce, seeds_of, sides_for
from crosscheck.flow.papers.tables import paper_sections
from crosscheck.flow.papers.training import steps_of
from crosscheck.printing import make_console, print_sections
from crosscheck.threads import few_threads
from crosscheck.versions import versions

ITS_OPTIONS = {"paper", "seed", "seeds", "engine", "corpus", "threads", "json_path"}


def run_paper(
    context: click.Context,
    name: str,
    json_path: Path | None,
    threads: int | None,
    *,
    seed: int,
    seeds: int | None,
    engine: str | None,
    corpus: Path | None,
    **others: Any,
) -> None:
    """Reproduce a paper, print it, and exit with 1 if a figure is outside its range, or with 0."""
    _refuse_others(context)
    console = make_console()
    with user_mistakes(), saving(json_path) as save, few_threads(threads):
        chosen, sides = seeds_of(name, seed, seeds), sides_for(name, engine)
        steps = steps_of(chosen) if name == TRAINING else None
        with progress_bar("Training", "steps", steps) as advance:
            paper = reproduce(name, chosen, sides, lambda: named_text(corpus), advance)
        content = {
            "schema": SCHEMA,
            "versions": versions(),
            "seeds": chosen,
            "engines": [side.key for side in sides],
        }
        save(content | paper.to_dict())
    print_sections(paper_sections(paper, console, len(chosen)), console)
    context.exit(0 if paper.holds else DISAGREE)


def _refuse_others(context: click.Context) -> None:
    """Raise UsageError if someone has given an option that a paper fixes itself."""
    given = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in ITS_OPTIONS and context.get_parameter_source(name) == given:
            raise click.UsageError(f"--paper fixes {parameter.opts[0]} itself: leave it out")
