"""The main benchmark: one block, forward and backward, in every engine."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import CONTENDERS
from benchmarks.duel import duel
from benchmarks.machine import describe_machine
from benchmarks.problem import SIZES, make_problem
from benchmarks.reference import write_reference

RESULTS = Path(__file__).parent / "results"


@click.command(context_settings={"show_default": True})
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=list(SIZES))
@click.option("--threads", "thread_counts", multiple=True, type=int, default=(1, 2))
@click.option("--causal/--full", "causal", default=None, help="One of the two; both by default.")
@click.option("--contender", "names", multiple=True, type=click.Choice(list(CONTENDERS)))
@click.option("--rounds", default=9, help="Bursts of each contender.")
@click.option("--json", "path", type=click.Path(path_type=Path), default=RESULTS / "block.json")
def main(
    sizes: tuple[str, ...],
    thread_counts: tuple[int, ...],
    causal: bool | None,
    names: tuple[str, ...],
    rounds: int,
    path: Path,
) -> None:
    """Time every contender against PyTorch eager; print a table, keep the numbers as JSON."""
    console = Console()
    duels: list[dict[str, Any]] = []
    for size in sizes:
        for is_causal in (False, True) if causal is None else (causal,):
            with tempfile.TemporaryDirectory() as folder:
                reference = Path(folder) / "reference.npz"
                write_reference(make_problem(SIZES[size], is_causal), reference)
                for threads in thread_counts:
                    mask = "causal" if is_causal else "full"
                    arguments = [size, mask, str(threads), str(reference)]
                    results, absent = duel(list(names or CONTENDERS), arguments, threads, rounds)
                    console.print(_table(f"{size}, {mask}, {threads} threads", results, absent))
                    duels.append(
                        {
                            "size": size,
                            "mask": mask,
                            "threads": threads,
                            "results": [asdict(result) for result in results],
                            "absent": absent,
                        }
                    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": describe_machine(), "duels": duels}, indent=1) + "\n")


def _table(title: str, results: Any, absent: dict[str, str]) -> Table:
    table = Table("contender", "ms", "over PyTorch", "quartiles", "error", title=title)
    for result in results:
        table.add_row(
            result.name,
            f"{result.milliseconds:.2f}",
            f"{result.ratio:.2f}",
            f"{result.low:.2f} to {result.high:.2f}",
            f"{result.error:.0e}",
        )
    for name, reason in absent.items():
        table.add_row(name, "", "", "", reason)
    return table


if __name__ == "__main__":
    main()
