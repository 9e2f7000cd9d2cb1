"""Every planted bug against every trial: caught, placed, named; and no alarm without a bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.choices import DTYPES, HONEST_RUNS
from crosscheck.forms import fast_forms, has_fast_forms
from crosscheck.mutants.acceptance import OTHER_RULES, caught_by_others
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.trials import TRIALS, VARIED, Outcome, TrainingTrial, Trial
from crosscheck.tape import localise

SCHEMA = 1


@dataclass(frozen=True)
class Result:
    """What came of one planted bug."""

    id: str  # the bug's name
    family: str  # what the bug is about
    what: str  # the bug in one line
    caught: bool  # whether something disagreed
    trial: str  # the name of the first trial that disagreed; empty if none did
    placed: bool  # whether the first finding names an op that is to blame
    named: bool | None  # whether an op to blame got the expected hint; None if none is expected
    op: str  # the op that the first finding names; empty if there is none
    argument: str  # the array that the first finding names; empty if there is none
    hint: str  # the hint of the first finding; empty if there is none
    innocent: tuple[str, ...]  # the other ops that were named
    others: dict[str, bool]  # whether each rule of others notices it; empty for a training bug
    why_not: str  # why the bug cannot be caught or localised; empty if it can


@dataclass(frozen=True)
class Score:
    """All results, and the false alarms of the honest runs."""

    seed: int  # of every trial of a bug; the honest runs have this seed and those after it
    results: tuple[Result, ...]  # one for each bug
    honest_runs: int  # how many runs were made without a bug
    false_alarms: tuple[str, ...]  # what was said against them, in words

    @property
    def caught(self) -> int:
        """Return how many bugs were caught."""
        return sum(result.caught for result in self.results)

    @property
    def placed(self) -> int:
        """Return how many bugs were placed at the right op."""
        return sum(result.placed for result in self.results)

    @property
    def named(self) -> int:
        """Return how many bugs got the expected hint."""
        return sum(bool(result.named) for result in self.results)

    @property
    def good(self) -> bool:
        """Whether nothing honest was accused, and each bug is caught that is not excused."""
        missed = [r for r in self.results if not r.caught and not r.why_not]
        return not missed and not self.false_alarms

    @property
    def innocent(self) -> int:
        """Return for how many bugs an innocent op was named as well."""
        return sum(bool(result.innocent) for result in self.results)

    def others(self) -> dict[str, tuple[int, int]]:
        """Return for each rule of others how many bugs it catches, and of how many."""
        asked = [result.others for result in self.results if result.others]
        return {name: (sum(other[name] for other in asked), len(asked)) for name in OTHER_RULES}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        total = len(self.results)
        return {
            "schema": SCHEMA,
            "mutants": total,
            "caught": self.caught,
            "placed": self.placed,
            "named": self.named,
            "innocent": self.innocent,
            "others": self.others(),
            **asdict(self),
        }


def score(
    mutants: Sequence[Mutant] = CATALOGUE,
    *,
    seed: int = 0,
    honest_runs: int = HONEST_RUNS,
    progress: Callable[[str], None] = lambda what: None,
) -> Score:
    """Plant each bug and judge what is said; then run without any. progress: called before each."""
    results = []
    for mutant in mutants:
        progress(mutant.id)
        results.append(judge_mutant(mutant, seed))
    alarms = []
    for i in range(honest_runs):
        progress(f"honest run {i + 1}")
        alarms += honest_run(seed + i)
    return Score(seed, tuple(results), honest_runs, tuple(alarms))


def honest_run(seed: int) -> list[str]:
    """Run without a bug, and return what is said against it, which should be nothing.

    The seed decides the precision and the trial, which is in turn each of the trials or a language
    model of any wiring. Every other run is computed by the fast forms. Localisation, which
    otherwise runs only when something disagrees, has to find nothing either.
    """
    trial = (*TRIALS, VARIED, VARIED, VARIED)[seed % (len(TRIALS) + 3)]
    dtype = DTYPES[seed % len(DTYPES)]
    with fast_forms(bool(seed % 2 and has_fast_forms())):
        outcome = trial.run(seed, dtype)
        said = [] if outcome.agrees else [f"seed {seed}, {trial.name}, {dtype}: {outcome.said}"]
        if isinstance(trial, Trial):
            model, reference, batch = trial.build(seed)
            where = localise(model, reference, batch, seed=seed)
            said += [f"seed {seed}, {trial.name}: {finding}" for finding in where.findings]
    return said


def judge_mutant(mutant: Mutant, seed: int = 0) -> Result:
    """Plant one bug, run the trials until one catches it, and compare with what is known."""
    trial, outcome = first_alarm(mutant, seed)
    findings = outcome.localisation.findings if outcome.localisation else ()
    first = findings[0] if findings else None
    placed = [f for f in findings if {f.op, f.kind.value} & set(mutant.found)]
    innocent = {f.op for f in findings} - {f.op for f in placed}
    return Result(
        id=mutant.id,
        family=mutant.family,
        what=mutant.what,
        caught=not outcome.agrees,
        trial=trial,
        placed=first in placed,
        named=any(mutant.hint in f.hint for f in placed) if mutant.hint else None,
        op=first.op if first else "",
        argument=first.argument if first else "",
        hint=first.hint if first else "",
        innocent=tuple(sorted(innocent)),
        others={} if trial == TrainingTrial.name else caught_by_others(mutant, seed),
        why_not=mutant.why_not,
    )


def first_alarm(mutant: Mutant, seed: int = 0) -> tuple[str, Outcome]:
    """Return the name and the outcome of the first trial that the bug fails, or "" if none does."""
    with mutant.planted():
        for trial in TRIALS:
            outcome = trial.run(seed)
            if not outcome.agrees:
                return trial.name, outcome
    return "", Outcome(agrees=True)
