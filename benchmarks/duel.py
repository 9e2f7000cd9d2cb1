"""Contenders side by side: bursts in random order, so that a drifting clock is fair to all."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import REFERENCE, environment

BURST_SECONDS = 0.3
PAUSE_SECONDS = 0.25  # longer than the idle threads of BLAS and OpenMP keep spinning


class NotAvailableError(Exception):
    """A contender whose package is not installed, or which failed its proof; says why."""


class Worker:
    """The process of one contender."""

    def __init__(self, task: str, name: str, arguments: list[str], threads: int) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", task, str(threads), name, *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, **environment(name, threads)},
        )  # fmt: skip
        self.name = name
        self.error: float | None = self._answer()["error"]
        pilot = self.burst(2)
        self.steps = max(1, round(BURST_SECONDS / min(pilot)))

    def burst(self, steps: int) -> list[float]:
        """The seconds of each of these steps."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.peak_kib: int = answer["peak_kib"]
        seconds: list[float] = answer["seconds"]
        return seconds

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, trouble = self._process.communicate()
            raise NotAvailableError((trouble.strip().splitlines() or ["died without a word"])[-1])
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass(frozen=True)
class Result:
    """One contender in one duel.

    ratio: its time over the reference's in the same round, the median of the rounds; low and high
    its quartiles. memory: peak of the process, in MiB.
    """

    name: str
    error: float | None
    milliseconds: float
    ratio: float
    low: float
    high: float
    memory: float


def duel(
    task: str, names: list[str], arguments: list[str], *, threads: int, rounds: int, seed: int = 0
) -> tuple[list[Result], dict[str, str]]:
    """Run the contenders against the reference; the results, and why the others could not."""
    workers, absent = _start(task, names, arguments, threads)
    times: dict[str, list[float]] = {worker.name: [] for worker in workers}
    order = random.Random(seed)
    try:
        for _ in range(rounds):
            for worker in order.sample(workers, len(workers)):
                time.sleep(PAUSE_SECONDS)
                worker.burst(1)  # wake it up
                times[worker.name].append(statistics.median(worker.burst(worker.steps)))
    finally:
        for worker in workers:
            worker.close()
    return [_result(worker, times) for worker in workers], absent


def _start(
    task: str, names: list[str], arguments: list[str], threads: int
) -> tuple[list[Worker], dict[str, str]]:
    workers: list[Worker] = []
    absent: dict[str, str] = {}
    for name in names:
        try:
            workers.append(Worker(task, name, arguments, threads))
        except NotAvailableError as reason:
            absent[name] = str(reason)
    if REFERENCE not in [worker.name for worker in workers]:
        raise NotAvailableError(f"{REFERENCE}: {absent.get(REFERENCE, 'not among the contenders')}")
    return workers, absent


def _result(worker: Worker, times: dict[str, list[float]]) -> Result:
    seconds = times[worker.name]
    ratios = sorted(a / b for a, b in zip(seconds, times[REFERENCE], strict=True))
    quarter = len(ratios) // 4
    return Result(
        name=worker.name,
        error=worker.error,
        milliseconds=1e3 * statistics.median(seconds),
        ratio=statistics.median(ratios),
        low=ratios[quarter],
        high=ratios[-1 - quarter],
        memory=worker.peak_kib / 1024,
    )
