"""Every planted bug against every trial: caught, placed, named; and no alarm without a bug."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.mutants.acceptance import OTHER_RULES, caught_by_others
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.trials import TRIALS, Outcome, TrainingTrial

SCHEMA = 1
HONEST_RUNS = 200


@dataclass(frozen=True)
class Result:
    """What came of one planted bug.

    caught: something disagreed. trial: the first that did. placed: the first finding names an op
    that is to blame. named: the hint that was expected is among those given; None where none is
    expected. op, argument, hint: what was found. others: by rule of others, whether it would have
    been caught by that.
    """

    id: str
    family: str
    what: str
    caught: bool
    trial: str
    placed: bool
    named: bool | None
    op: str
    argument: str
    hint: str
    others: dict[str, bool]
    why_not: str


@dataclass(frozen=True)
class Score:
    """All results, and the false alarms of the honest runs, in words."""

    seed: int
    results: tuple[Result, ...]
    honest_runs: int
    false_alarms: tuple[str, ...]

    @property
    def caught(self) -> int:
        """How many were caught."""
        return sum(result.caught for result in self.results)

    @property
    def placed(self) -> int:
        """How many were placed at the right op."""
        return sum(result.placed for result in self.results)

    @property
    def named(self) -> int:
        """How many got the right hint."""
        return sum(bool(result.named) for result in self.results)

    @property
    def good(self) -> bool:
        """Whether all is caught but what is known not to be, and nothing honest was accused."""
        missed = [r for r in self.results if not r.caught and not r.why_not]
        return not missed and not self.false_alarms

    def others(self) -> dict[str, tuple[int, int]]:
        """By rule of others, how many it catches, and of how many it was asked."""
        asked = [result.others for result in self.results if result.others]
        return {name: (sum(other[name] for other in asked), len(asked)) for name in OTHER_RULES}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        total = len(self.results)
        counts = {"mutants": total, "caught": self.caught, "placed": self.placed}
        return {
            "schema": SCHEMA, **counts, "named": self.named, "others": self.others(),
            **asdict(self),
        }  # fmt: skip


def score(
    mutants: Sequence[Mutant] = CATALOGUE,
    *,
    seed: int = 0,
    honest_runs: int = HONEST_RUNS,
    progress: Callable[[str], None] = lambda what: None,
) -> Score:
    """Plant each bug and see what is said; then run without any. progress: called before each."""
    results = []
    for mutant in mutants:
        progress(mutant.id)
        results.append(judge_mutant(mutant, seed))
    alarms = []
    trials = itertools.cycle(TRIALS)
    for i in range(honest_runs):
        progress(f"honest run {i + 1}")
        trial = next(trials)
        outcome = trial.run(seed + i)
        if not outcome.agrees:
            alarms.append(f"seed {seed + i}, {trial.name}: {outcome.said}")
    return Score(seed, tuple(results), honest_runs, tuple(alarms))


def judge_mutant(mutant: Mutant, seed: int = 0) -> Result:
    """Plant one bug, run the trials until one catches it, and compare with what is known."""
    trial, outcome = first_alarm(mutant, seed)
    findings = outcome.localisation.findings if outcome.localisation else ()
    first = findings[0] if findings else None
    hints = [finding.hint for finding in findings if finding.hint]
    return Result(
        id=mutant.id,
        family=mutant.family,
        what=mutant.what,
        caught=not outcome.agrees,
        trial=trial,
        placed=first is not None and bool({first.op, first.kind.value} & set(mutant.found)),
        named=any(mutant.hint in hint for hint in hints) if mutant.hint else None,
        op=first.op if first else "",
        argument=first.argument if first else "",
        hint=hints[0] if hints else "",
        others={} if trial == TrainingTrial.name else caught_by_others(mutant, seed),
        why_not=mutant.why_not,
    )


def first_alarm(mutant: Mutant, seed: int = 0) -> tuple[str, Outcome]:
    """The first trial that a planted bug fails, and what it says; the empty name if none does."""
    with mutant.planted():
        for trial in TRIALS:
            outcome = trial.run(seed)
            if not outcome.agrees:
                return trial.name, outcome
    return "", Outcome(agrees=True)
