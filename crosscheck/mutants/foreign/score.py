"""Every planted bug of the examples, and many runs of the examples as they are, on all cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from statistics import median
from typing import Any

from crosscheck.choices import FOREIGN_HONEST_RUNS
from crosscheck.mutants.foreign.bug import Bug
from crosscheck.mutants.foreign.catalogue import CATALOGUE, has_jax
from crosscheck.mutants.foreign.jax import FILE as JAX_FILE
from crosscheck.mutants.foreign.trial import Result, honest_run, judge_bug, subject_of
from crosscheck.threads import few_threads

SCHEMA = 1
FEW = 20  # so few runs are over before another process has started
SHARE = 4  # runs that a process does before it asks for more

Task = tuple[Bug, int] | int  # a bug and a seed, or the seed of an honest run


@dataclass(frozen=True)
class Totals:
    """How many bugs of a family, or of all, came to what."""

    name: str
    bugs: int
    caught: int
    first: int  # placed at the first line that is named
    among: int  # placed at one of the first three
    inside: int  # in the segment
    median: float  # lines in the segment

    @classmethod
    def of(cls, name: str, results: Sequence[Result]) -> Totals:
        """Count these results."""
        widths = [result.lines for result in results if result.lines]
        return cls(
            name,
            bugs=len(results),
            caught=sum(result.caught for result in results),
            first=sum(result.first for result in results),
            among=sum(result.among for result in results),
            inside=sum(result.inside for result in results),
            median=median(widths) if widths else 0,
        )


@dataclass(frozen=True)
class ForeignScore:
    """What came of all planted bugs, and of the runs without one."""

    seed: int
    results: tuple[Result, ...]  # one for each bug
    honest_runs: int  # how many runs were made without a bug
    false_alarms: tuple[str, ...]  # what was said against them, in words

    @property
    def families(self) -> list[Totals]:
        """Return the totals of each family, in the order of the catalogue."""
        groups = groupby(self.results, attrgetter("family"))
        return [Totals.of(family, list(results)) for family, results in groups]

    @property
    def total(self) -> Totals:
        """Return the totals of all bugs."""
        return Totals.of("all", self.results)

    @property
    def good(self) -> bool:
        """Whether every bug is caught, and nothing honest is accused."""
        return self.total.caught == self.total.bugs and not self.false_alarms

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "schema": SCHEMA,
            "total": asdict(self.total),
            "families": [asdict(totals) for totals in self.families],
            **asdict(self),
        }


def score(
    bugs: Sequence[Bug] = CATALOGUE,
    *,
    seed: int = 0,
    honest_runs: int = FOREIGN_HONEST_RUNS,
    progress: Callable[[], None] = lambda: None,
) -> ForeignScore:
    """Plant each bug and judge what is said; then run without any. progress: called after each.

    Without JAX, its bugs are left out.
    """
    tasks: list[Task] = [(bug, seed) for bug in bugs if has_jax() or bug.file != JAX_FILE]
    tasks += range(seed, seed + honest_runs)
    outcomes: dict[int, Result | list[str]] = {}
    for number, outcome in _outcomes(tasks):
        progress()
        outcomes[number] = outcome
    in_order = [outcomes[number] for number in range(len(tasks))]
    results = tuple(outcome for outcome in in_order if isinstance(outcome, Result))
    alarms = [words for outcome in in_order if isinstance(outcome, list) for words in outcome]
    return ForeignScore(seed, results, honest_runs, tuple(alarms))


def _outcomes(tasks: Sequence[Task]) -> Iterator[tuple[int, Result | list[str]]]:
    """Yield what comes of each task, by its number. Many of them are shared among processes."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shares = _shares(tasks)
    if len(tasks) <= FEW or (workers or 1) < 2:
        for share in shares:
            yield from _outcomes_of(share)
        return
    # A process of its own start: PyTorch has threads, and a fork would copy none of them.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        for done in as_completed([pool.submit(_outcomes_of, share) for share in shares]):
            yield from done.result()


def _shares(tasks: Sequence[Task]) -> list[list[tuple[int, Task]]]:
    """Return the tasks with their numbers, in shares that one process does together.

    All that need JAX are one share, the first, so that JAX compiles everything once.
    """
    numbered = list(enumerate(tasks))
    jax = [one for one in numbered if _file_of(one[1]) == JAX_FILE]
    others = [one for one in numbered if _file_of(one[1]) != JAX_FILE]
    parts = [others[i : i + SHARE] for i in range(0, len(others), SHARE)]
    return [jax, *parts] if jax else parts


def _file_of(task: Task) -> str:
    return subject_of(task).file if isinstance(task, int) else task[0].file


def _outcomes_of(share: Sequence[tuple[int, Task]]) -> list[tuple[int, Result | list[str]]]:
    with few_threads(1):
        return [
            (number, honest_run(task) if isinstance(task, int) else judge_bug(*task))
            for number, task in share
        ]
