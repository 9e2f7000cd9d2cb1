"""The usual suspects: would the two models agree if one of them were set up otherwise?

Which op was born wrong is a question for models that are meant to do the same. If one has pre-norm
and the other post-norm, every op is right, and the answer would name an innocent one. So each
setting that people confuse is tried in a run of its own: first those in which the two are seen to
differ, then the others, at last two at once. What makes the outputs agree is the answer.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from crosscheck.distance import gap_between
from crosscheck.runs import Run, run
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.hypothesis import Hypothesis, finding_of, hint_of
from crosscheck.tape.rerouted import axes, masks
from crosscheck.tape.settings import (
    ACTIVATION,
    BATCH_FIRST,
    EPS,
    HEADS,
    NORM_FIRST,
    RESIDUAL,
    SWITCHES,
)
from crosscheck.tape.taped_runs import TapedRuns

RUNS = 60  # at most so many are made
GOING_BACK = {Kind.BACKWARD, Kind.SUM}  # findings that no setting explains
HARMLESS = {*GOING_BACK, Kind.CONSTANT}  # findings beside which a setting may explain the outputs
SUSPECTS = (
    BATCH_FIRST.changes,
    axes,
    NORM_FIRST.changes,
    HEADS.changes,
    masks,
    ACTIVATION.changes,
    RESIDUAL.changes,
    EPS.changes,
)


Confirmed: TypeAlias = tuple[Sequence[Hypothesis], Run, Run]  # and the runs that agree under it


def suspected(
    findings: list[Finding], runs: TapedRuns, ours: Run | None, theirs: Run, floor: float
) -> list[Finding]:
    """Return the setting that explains why the outputs differ, in place of what it explains.

    Where no setting does, the findings stay; one may get another hint. floor: what a gradient may
    differ by. A setting in which the two are not seen to differ is tried only if no finding proves
    a rule wrong, and the two are no mirrors: of mirrors, the findings are exact.
    """
    if ours is None or gap_between(ours.output, theirs.output).agrees:
        return findings
    structural = any(map(_is_structural, findings))
    proofs = [f for f in findings if f.kind not in HARMLESS and not _is_structural(f)]
    trials = _Trials(runs, ours, theirs)
    confirmed = trials.of_seen()
    is_open = structural and not proofs and runs.are_unlike
    if confirmed is None and (is_open or not findings):
        confirmed = trials.of_unseen()
    if confirmed is None:
        if structural and trials.seen:
            first = next(i for i, finding in enumerate(findings) if _is_structural(finding))
            findings[first] = dataclasses.replace(findings[first], hint=hint_of(trials.seen))
        return findings
    trial, ours, theirs = confirmed
    left = [
        name
        for name, right in theirs.gradients.items()
        if not gap_between(ours.gradients.get(name), right, floor).agrees
    ]
    kept = [finding for finding in findings if left and finding.kind in GOING_BACK]
    return [finding_of(trial, runs, left, is_known=bool(kept)), *kept]


def _is_structural(finding: Finding) -> bool:
    """Whether it may come of a setting: the ops are others, or are given others or other shapes."""
    reshaped = finding.kind == Kind.FORWARD and finding.gap and "shape" in finding.gap.form
    return finding.kind in (Kind.WIRING, Kind.MISSING) or bool(reshaped)


class _Trials:
    """Runs both models again under one hypothesis after the other."""

    def __init__(self, runs: TapedRuns, ours: Run, theirs: Run) -> None:
        self._runs, self._ours, self._theirs = runs, ours, theirs
        self.seen = list(_seen(runs))  # the settings that are seen to differ
        self._left = RUNS  # how many may still be made
        self._unable: list[Hypothesis] = []  # those under which there is no run

    def of_seen(self) -> Confirmed | None:
        """Try the settings that are seen to differ: each alone, then several at once."""
        sizes = range(1, len(self.seen) + 1)
        return self._first(c for size in sizes for c in itertools.combinations(self.seen, size))

    def of_unseen(self) -> Confirmed | None:
        """Try all others: each alone, then two at once."""
        unseen = list(_unseen(self._runs))
        found = self._first((one,) for one in unseen)
        if found is not None:
            return found
        return self._first(_pairs([h for h in [*self.seen, *unseen] if h not in self._unable]))

    def _first(self, trials: Iterable[Sequence[Hypothesis]]) -> Confirmed | None:
        for trial in trials:
            if self._left < len(trial):
                break
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # PyTorch's, on masks that nobody asked for
                    ours = self._again(trial, self._runs.model, False, self._ours)
                    theirs = self._again(trial, self._runs.reference, True, self._theirs)
            except Exception:  # what cannot run explains nothing
                self._unable += trial if len(trial) == 1 else ()
                continue
            if gap_between(ours.output, theirs.output).agrees:
                return trial, ours, theirs
        return None

    def _again(
        self, trial: Sequence[Hypothesis], model: Any, of_reference: bool, before: Run
    ) -> Run:
        """Run a changed copy of one of the models; before: its run if nothing is changed in it."""
        changes = [one.change for one in trial if one.of_reference is of_reference]
        if not changes:
            return before
        self._left -= 1
        changed = copy.deepcopy(model)
        for change in changes:
            change.make(changed)
        runs = self._runs
        return run(changed, runs.batch, dtype="float64", loss=runs.loss, seed=runs.seed)


def _seen(runs: TapedRuns) -> Iterator[Hypothesis]:
    """Yield the settings that can be read on both sides, and differ."""
    for switch in SWITCHES:
        ours, theirs = switch.read(runs.model), switch.read(runs.reference)
        if ours is not None and theirs is not None and ours != theirs:
            yield Hypothesis(switch.change(runs.reference, ours), True)


def _unseen(runs: TapedRuns) -> Iterator[Hypothesis]:
    """Yield the other settings of the reference; and of the model, where the reference has none."""
    seen = {hypothesis.change.setting for hypothesis in _seen(runs)}
    for changes in SUSPECTS:
        of_reference = list(changes(runs.reference))
        for change in of_reference or changes(runs.model):
            if change.setting not in seen:
                yield Hypothesis(change, bool(of_reference))


def _pairs(hypotheses: Sequence[Hypothesis]) -> list[Sequence[Hypothesis]]:
    """Return all pairs of different settings, first those of each setting's first alternative."""
    alternatives: Counter[tuple[str, ...]] = Counter()
    ranked = []
    for one in hypotheses:
        ranked.append((alternatives[one.change.arguments], one))
        alternatives[one.change.arguments] += 1
    pairs = [
        (i + j, (one, other))
        for (i, one), (j, other) in itertools.combinations(ranked, 2)
        if one.change.arguments != other.change.arguments
    ]
    return [pair for _, pair in sorted(pairs, key=lambda ranked: ranked[0])]
