"""What a reproduction comes to: claims, each with what was measured and the range for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.flow.agreement import Agreement


@dataclass(frozen=True)
class Claim:
    """One published or derived figure, and ours."""

    what: str  # what the figure is, in words
    measured: float  # our figure
    low: float = -math.inf  # the least that our figure should be
    high: float = math.inf  # the most that our figure should be

    @property
    def holds(self) -> bool:
        """Whether what was measured lies in the range."""
        return self.low <= self.measured <= self.high


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


def compared(agreements: Iterable[Agreement | None]) -> tuple[Agreement, ...]:
    """Return the agreements of the passes that ran on two sides."""
    return tuple(agreement for agreement in agreements if agreement is not None)
