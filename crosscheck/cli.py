"""The command `crosscheck`: its subcommands, and exit codes that scripts can trust."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

import click

from crosscheck.commands.check import check_command
from crosscheck.commands.common import CLOSED_PIPE, COULD_NOT_RUN, EXIT_CODES, INTERRUPTED
from crosscheck.commands.diff import diff_command
from crosscheck.commands.flow import flow_command
from crosscheck.commands.lab import lab_command
from crosscheck.commands.mutants import mutants_command
from crosscheck.commands.ops import ops_command

OWN_OPTIONS = {"-h", "--help", "--version"}


class CheckByDefault(click.Group):
    """A group whose command is `check` where none is named."""

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


for command in (
    check_command,
    flow_command,
    mutants_command,
    lab_command,
    diff_command,
    ops_command,
):
    cli.add_command(command)


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
    traceback.print_exception(error)
    return COULD_NOT_RUN


def _drop_output() -> None:
    """Let nothing more be written: Python flushes once more at the end, and would fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
