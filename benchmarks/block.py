"""The main benchmark: one block, forward and backward, in every engine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.contenders import CONTENDERS
from benchmarks.duel import duel
from benchmarks.problem import SIZES, make_problem
from benchmarks.reference import write_reference
from benchmarks.results import Duel, keep, show

MASKS = ("full", "causal")


@click.command(context_settings={"show_default": True})
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=list(SIZES))
@click.option("--mask", "masks", multiple=True, type=click.Choice(MASKS), default=MASKS)
@click.option("--threads", "thread_counts", multiple=True, type=int, default=(1, 2))
@click.option("--contender", "names", multiple=True, type=click.Choice(list(CONTENDERS)))
@click.option("--rounds", default=9, help="Bursts of each contender.")
@click.option("--keep/--no-keep", "kept", default=True, help="Write results/block.json.")
def main(
    sizes: tuple[str, ...],
    masks: tuple[str, ...],
    thread_counts: tuple[int, ...],
    names: tuple[str, ...],
    rounds: int,
    kept: bool,
) -> None:
    """Time every contender against PyTorch eager, in bursts in random order."""
    duels = []
    for found in _duels(sizes, masks, thread_counts, list(names or CONTENDERS), rounds):
        show(found)
        duels.append(found)
    if kept:
        keep("block", duels)


def _duels(
    sizes: tuple[str, ...],
    masks: tuple[str, ...],
    thread_counts: tuple[int, ...],
    names: list[str],
    rounds: int,
) -> Iterator[Duel]:
    for size in sizes:
        for mask in masks:
            with tempfile.TemporaryDirectory() as folder:
                reference = Path(folder) / "reference.npz"
                write_reference(make_problem(SIZES[size], mask == "causal"), reference)
                for threads in thread_counts:
                    arguments = [size, mask, str(reference)]
                    results, absent = duel(
                        "block", names, arguments, threads=threads, rounds=rounds
                    )
                    labels = {"size": size, "mask": mask, "threads": threads}
                    yield Duel(labels, results, absent)


if __name__ == "__main__":
    main()
