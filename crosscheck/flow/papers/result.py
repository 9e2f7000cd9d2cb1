"""What a reproduction comes to: claims, each with what was measured and the range for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from crosscheck.flow.agreement import Agreement

# How many standard errors the mean over some seeds may lie beside a range. The mean over all seeds
# that there are is that far away in one case of twenty.
ERRORS = 2.0


@dataclass(frozen=True)
class Claim:
    """One published or derived figure, and ours.

    A figure that is a mean over seeds is known up to its standard error. It fails only if it lies
    outside of the range by more than ERRORS of them. The range itself stays as it was published.
    """

    what: str  # what the figure is, in words
    measured: float  # our figure
    low: float = -math.inf  # the least that our figure should be
    high: float = math.inf  # the most that our figure should be
    error: float | None = None  # the standard error of a mean over seeds; None where none is known

    @property
    def holds(self) -> bool:
        """Whether the measured figure, give or take ERRORS standard errors, lies in the range."""
        slack = ERRORS * (self.error or 0.0)
        return self.low - slack <= self.measured <= self.high + slack


@dataclass(frozen=True)
class Paper:
    """A reproduction."""

    name: str  # as the command knows it
    title: str  # the result, in a sentence
    source: str  # where the result was published or derived
    setting: str  # what was run, in a sentence
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()  # what else there is to say
    agreements: tuple[Agreement, ...] = ()  # one for each pass that ran on both sides

    @property
    def holds(self) -> bool:
        """Whether every claim holds, and the sides agree."""
        return self.agrees and all(claim.holds for claim in self.claims)

    @property
    def agrees(self) -> bool:
        """Whether the sides agree in every pass."""
        return all(agreement.good for agreement in self.agreements)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "holds": self.holds,
            "agrees": self.agrees,
            "title": self.title,
            "source": self.source,
            "setting": self.setting,
            "claims": [{**asdict(claim), "holds": claim.holds} for claim in self.claims],
            "notes": self.notes,
            "difference": max((a.difference for a in self.agreements), default=None),
        }


def mean_claim(what: str, values: Sequence[float], low: float, high: float) -> Claim:
    """Return a claim on the mean of values, one from each seed; one alone has no standard error."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return Claim(what, float(np.mean(values)), low, high, error)


def compared(agreements: Iterable[Agreement | None]) -> tuple[Agreement, ...]:
    """Return the agreements of the passes that ran on two sides."""
    return tuple(agreement for agreement in agreements if agreement is not None)
