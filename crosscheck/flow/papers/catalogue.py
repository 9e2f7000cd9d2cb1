"""The reproductions by name, for the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crosscheck.choices import AT_INITIALISATION, TRAINING
from crosscheck.corpus import Corpus
from crosscheck.flow.papers.dong2021 import dong2021
from crosscheck.flow.papers.noci2022 import noci2022
from crosscheck.flow.papers.plain import plain
from crosscheck.flow.papers.result import Paper
from crosscheck.flow.papers.training import training
from crosscheck.flow.papers.xiong2020 import xiong2020
from crosscheck.flow.stacks import sides_of
from crosscheck.sides import TORCH, Dialect

_Reproduction = Callable[[Sequence[int], Sequence[Dialect]], Paper]
_AT_INITIALISATION: dict[str, _Reproduction] = dict(
    zip(AT_INITIALISATION, (xiong2020, dong2021, noci2022, plain), strict=True)
)
SEEDS = 6  # run if nobody asks for a number
# The training takes a minute per seed. The figures of xiong2020 vary so much from seed to seed that
# the mean of 6 leaves its range once in twelve.
OTHER_SEEDS = {TRAINING: 1, "xiong2020": 12}


def seeds_of(paper: str, first: int, count: int | None) -> tuple[int, ...]:
    """Return the seeds that are run: as many as asked for, or as many as are usual."""
    return tuple(range(first, first + (count or OTHER_SEEDS.get(paper, SEEDS))))


def sides_for(paper: str, engine: str | None) -> tuple[Dialect, ...]:
    """Return the sides that are run: as asked for, or both; of the training, PyTorch.

    Raises ValueError if the training is to run on both.
    """
    if paper == TRAINING and engine == "both":
        raise ValueError("the paper training runs in one engine, numpy or torch, and not in both")
    return (TORCH,) if paper == TRAINING and engine is None else sides_of(engine)


def reproduce(
    paper: str,
    seeds: Sequence[int],
    sides: Sequence[Dialect],
    load_text: Callable[[], Corpus],
    advance: Callable[[int], None],
) -> Paper:
    """Run a reproduction. Only the training calls load_text, and advance after each step."""
    if paper == TRAINING:
        return training(seeds, sides, load_text(), advance=advance)
    return _AT_INITIALISATION[paper](seeds, sides)
