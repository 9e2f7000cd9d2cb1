"""`crosscheck check`, which runs when no command is named: the whole check of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crosscheck.check import run_check
from crosscheck.commands.common import (
    AT_LEAST_ONE,
    DISAGREE,
    EXIT_CODES,
    FilePath,
    named_text,
    saving,
    user_mistakes,
)
from crosscheck.comparison import DTYPES
from crosscheck.forms import fast_forms
from crosscheck.models import NORMS, ModelOptions
from crosscheck.printing import make_console
from crosscheck.render import print_check
from torch_impl.block import ACTIVATIONS
from torch_impl.positional_encoding import POSITIONS


def _at_least_two(context: click.Context, parameter: click.Parameter, value: int) -> int:
    if value < 2:
        raise click.BadParameter(
            f"{value} is too short: softmax over a single key is 1 whatever its score, so nothing "
            "of the queries and keys would be tested; give at least 2."
        )
    return value


@click.command(name="check", epilog=EXIT_CODES)
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
@click.option("--fast", is_flag=True, help="Compute our float32 by the fast forms of the rules.")
@click.option("--corpus", type=FilePath(), help="A UTF-8 text file, instead of Tiny Shakespeare.")
@click.option("--json", "json_path", type=FilePath(), help="Write the full result here too.")
@click.pass_context
def check_command(
    context: click.Context,
    /,
    batch_size: int,
    dtype: str,
    seed: int,
    fast: bool,
    corpus: Path | None,
    json_path: Path | None,
    **model: Any,
) -> None:
    """Check the NumPy Transformer against PyTorch: same weights, same text, every gradient."""
    console = make_console()
    with user_mistakes():
        options = ModelOptions(**model)
        with saving(json_path) as save, fast_forms(fast):
            text = named_text(corpus)
            check = run_check(options, text, batch_size=batch_size, dtype=dtype, seed=seed)
            save(check.to_dict())
    print_check(check, console)
    context.exit(0 if check.agrees else DISAGREE)
