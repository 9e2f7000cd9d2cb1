"""The command `crosscheck`: options in, tables out, and an exit code that scripts can trust."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from crosscheck.check import Check, run_check
from crosscheck.compare import DTYPES
from crosscheck.corpus import load_corpus
from crosscheck.models import NORMS, ModelOptions
from crosscheck.render import make_console, print_check
from crosscheck.weights import write_whole
from torch_impl.block import ACTIVATIONS
from torch_impl.positional_encoding import POSITIONS

AT_LEAST_ONE = click.IntRange(min=1)


class CouldNotRun(click.ClickException):
    """A mistake in the input: one line for the user, exit code 2."""

    exit_code = 2


@click.group(
    invoke_without_command=True,
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
@click.option("--context", type=AT_LEAST_ONE, default=32, help="Characters in a window T.")
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
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    help="A UTF-8 text file, instead of Tiny Shakespeare.",
)
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Write the full result here too."
)
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
    """Check the NumPy Transformer against PyTorch: same weights, same text, every gradient.

    Exit code: 0 when everything agrees, 1 when something disagrees, 2 when the check could not run.
    """
    if context.invoked_subcommand is not None:
        return
    console = make_console()
    try:
        options = ModelOptions(context=model.pop("context"), **model)
        check = run_check(
            options, load_corpus(corpus), batch_size=batch_size, dtype=dtype, seed=seed
        )
        if json_path is not None:
            _write_json(check, json_path)
    except (ValueError, OSError) as error:
        raise CouldNotRun(str(error)) from error
    print_check(check, console)
    context.exit(0 if check.agrees else 1)


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


def main() -> None:
    """The entry point of the command and of `python -m crosscheck`."""
    cli(prog_name="crosscheck")
