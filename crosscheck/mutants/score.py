"""Every planted bug against every trial: caught, placed, named; and no alarm without a bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from crosscheck.comparison import DTYPES
from crosscheck.forms import fast_forms
from crosscheck.mutants.acceptance import OTHER_RULES, caught_by_others
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.trials import TRIALS, VARIED, Outcome, TrainingTrial, Trial
from crosscheck.tape import localise

SCHEMA = 1
HONEST_RUNS = 200


@dataclass(frozen=True)
class Result:
    """What came of one planted bug.

    caught: something disagreed. trial: the first that did. placed: the first finding names an op
    that is to blame. named: the hint that was expected is among those given for such ops; None
    where none is expected. op, argument, hint: of the first finding. innocent: other ops that were
    named. others: by rule of others, whether it would have been caught by that; empty where only
    training shows it, which they do not look at.
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
    innocent: tuple[str, ...]
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

    @property
    def innocent(self) -> int:
        """For how many an innocent op was named as well."""
        return sum(bool(result.innocent) for result in self.results)

    def others(self) -> dict[str, tuple[int, int]]:
        """By rule of others, how many it catches, and of how many it was asked."""
        asked = [result.others for result in self.results if result.others]
        return {name: (sum(other[name] for other in asked), len(asked)) for name in OTHER_RULES}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
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
    """Plant each bug and see what is said; then run without any. progress: called before each."""
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
    """Run without a bug, at options and a precision that the seed decides; what is said against it.

    In turn one of the trials, or a language model of any wiring; every other run is computed by the
    fast forms. Localisation, which otherwise runs only when something disagrees, has to find
    nothing too.
    """
    trial = (*TRIALS, VARIED, VARIED, VARIED)[seed % (len(TRIALS) + 3)]
    dtype = DTYPES[seed % len(DTYPES)]
    with fast_forms() if seed % 2 and find_spec("tinygrad_tf.fast") else nullcontext():
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
        placed=placed[:1] == list(findings[:1]) != [],
        named=any(mutant.hint in f.hint for f in placed) if mutant.hint else None,
        op=first.op if first else "",
        argument=first.argument if first else "",
        hint=first.hint if first else "",
        innocent=tuple(sorted(innocent)),
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
