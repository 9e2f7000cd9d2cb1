"""`crosscheck walk`: one page in which a reader walks back from the loss to the embedding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from crosscheck.choices import LANGUAGES
from crosscheck.commands.check import check_command
from crosscheck.commands.common import (
    DISAGREE,
    NEVER_FAST,
    CouldNotRun,
    FilePath,
    exit_codes,
    named_text,
    saving,
    user_mistakes,
)
from crosscheck.commands.compare import compare_command, require_room_for, work_of
from crosscheck.files import write_whole
from crosscheck.forms import fast_forms
from crosscheck.printing import plural

if TYPE_CHECKING:
    from crosscheck.walk.schema import Walk

# Of `check`, one window replaces what makes a batch; the rest is as it is there. Of `compare`,
# those that `check` has too are its options, and count only if they are given.
NOT_HERE = {"context", "batch_size", "json_path", "mine", "reference", "save_map"}
OF_CHECK = {str(p.name): p for p in check_command.params if p.name not in NOT_HERE}
OF_BOTH = OF_CHECK.keys() & {p.name for p in compare_command.params}
OF_COMPARE = {str(p.name): p for p in compare_command.params if p.name not in OF_BOTH | NOT_HERE}
MOST = 256  # characters of a window: what attention keeps, and the page, grow with their square
TEXT = {"text", "characters", "bug"}  # the options of this command that our own model alone has


@click.command(
    name="walk",
    params=[*OF_CHECK.values(), *OF_COMPARE.values()],
    epilog=exit_codes(
        "everything agrees", "something disagrees, or is not proved: the page opens there"
    ),
)
@click.argument("mine", required=False)
@click.argument("reference", required=False)
@click.option(
    "-o", "page", type=FilePath(), default=Path("walk.html"), metavar="FILE",
    help="Where the page is written.",
)  # fmt: skip
@click.option(
    "--text",
    help="What our model reads, in characters of the corpus; the last is only a target.",
)  # fmt: skip
@click.option(
    "--characters", type=click.IntRange(2, MOST), default=24,
    help="How many of the corpus our model reads, where there is no --text.",
)  # fmt: skip
@click.option("--bug", metavar="ID", help="Plant this bug; `crosscheck mutants` has them.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", help="Of the page.")
@click.pass_context
def walk_command(
    context: click.Context, /, page: Path, mine: str | None, threads: int | None, **given: Any
) -> None:
    """Write one page in which you walk back through the model, op by op, with true gradients.

    Without MINE it is our language model, with the options of `crosscheck check`. MINE and
    REFERENCE are a model of your own and what it is held against, as for `crosscheck compare`. The
    page needs no network, and nothing beside it. Code that you name is run.
    """
    from crosscheck.brought.load import UserCodeError
    from crosscheck.walk.write import page_of

    named = {n for n in given if context.get_parameter_source(n) is ParameterSource.COMMANDLINE}
    try:
        with user_mistakes(), saving(page, write_whole) as save:
            if mine is None:
                walk = _of_ours(named, threads, given)
            else:
                walk = _of_brought(mine, named, threads, given)
            content = page_of(walk)
            save(content)
    except UserCodeError as error:
        click.echo(error.shown, err=True)
        raise CouldNotRun(str(error)) from error
    count = f"{len(walk.ops)} {plural(len(walk.ops), 'op', 'ops')}"
    click.echo(f"{walk.outcome.said}\n{page}: {count}, {len(content):,} bytes")
    context.exit(0 if walk.outcome.agrees else DISAGREE)


def _of_ours(named: set[str], threads: int | None, given: dict[str, Any]) -> Walk:
    from crosscheck.models import ModelOptions
    from crosscheck.mutants.catalogue import mutant_called
    from crosscheck.threads import few_threads
    from crosscheck.walk.ours import Request, walk_of_ours

    _refuse(named, set(OF_COMPARE), "goes with a model of your own: name its file")
    if given["fast"] and given["dtype"] == "float64":
        raise click.UsageError(NEVER_FAST)
    text = given["text"]
    if text is not None and not 3 <= len(text) <= MOST + 1:
        raise ValueError(f"--text has {len(text):,} characters: give 3 to {MOST + 1}")
    length = given["characters"] if text is None else len(text) - 1
    wiring = {name: given[name] for name in given if name in ModelOptions.__annotations__}
    options = ModelOptions(context=length, **wiring)
    mutant = None if given["bug"] is None else mutant_called(given["bug"])
    asked = Request(
        options, named_text(given["corpus"]), text or "", given["seed"], given["dtype"], mutant,
        any_wiring=not named & set(wiring), language=given["language"],
    )  # fmt: skip
    with fast_forms(given["fast"]), few_threads(threads, options.multiply_adds(1)):
        return walk_of_ours(asked)


def _of_brought(mine: str, named: set[str], threads: int | None, given: dict[str, Any]) -> Walk:
    from crosscheck.brought.prepare import Request
    from crosscheck.threads import few_threads
    from crosscheck.walk.brought import walk_of_brought

    ours = OF_CHECK.keys() - OF_BOTH | TEXT
    _refuse(named, ours, "is of our own language model, and not of one that you bring")
    asked = (OF_COMPARE.keys() | (OF_BOTH & named)) - {"input_path"}
    request = Request(
        mine, given["reference"], input=given["input_path"], **{name: given[name] for name in asked}
    )
    require_room_for(request)
    with few_threads(threads, work_of(request)):
        return walk_of_brought(request, given["language"])


def _refuse(named: set[str], others: set[str], why: str) -> None:
    """Raise a usage error if one of these options was given."""
    for name in sorted(named & others):
        raise click.UsageError(f"--{name.replace('_', '-')} {why}")
