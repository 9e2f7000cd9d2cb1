"""`crosscheck compare`: a block of your own against a reference, down to the line."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crosscheck.choices import DTYPES, MASKS
from crosscheck.commands.common import (
    AT_LEAST_ONE,
    DISAGREE,
    SEED,
    CouldNotRun,
    FilePath,
    exit_codes,
    json_option,
    saving,
    threads_option,
    user_mistakes,
)
from crosscheck.printing import make_console

if TYPE_CHECKING:
    from rich.console import Console

    from crosscheck.brought.prepare import Prepared, Request
    from crosscheck.report import Report


def _shape(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        shape = tuple(int(part) for part in text.strip("() ").split(","))
    except ValueError:
        shape = ()
    if len(shape) < 2 or min(shape) < 1:
        raise click.BadParameter(f"{text!r} is no shape: expected B,T,C as in 2,8,64, or B,T")
    return shape


def _weights(context: click.Context, parameter: click.Parameter, text: str) -> str:
    if text in ("auto", "name", "value") or (text.endswith(".json") and Path(text).is_file()):
        return text
    if text.endswith(".json"):
        raise click.BadParameter(f"{text}: there is no such file")
    raise click.BadParameter(f"{text!r} is not auto, name, value, or a JSON file of a map")


@click.command(
    name="compare",
    epilog=exit_codes(
        "both agree", "something disagrees, or is not proved: the line is named where it can be"
    ),
)
@click.argument("mine")
@click.argument("reference", required=False)
@click.option("--width", type=AT_LEAST_ONE, help="Channels C; if not given, the input's, or 64.")
@click.option("--heads", type=AT_LEAST_ONE, help="Attention heads H; if not given, 4.")
@click.option("--feed-forward", type=AT_LEAST_ONE, help="Width F; if not given, 4 C.")
@click.option(
    "--shape", callback=_shape, metavar="B,T,C", help="Of the input; if not given, 2,8,C."
)
@click.option("--input", "input_path", type=FilePath(), help="An input saved by numpy.save.")
@click.option(
    "--args", "arguments", default="", show_default=False, metavar='"NAME=VALUE, ..."',
    help="Further arguments of the constructors, as Python literals.",
)  # fmt: skip
@click.option("--mask", type=click.Choice(MASKS), help="If not given, each runs as it is.")
@click.option(
    "--weights", default="auto", callback=_weights, metavar="auto|name|value|FILE",
    help="How weights are paired: the map is found, by equal names, by equal values, or by a map.",
)  # fmt: skip
@click.option("--save-map", type=FilePath(), help="Write the map of the weights here, as JSON.")
@click.option("--output", help="Which part of what the model returns is compared.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), default="both",
    help="float64 gives the verdict, float32 adds a column of rounding errors.",
)  # fmt: skip
@click.option("--seed", type=SEED, default=0, help="For weights, input, masks, cotangent.")
@threads_option
@json_option
@click.pass_context
def compare_command(
    context: click.Context,
    /,
    input_path: Path | None,
    save_map: Path | None,
    threads: int | None,
    json_path: Path | None,
    **asked: Any,
) -> None:
    """Compare a block of your own with a reference: outputs, gradients, and the line at fault.

    MINE and REFERENCE are file.py:name or package.module:name: a class, a function that makes a
    model, a model, a forward, or a pair forward,backward. Classes and functions are called with the
    sizes by the names that they take. Without REFERENCE it is torch.nn.TransformerEncoderLayer, or
    the language model, in the form that fits.
    """
    from crosscheck.brought.load import UserCodeError
    from crosscheck.brought.prepare import Request
    from crosscheck.threads import few_threads

    console = make_console()
    request = Request(input=input_path, **asked)
    with user_mistakes():
        require_room_for(request)
    try:
        with (
            user_mistakes(),
            saving(json_path) as save,
            saving(save_map) as save_weights,
            few_threads(threads, work_of(request)),
        ):
            agrees = _compare(request, console, save, save_weights)
    except UserCodeError as error:
        click.echo(error.shown, err=True)
        raise CouldNotRun(str(error)) from error
    context.exit(0 if agrees else DISAGREE)


def _compare(request: Request, console: Console, save: Any, save_weights: Any) -> bool:
    from crosscheck.brought.prepare import prepared
    from crosscheck.comparison import compare_examined
    from crosscheck.cuts import share_of_values
    from crosscheck.render_compare import print_comparison

    with prepared(request, share_of_values) as ready:
        report = compare_examined(
            ready.mine, ready.reference, ready.batch,
            weights=ready.weights, dtype=ready.dtype, seed=request.seed,
        )  # fmt: skip
        if report.map is not None:
            save_weights(report.map)
    notes = tuple(dict.fromkeys((*ready.notes, *report.notes)))
    report = replace(report, notes=notes, weights=ready.how or report.weights)
    print_comparison(report, console, _heading(request, ready, report))
    save(_as_json(request, ready, report))
    return report.agrees


def _heading(request: Request, ready: Prepared, report: Report) -> dict[str, str]:
    """What was called, the input, and the map of the weights."""
    inputs = ready.batch.inputs
    kind = "floats" if inputs.dtype.kind == "f" else "tokens"
    source = f"from {request.input}" if request.input else f"seed {request.seed}"
    pairs = (report.map or {}).items()
    return {
        "mine": request.mine,
        "reference": ready.reference_said,
        **({"called": "\n".join(ready.called)} if ready.called else {}),
        "input": f"{kind} {'x'.join(map(str, inputs.shape))}, {source}",
        "weights": "\n".join([report.weights, *(f"{mine} = {theirs}" for mine, theirs in pairs)]),
    }


def _as_json(request: Request, ready: Prepared, report: Report) -> dict[str, Any]:
    from crosscheck.check import SCHEMA

    return {
        "schema": SCHEMA,
        "agrees": report.agrees,
        "mine": request.mine,
        "reference": ready.reference_said,
        "called": ready.called,
        "input": list(ready.batch.inputs.shape),
        "report": report.to_dict(),
    }


def require_room_for(request: Request) -> None:
    """Raise ValueError if one block of these sizes needs more memory than the machine has."""
    from crosscheck.brought.sizes import Sizes
    from crosscheck.room import COMPARISON, Blocks, require_room

    sizes = Sizes.wanted(
        request.width, request.heads, request.feed_forward, request.shape, causal=None, seed=0
    )
    between = math.prod((request.shape or ())[2:-1])  # the dimensions between T and C, if any
    blocks = Blocks(
        1, sizes.width, sizes.feed_forward, sizes.heads, sizes.tokens, sizes.batch * between
    )
    require_room(blocks, COMPARISON)


def work_of(request: Request) -> int:
    """How much work the forward of a block of these sizes is, in multiply-adds."""
    width = request.width or (request.shape[-1] if request.shape else 64)
    tokens = 16 if request.shape is None else request.shape[0] * request.shape[1]
    return 2 * tokens * width * (2 * width + (request.feed_forward or 4 * width))
