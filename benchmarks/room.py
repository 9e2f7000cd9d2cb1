"""How well `crosscheck/room.py` knows the memory of a run: estimated and measured side by side.

Every run is the command in a process of its own, with other sizes. What a run of next to nothing
needs is taken off its peak: that is Python and its libraries.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.results import FOLDER
from crosscheck.draws import Stream, draws
from crosscheck.files import write_json
from crosscheck.room import COMPARISON, WALK, Blocks, Held, bytes_needed, study

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of what wait4 says
CHARACTERS = 100_000  # in the text
MINE = "examples/brought/torch_annotated.py:EncoderLayer"
SMALL = Blocks(1, 8, 8, 1, 4, 1, vocabulary=2)  # next to nothing
USUAL = Blocks(2, 64, 256, 4, 32, 4, vocabulary=65)


def sized(**sizes: int) -> Blocks:
    """Return blocks of these sizes; the others are small."""
    return Blocks(**{**vars(USUAL), **sizes})


CHECKED = {
    "wide": sized(width=768, feed_forward=3072, heads=12),
    "wide, one block": sized(layers=1, width=1024, feed_forward=4096, heads=1),
    "deep": sized(layers=32, width=192, feed_forward=768),
    "deep and narrow": sized(layers=200, width=4, feed_forward=4, heads=1, tokens=4, batch=1),
    "long": sized(layers=6, tokens=256),
    "long, one block": sized(layers=1, heads=1, tokens=1024, batch=1),
    "many heads": sized(layers=2, heads=32, tokens=128),
    "large batch": sized(layers=2, batch=192),
    "large feed-forward": sized(layers=2, feed_forward=8192, batch=16),
    "large vocabulary": sized(layers=1, vocabulary=12000),
    "large vocabulary and batch": sized(layers=1, width=16, vocabulary=4000, batch=64),
}
COMPARED = {
    "wide": sized(layers=1, width=1024, feed_forward=4096, vocabulary=0),
    "long": sized(layers=1, tokens=512, batch=2, vocabulary=0),
}
STUDIED = {
    "wide": sized(layers=1, width=384, feed_forward=1536, batch=1, vocabulary=0),
    "deep": sized(layers=32, width=96, feed_forward=384, batch=1, vocabulary=0),
    "deep and narrow": sized(
        layers=300, width=4, feed_forward=4, heads=1, tokens=4, batch=1, vocabulary=0
    ),
    "long": sized(layers=4, tokens=768, batch=1, vocabulary=0),
}
WALKED = {
    "usual": sized(tokens=64, batch=1),
    "wide": sized(width=384, feed_forward=1536, heads=6, batch=1),
    "deep": sized(layers=12, tokens=48, batch=1),
    "long": sized(layers=4, tokens=256, batch=1),
    "many heads": sized(heads=32, tokens=128, batch=1),
}
CHECK = ["--norm", "pre"]  # with which gradients do not vanish, in deep models either
ONE_WIRING = ["--norm", "pre", "--residual"]


def command(kind: str, blocks: Blocks) -> list[str]:
    """Return the arguments of `crosscheck` that run these blocks."""
    sizes = [
        "--width", blocks.width, "--heads", blocks.heads, "--feed-forward", blocks.feed_forward
    ]  # fmt: skip
    own: dict[str, list[Any]] = {
        "check": ["--layers", blocks.layers, "--context", blocks.tokens, "--batch", blocks.batch],
        "compare": ["--shape", f"{blocks.batch},{blocks.tokens},{blocks.width}"],
        "flow": ["--depths", blocks.layers, "--tokens", blocks.tokens, "--seeds", 1,
                 "--init", "default"],
        "walk": ["--layers", blocks.layers, "--characters", blocks.tokens, "-o", os.devnull],
    }  # fmt: skip
    first = [kind, MINE] if kind == "compare" else [kind]
    return [*first, *map(str, [*sizes, *own[kind]])]


def held(kind: str, stacks: int) -> Held:
    """Return what a run of this kind holds. stacks: of `flow`."""
    return {"flow": study(stacks), "walk": WALK}.get(kind, COMPARISON)


def peak(arguments: list[str], vocabulary: int) -> int:
    """Return the most bytes that `crosscheck` has had with these arguments.

    The text that it runs on has so many different characters.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        drawn = draws(Stream.OPTIONS, vocabulary).integers(max(1, vocabulary), size=CHARACTERS)
        drawn[:vocabulary] = range(vocabulary)
        text.write_text("".join(chr(0x4E00 + n) for n in drawn), "utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "crosscheck", *arguments],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "CROSSCHECK_CORPUS": str(text), "OMP_NUM_THREADS": "1"},
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"crosscheck {' '.join(arguments)} ended with {process.returncode}")
    return used.ru_maxrss * UNIT


def cases() -> list[tuple[str, str, Blocks, int, list[str]]]:
    """Return the kind, the name, the sizes, the stacks and further arguments of each run."""
    one_wiring = sized(layers=2, width=512, feed_forward=2048, batch=1, vocabulary=0)
    return [
        *(("check", name, blocks, 0, CHECK) for name, blocks in CHECKED.items()),
        *(("compare", name, blocks, 0, []) for name, blocks in COMPARED.items()),
        *(("flow", name, blocks, 12, []) for name, blocks in STUDIED.items()),
        *(("walk", name, blocks, 0, []) for name, blocks in WALKED.items()),
        ("flow", "one wiring", one_wiring, 2, ONE_WIRING),
    ]


@click.command()
@click.option("--keep/--no-keep", default=True, help="Write results/room.json.")
def main(keep: bool) -> None:
    """Run every case, and print what was estimated beside what was measured."""
    table = Table("run", "sizes", "estimated, MB", "measured, MB", "ratio")
    found = []
    empty = {kind: peak(command(kind, SMALL), 2) for kind in ("check", "compare", "flow", "walk")}
    for kind, name, blocks, stacks, more in cases():
        grown = peak([*command(kind, blocks), *more], blocks.vocabulary) - empty[kind]
        needed = bytes_needed(blocks, held(kind, stacks))
        row = {"run": kind, "name": name, "blocks": vars(blocks), "stacks": stacks}
        found.append({**row, "bytes": grown})
        cells = (f"{needed / 1e6:.0f}", f"{grown / 1e6:.0f}", f"{needed / grown:.2f}")
        table.add_row(kind, name, *cells)
        click.echo(f"{kind}, {name}: {' '.join(cells)}", err=True)
    Console(width=None if Console().is_terminal else 110).print(table)
    if keep:
        write_json(FOLDER / "room.json", {"machine": describe_machine(), "runs": found})


if __name__ == "__main__":
    main()
