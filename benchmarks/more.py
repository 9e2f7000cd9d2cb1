"""The other benchmarks: training step, memory, growth with depth and length, each rule alone."""

from __future__ import annotations

import click

from benchmarks.contenders import REFERENCE
from benchmarks.duel import duel
from benchmarks.results import Duel, keep, show
from benchmarks.tasks.rule import RULES

OURS = "ours, fast, packed"
OWN = f"{OURS}, own threads"
PLAIN = "ours, as it comes"  # every op by its page
NAMES = [PLAIN, OURS, "ours, fast, fused", "ours, fast, written out", REFERENCE]
DEPTHS = (1, 2, 4, 8)
LENGTHS = (256, 512, 1024, 2048)


@click.group()
def cli() -> None:
    """Each command prints its tables and keeps results/COMMAND.json."""


@cli.command()
@click.option("--rounds", default=9)
def training(rounds: int) -> None:
    """One training step of nanoGPT's character model for the CPU."""
    duels = []
    for threads in (1, 2):
        names = NAMES if threads == 1 else [OWN, *NAMES]
        results, absent = duel("training", names, [], threads=threads, rounds=rounds)
        duels.append(Duel({"threads": threads}, results, absent))
        show(duels[-1])
    keep("training", duels)


@cli.command()
def memory() -> None:
    """Peak memory of the process at the gpt2 size, without the proof, which loads a reference."""
    duels = []
    for mask in ("full", "causal"):
        results, absent = duel("block", NAMES, ["gpt2", mask], threads=2, rounds=1)
        duels.append(Duel({"size": "gpt2", "mask": mask}, results, absent))
        show(duels[-1])
    keep("memory", duels)


@cli.command()
@click.option("--rounds", default=3)
def growth(rounds: int) -> None:
    """Time and memory against depth (at 256 tokens) and against length (at 2 blocks)."""
    duels = []
    for depth, tokens in [(d, 256) for d in DEPTHS] + [(2, t) for t in LENGTHS]:
        arguments = [str(depth), str(tokens)]
        results, absent = duel("growth", [OURS, REFERENCE], arguments, threads=2, rounds=rounds)
        duels.append(Duel({"depth": depth, "tokens": tokens}, results, absent))
        show(duels[-1])
    keep("growth", duels)


@cli.command()
@click.option("--rounds", default=7)
@click.option("--rule", "names", multiple=True, type=click.Choice(list(RULES)), default=list(RULES))
def rules(rounds: int, names: tuple[str, ...]) -> None:
    """Each rule alone against PyTorch's op: where a slow-down lives."""
    duels = []
    for rule in names:
        results, absent = duel(
            "rule", [PLAIN, "ours, fast", REFERENCE], [rule], threads=1, rounds=rounds
        )
        duels.append(Duel({"rule": rule}, results, absent))
        show(duels[-1])
    keep("rules", duels)


if __name__ == "__main__":
    cli()
