"""`crosscheck flow --paper NAME`: a published result, expected and measured side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crosscheck.commands.common import (
    DISAGREE,
    named_text,
    progress_bar,
    user_mistakes,
)
from crosscheck.flow.export import SCHEMA, versions
from crosscheck.flow.papers.catalogue import (
    TRAINING,
    engines_of,
    reproduce,
    seeds_of,
    steps_of,
)
from crosscheck.flow.papers.tables import paper_parts
from crosscheck.render import make_console, print_parts
from crosscheck.saved import write_json
from crosscheck.weights import require_writable

ITS_OPTIONS = {"paper", "seed", "seeds", "engine", "corpus", "json_path"}


def run_paper(
    context: click.Context,
    name: str,
    json_path: Path | None,
    *,
    seed: int,
    seeds: int | None,
    engine: str | None,
    corpus: Path | None,
    **others: Any,
) -> None:
    """Reproduce a paper, print it, and exit: 1 where a figure is outside its range."""
    _refuse_others(context)
    console = make_console()
    with user_mistakes():
        if json_path is not None:
            require_writable(json_path)
        chosen, engines = seeds_of(name, seed, seeds), engines_of(name, engine)
        steps = steps_of(chosen) if name == TRAINING else None
        with progress_bar("Training", "steps", steps) as advance:
            paper = reproduce(name, chosen, engines, lambda: named_text(corpus), advance)
        if json_path is not None:
            content = {
                "schema": SCHEMA,
                "versions": versions(),
                "seeds": chosen,
                "engines": engines,
            }
            write_json(content | paper.to_dict(), json_path)
    print_parts(paper_parts(paper, console, len(chosen)), console)
    context.exit(0 if paper.holds else DISAGREE)


def _refuse_others(context: click.Context) -> None:
    """Options that a paper fixes itself are an error, where someone gives them."""
    given = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in ITS_OPTIONS and context.get_parameter_source(name) == given:
            raise click.UsageError(f"--paper fixes {parameter.opts[0]} itself: leave it out")
