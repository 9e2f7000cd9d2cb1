"""`crosscheck lab`: somewhere a bug is planted; the reader says where."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from crosscheck.commands.common import (
    DISAGREE,
    SEED,
    CouldNotRun,
    exit_codes,
    threads_option,
    user_mistakes,
)
from crosscheck.mutants.catalogue import CATALOGUE, mutant_called
from crosscheck.mutants.mutant import Mutant
from crosscheck.printing import make_console

if TYPE_CHECKING:
    from crosscheck.mutants.lab import Exercise

TRIES = 3
NOBODY = "the input has ended, and no answer was given: give one with --answer OP"


@click.command(name="lab", epilog=exit_codes("the answer is right", "the answer is wrong"))
@click.option(
    "--bug", metavar="ID", help="This one, instead of any; `crosscheck mutants` has them."
)
@click.option("--answer", metavar="OP", help="Answer at once, for scripts: the name of the op.")
@click.option("--seed", type=SEED, help="Choose by this number, not by chance.")
@threads_option
@click.pass_context
def lab_command(
    context: click.Context,
    bug: str | None,
    answer: str | None,
    seed: int | None,
    threads: int | None,
) -> None:
    """Find a planted bug yourself: see what disagrees, name the op, then read the patch."""
    from crosscheck.mutants.lab import set_exercise
    from crosscheck.threads import few_threads

    console = make_console()
    with user_mistakes(), few_threads(threads):
        exercise = set_exercise(_choose(bug, seed))
    console.print(Text(f"A bug is planted. It is about: {exercise.mutant.family}.\n", "bold"))
    console.print(Text(exercise.symptoms))
    right = exercise.accepts(answer) if answer is not None else _ask(exercise, console)
    _reveal(exercise, right, console)
    context.exit(0 if right else DISAGREE)


def _choose(bug: str | None, seed: int | None) -> Mutant:
    if bug is not None:
        return mutant_called(bug)
    return CATALOGUE[(secrets.randbelow(1 << 30) if seed is None else seed) % len(CATALOGUE)]


def _ask(exercise: Exercise, console: Console) -> bool:
    """Ask until the answer is right, or the tries are used up, or the reader gives up."""
    console.print(Text(f"\nOps that ran: {', '.join(exercise.ops)}"))
    tries = TRIES
    while tries:
        said = _prompt()
        if said == "give up":
            return False
        if said == "hint":
            console.print(Text(exercise.hint or "There is no hint to this one."))
        elif exercise.accepts(said):
            return True
        else:
            tries -= 1
            console.print(Text(f"No, not {said}. Tries left: {tries}."))
    return False


def _prompt() -> str:
    """Return the reader's answer. Raises CouldNotRun where nobody can answer."""
    if sys.stdin is None:  # closed before Python started
        raise CouldNotRun(NOBODY)
    try:
        said: str = click.prompt("Which op is it? (an op, hint, or give up)", type=str)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            raise CouldNotRun(NOBODY) from error
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise CouldNotRun(f"the answer cannot be read: {error}") from error
    return said.strip()


def _reveal(exercise: Exercise, right: bool, console: Console) -> None:
    mutant = exercise.mutant
    console.print(
        Text("\nRight." if right else "\nNot found.", "bold green" if right else "bold red")
    )
    console.print(Text(f"{mutant.id}: {mutant.what}.\n"))
    console.print(Text(str(exercise.localisation)))
    console.print(Text("\nThe patch:", "bold"))
    patch = mutant.patch()
    console.print(
        Syntax(patch, "diff", background_color="default") if console.is_terminal else Text(patch)
    )
    if exercise.derivation:
        console.print(Text("\nWhat it violates:", "bold"))
        console.print(Text(exercise.derivation))
