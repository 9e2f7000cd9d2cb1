"""The command `crosscheck`: its subcommands, and exit codes that scripts can trust."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from difflib import get_close_matches
from importlib import import_module

import click

from crosscheck.commands.common import (
    CLOSED_PIPE,
    COULD_NOT_RUN,
    EXIT_CODES,
    INTERRUPTED,
    user_mistakes,
)

COMMANDS = (
    "check",
    "compare",
    "ops",
    "walk",
    "flow",
    "mutants",
    "lab",
    "diff",
)  # the names of the files in commands/
OWN_OPTIONS = {"-h", "--help", "--version"}


class CheckByDefault(click.Group):
    """A group whose command is `check` where none is named. A command is loaded when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None. A bad environment is a user's mistake."""
        if cmd_name not in COMMANDS:
            return None
        with user_mistakes():
            module = import_module(f"crosscheck.commands.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names, or an error with the name that is near."""
        if args[0] not in COMMANDS:
            near = [f" Did you mean {name!r}?" for name in get_close_matches(args[0], COMMANDS, 1)]
            ctx.fail(f"No such command {args[0]!r}.{''.join(near)}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with the command's name before them."""
        if not args or (args[0].startswith("-") and args[0] not in OWN_OPTIONS):
            args = ["check", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=CheckByDefault,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(package_name="tinygrad-tf", prog_name="crosscheck")
def cli() -> None:
    """Check the NumPy Transformer against PyTorch, and study their gradients.

    Without a command, `check` runs: `crosscheck --layers 6` is `crosscheck check --layers 6`.
    """


def main() -> int:
    """The entry point of the command and of `python -m crosscheck`; returns the exit code.

    Left to themselves, Python and click end with 1 for an interrupt, a closed pipe, a full disk
    and a crash alike, and a script would take each for "something disagrees".
    """
    try:
        return int(cli.main(prog_name="crosscheck", standalone_mode=False) or 0)
    except BaseException as error:
        with contextlib.suppress(OSError):  # stderr may be closed or full too
            return _explain(error)
        return COULD_NOT_RUN


def _explain(error: BaseException) -> int:
    """Say on stderr what ended the run, and return its exit code."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    if isinstance(error, SystemExit):  # what click and rich make of a closed pipe
        return CLOSED_PIPE
    if isinstance(error, OSError):  # all others have become CouldNotRun
        _drop_output()
        click.echo(f"Error: cannot write the output: {error.strerror or error}", err=True)
        return COULD_NOT_RUN
    if _is_of_memory(error):  # what was estimated before the run is not all that a machine does
        reason = f": {error}" if str(error) else ""
        click.echo(f"Error: the run needs more memory than there is left{reason}", err=True)
        return COULD_NOT_RUN
    traceback.print_exception(error)
    return COULD_NOT_RUN


def _is_of_memory(error: BaseException) -> bool:
    """Whether an engine was refused memory. PyTorch raises RuntimeError and names its allocator."""
    of_pytorch = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return of_pytorch or isinstance(error, MemoryError)


def _drop_output() -> None:
    """Let nothing more be written: Python flushes once more at the end, and would fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
