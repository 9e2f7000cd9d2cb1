"""The command `crosscheck`: options in, tables out, and an exit code that scripts can trust."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from crosscheck.check import Check, run_check
from crosscheck.compare import DTYPES
from crosscheck.corpus import load_corpus
from crosscheck.models import NORMS, ModelOptions
from crosscheck.render import make_console, print_check
from crosscheck.weights import require_writable, write_whole
from torch_impl.block import ACTIVATIONS
from torch_impl.positional_encoding import POSITIONS

AT_LEAST_ONE = click.IntRange(min=1)
DISAGREE, COULD_NOT_RUN, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141  # as shells say: 128 + signal
EXIT_CODES = """\b
Exit code:
  0    everything agrees
  1    something disagrees, or is not proved: a gradient vanishes and tests nothing
  2    the check could not run, or its result could not be written
  130  interrupted by Ctrl-C
  141  the reader of the output went away (a closed pipe)
"""


class CouldNotRun(click.ClickException):
    """A mistake in the input: one line for the user, exit code 2."""

    exit_code = COULD_NOT_RUN


class FilePath(click.Path):
    """A path as pathlib knows it; but not the empty one, which pathlib takes for "here"."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path, or a usage error."""
        if not value:
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


def _at_least_two(context: click.Context, parameter: click.Parameter, value: int) -> int:
    if value < 2:
        raise click.BadParameter(
            f"{value} is too short: softmax over a single key is 1 whatever its score, so nothing "
            "of the queries and keys would be tested; give at least 2."
        )
    return value


@click.command(
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option("--layers", type=click.IntRange(min=0), default=2, help="Number of blocks.")
@click.option("--width", type=AT_LEAST_ONE, default=64, help="Channels C (d_model).")
@click.option("--heads", type=AT_LEAST_ONE, default=4, help="Attention heads H.")
@click.option("--feed-forward", type=AT_LEAST_ONE, default=256, help="Feed-forward width F.")
@click.option("--norm", type=click.Choice(NORMS), default="post", help="Where layer norm stands.")
@click.option("--residual/--no-residual", default=True, help="Residual connections.")
@click.option("--activation", type=click.Choice(list(ACTIVATIONS)), default="gelu")
@click.option("--position", type=click.Choice(list(POSITIONS)), default="sinusoidal")
@click.option("--bias/--no-bias", default=True, help="Biases everywhere.")
@click.option("--tie-weights", is_flag=True, help="The head's weight is the embedding table.")
@click.option(
    "--context",
    type=int,
    default=32,
    callback=_at_least_two,
    help="Characters in a window T, at least 2.",
)
@click.option("--batch", "batch_size", type=AT_LEAST_ONE, default=4, help="Windows B.")
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="both",
    help="float64 gives the verdict, float32 adds a column of rounding errors.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="For weights, batch, cotangent."
)
@click.option("--corpus", type=FilePath(), help="A UTF-8 text file, instead of Tiny Shakespeare.")
@click.option("--json", "json_path", type=FilePath(), help="Write the full result here too.")
@click.version_option(package_name="tinygrad-tf", prog_name="crosscheck")
@click.pass_context
def cli(
    context: click.Context,
    /,
    batch_size: int,
    dtype: str,
    seed: int,
    corpus: Path | None,
    json_path: Path | None,
    **model: Any,
) -> None:
    """Check the NumPy Transformer against PyTorch: same weights, same text, every gradient."""
    console = make_console()
    try:
        options = ModelOptions(**model)
        if json_path is not None:
            require_writable(json_path)
        text = load_corpus(corpus)
        if text.note:
            click.echo(f"crosscheck: note: {text.note}", err=True)
        check = run_check(options, text, batch_size=batch_size, dtype=dtype, seed=seed)
        if json_path is not None:
            _write_json(check, json_path)
    except (ValueError, OSError) as error:
        raise CouldNotRun(str(error)) from error
    print_check(check, console)
    context.exit(0 if check.agrees else DISAGREE)


def _write_json(check: Check, path: Path) -> None:
    text = json.dumps(_without_nan(check.to_dict()), indent=2, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become the strings "nan" and "inf"."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


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
