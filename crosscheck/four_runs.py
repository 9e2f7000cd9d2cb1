"""One row for each array: what four runs made of it, judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.amplification import Amplification
from crosscheck.distance import cosine, distance, norm, relative_error, worst_entry
from crosscheck.judge import (
    FLOOR,
    FLOOR32,
    ROUNDING,
    Judgement,
    Verdict,
    judge_amplified,
    judge_form,
    judge_gradient,
    judge_output,
    judge_rounding,
    judge_vanishing,
    judge_zero,
    vanishes,
)
from crosscheck.row import Row
from crosscheck.runs import Run
from crosscheck.sides import Array

SUMS = "float32 sums"
Pick = Callable[[Run], Array | None]  # takes one array from a run
Roundings = tuple[float | None, float | None]  # ours and the reference's; None if not measured


@dataclass(frozen=True)
class Quartet:
    """The same thing from each of four runs.

    It is None for a run that was not asked for.
    """

    ours64: Any  # the model's, in float64
    theirs64: Any  # the reference's, in float64: the truth for all others
    ours32: Any  # the model's, in float32
    theirs32: Any  # the reference's, in float32

    def map(self, function: Callable[[Any], Any]) -> Quartet:
        """Return the value of the function for each run that was asked for."""
        four = (self.ours64, self.theirs64, self.ours32, self.theirs32)
        return Quartet(*(None if one is None else function(one) for one in four))


@dataclass(frozen=True)
class Rows:
    """Judges the arrays of four runs, one by one."""

    runs: Quartet
    dtype: str  # "both", "float64" or "float32"
    # For each dtype, what rounding does to the reference; under SUMS, what it does in float32 where
    # every number is off as a sum may be. An engine whose ops are known goes without this.
    nearby: Mapping[str, Amplification]
    zero: Collection[str]  # the names of the gradients that are zero by rights
    largest: float  # the norm of the reference's largest gradient

    def output(self, name: str, pick: Pick) -> Row:
        """Judge the output or the loss, which have no model to be small beside."""
        return self._row(name, pick, None)

    def gradient(self, name: str) -> Row:
        """Judge the gradient of a parameter, of a part of it, or of the input."""
        return self._row(name, lambda run: run.by_part.get(name), self.largest)

    def _row(self, name: str, pick: Pick, largest: float | None) -> Row:
        arrays = self.runs.map(pick)
        single = self.dtype == "float32"
        ours, theirs = arrays.ours32 if single else arrays.ours64, arrays.theirs64
        zero = name in self.zero and largest is not None
        judgements = [] if single else [self._double(pick, ours, theirs, largest, zero)]
        # What is wrong in float64 need not be asked what it is in float32.
        may_be_luck = not any(judgement.verdict.wrong for judgement in judgements)
        rounding = self._roundings(arrays, pick, may_be_luck)
        if self.dtype != "float64" and may_be_luck:
            judgements += self._single(pick, arrays, rounding, largest, zero)
        if ours is None and theirs is None and (side := self._without(name)):
            judgements = [Judgement(Verdict.MISSING, f"{side} has no parameter of this name")]
        judged = min(judgements, key=lambda j: (not j.verdict.wrong, not j.verdict.unproved))
        return Row(
            name=name,
            shape=next((array.shape for array in (ours, theirs) if array is not None), ()),
            norm=None if ours is None else norm(ours),
            norm_reference=None if theirs is None else norm(theirs),
            error=None if single else judgements[0].error,
            rounding=rounding[0],
            rounding_reference=rounding[1],
            verdict=judged.verdict,
            reason=judged.reason,
            **_side_by_side(ours, theirs),
        )

    def _without(self, name: str) -> str:
        """Return the side that has nothing of this name, not even a gradient that is absent."""
        ours = self.runs.ours64 or self.runs.ours32
        sides = {"the model": ours, "the reference": self.runs.theirs64}
        return next((side for side, run in sides.items() if name not in run.by_part), "")

    def _double(
        self, pick: Pick, a: Array | None, b: Array | None, largest: float | None, zero: bool
    ) -> Judgement:
        """Judge an array in float64."""
        form = judge_form(a, b, "float64")
        if form is not None or a is None or b is None:
            return form or Judgement(Verdict.ABSENT, "")
        if largest is None:
            judged = judge_output(a, b)
        elif zero:
            judged = judge_zero(a, b, FLOOR * largest)
        else:
            judged = judge_gradient(a, b, largest)
        if judged.verdict != Verdict.DISAGREE:
            return judged
        gap = distance(a, b)
        effect = self.nearby["float64"].effect(pick, b, gap)
        return judge_amplified(judged, gap, effect, norm(b))

    def _single(
        self,
        pick: Pick,
        arrays: Quartet,
        rounding: Roundings,
        largest: float | None,
        zero: bool,
    ) -> list[Judgement]:
        """Judge an array in float32; return nothing where nothing can be asked of it."""
        a, b, truth = arrays.ours32, arrays.theirs32, arrays.theirs64
        ours, theirs = rounding
        form = judge_form(a, b, "float32")
        if form is not None:
            # Numbers beyond float32's range, which float64 has judged, are no fault of ours.
            beyond = form.verdict == Verdict.NOT_FINITE and not np.isfinite(b).all()
            return self._nothing_asked(np.inf) if beyond and np.isfinite(truth).all() else [form]
        if ours is None or theirs is None:
            return [Judgement(Verdict.MISSING, "the reference has none in float64")]
        if largest is not None and zero:
            judged = judge_zero(a, b, FLOOR32 * largest)
            if judged.verdict.good:
                return [judged]
            effect = self.nearby["float32"].effect(pick, truth, distance(a, truth))
            judged = judge_zero(a, b, max(FLOOR32 * largest, ROUNDING * effect))
            wrong = dataclasses.replace(judged, verdict=Verdict.ROUNDING)
            return [judged if judged.verdict.good else wrong]
        if vanishes(norm(truth), FLOOR * (largest or 0.0)):
            # Both sides may be all rounding, and their ratio says nothing.
            return self._nothing_asked(norm(truth))
        judged = judge_rounding(ours, theirs)
        if judged.verdict.good and ROUNDING * theirs > 0.01 and self.dtype == "float32":
            return [judge_amplified(judged, ours, theirs, np.inf)]  # whatever it is, it would pass
        return [judged]

    def _nothing_asked(self, size: float) -> list[Judgement]:
        """Return the judgement on an array of which only float64 can tell something."""
        return [judge_vanishing(size)] if self.dtype == "float32" else []

    def _roundings(self, arrays: Quartet, pick: Pick, may_be_luck: bool) -> Roundings:
        """Return the relative float32 errors of both sides against the reference's float64.

        One sample of the reference's may be luck. So where ours is too large beside it, several are
        drawn, and the largest counts.
        """
        truth = arrays.theirs64
        ours, theirs = (_rounding(a, truth) for a in (arrays.ours32, arrays.theirs32))
        if ours is None or theirs is None or not may_be_luck:
            return ours, theirs
        if judge_rounding(ours, theirs).verdict.good:
            return ours, theirs
        size = norm(truth)
        effect = self.nearby["float32"].effect(pick, truth, ours * size)
        if SUMS in self.nearby and ours * size > ROUNDING * effect:
            effect = max(effect, self.nearby[SUMS].effect(pick, truth, ours * size))
        return ours, max(theirs, effect / size if size else 0.0)


def gradient_names(runs: Quartet) -> list[str]:
    """Return the names of all gradients that either side has or should have, ours first."""
    ours = runs.ours64 or runs.ours32
    return list({**ours.by_part, **runs.theirs64.by_part})


def _rounding(single: Array | None, truth: Array | None) -> float | None:
    if single is None or truth is None or single.shape != truth.shape:
        return None
    return relative_error(single, truth)


def _side_by_side(ours: Array | None, theirs: Array | None) -> dict[str, Any]:
    """Return the direction of ours and theirs, and the entries where they differ most."""
    if ours is None or theirs is None or ours.shape != theirs.shape or not ours.size:
        return {"cosine": None, "worst": None, "ours": None, "reference": None}
    worst = worst_entry(ours, theirs)
    return {
        "cosine": cosine(ours, theirs),
        "worst": worst,
        "ours": float(ours[worst]),
        "reference": float(theirs[worst]),
    }
