"""The reproductions by name, for the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crosscheck.corpus import Corpus
from crosscheck.flow.papers.dong2021 import dong2021
from crosscheck.flow.papers.noci2022 import noci2022
from crosscheck.flow.papers.plain import plain
from crosscheck.flow.papers.result import Paper
from crosscheck.flow.papers.training import STEPS, training
from crosscheck.flow.papers.xiong2020 import xiong2020
from crosscheck.flow.stacks import ENGINES, WIRINGS

AT_INITIALISATION: dict[str, Callable[[Sequence[int], Sequence[str]], Paper]] = {
    "xiong2020": xiong2020,
    "dong2021": dong2021,
    "noci2022": noci2022,
    "plain": plain,
}
TRAINING = "training"
PAPERS = (*AT_INITIALISATION, TRAINING)
SEEDS = 6  # where none are asked for; a training takes a minute for each, so there it is 1


def seeds_of(paper: str, first: int, count: int | None) -> tuple[int, ...]:
    """The seeds that are run: as many as asked for, or as many as are usual."""
    usual = 1 if paper == TRAINING else SEEDS
    return tuple(range(first, first + (count or usual)))


def engines_of(paper: str, engine: str | None) -> tuple[str, ...]:
    """Both, where none is asked for; for the training PyTorch, and both are a ValueError."""
    if paper == TRAINING:
        if engine == "both":
            raise ValueError("--paper training runs in one engine: --engine numpy, or torch")
        return (engine or "torch",)
    return tuple(ENGINES) if engine in (None, "both") else (str(engine),)


def steps_of(seeds: Sequence[int]) -> int:
    """The steps of all runs of the training: the measure of its progress."""
    return STEPS * len(seeds) * len(WIRINGS)


def reproduce(
    paper: str,
    seeds: Sequence[int],
    engines: Sequence[str],
    load_text: Callable[[], Corpus],
    advance: Callable[[int], None],
) -> Paper:
    """Run one by name. load_text is called, and advance told of each step, for the training."""
    if paper == TRAINING:
        return training(seeds, engines, load_text(), advance=advance)
    return AT_INITIALISATION[paper](seeds, engines)
