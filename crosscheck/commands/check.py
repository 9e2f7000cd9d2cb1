"""`crosscheck check`, which runs when no command is named: the whole check of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crosscheck.choices import ATTENTIONS, DTYPES, MASKS, NORMS
from crosscheck.commands.common import (
    AT_LEAST_ONE,
    DISAGREE,
    EXIT_CODES,
    NEVER_FAST,
    SEED,
    FilePath,
    fast_option,
    json_option,
    named_text,
    saving,
    threads_option,
    user_mistakes,
)
from crosscheck.forms import fast_forms
from crosscheck.printing import make_console
from tinygrad_tf.transformer.block import ACTIVATIONS
from tinygrad_tf.transformer.positional_encoding import POSITIONS


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
@click.option(
    "--mask",
    type=click.Choice(MASKS),
    default="causal",
    help="What attention may not see: the future, the ends of shorter windows, both, or nothing; "
    "float adds biases and -1e9 to the scores.",
)
@click.option(
    "--attention",
    type=click.Choice(ATTENTIONS),
    default="written",
    help="Attention written out in ops; fused, one op; or packed, one op that splits the heads "
    "too, against PyTorch's fused one.",
)
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
@click.option("--seed", type=SEED, default=0, help="For weights, batch, masks, cotangent.")
@fast_option
@click.option("--corpus", type=FilePath(), help="A UTF-8 text file, instead of Tiny Shakespeare.")
@threads_option
@json_option
@click.pass_context
def check_command(
    context: click.Context,
    /,
    batch_size: int,
    dtype: str,
    seed: int,
    fast: bool,
    corpus: Path | None,
    threads: int | None,
    json_path: Path | None,
    **model: Any,
) -> None:
    """Check the NumPy Transformer against PyTorch: same weights, same text, every gradient."""
    from crosscheck.check import run_check
    from crosscheck.models import ModelOptions
    from crosscheck.render import print_check
    from crosscheck.threads import few_threads

    if fast and dtype == "float64":
        raise click.UsageError(NEVER_FAST)
    console = make_console()
    with user_mistakes():
        options = ModelOptions(**model)
        work = options.multiply_adds(batch_size)
        with saving(json_path) as save, fast_forms(fast), few_threads(threads, work):
            text = named_text(corpus)
            check = run_check(options, text, batch_size=batch_size, dtype=dtype, seed=seed)
            save(check.to_dict())
    print_check(check, console)
    context.exit(0 if check.agrees else DISAGREE)
