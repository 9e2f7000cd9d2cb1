"""What a reproduction comes to: claims, each with the range it should lie in and what was found."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.flow.agreement import Agreement


@dataclass(frozen=True)
class Claim:
    """One published or derived figure, and ours. low, high: where ours should lie."""

    what: str
    measured: float
    low: float = -math.inf
    high: float = math.inf

    @property
    def holds(self) -> bool:
        """Whether what was measured lies in the range."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True)
class Paper:
    """A reproduction. setting: what was run, in a sentence; notes: what else there is to say.

    agreements: of the engines, one for each pass that ran in both.
    """

    name: str
    title: str
    source: str
    setting: str
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()
    agreements: tuple[Agreement, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every claim holds, and the engines agree."""
        return self.agrees and all(claim.holds for claim in self.claims)

    @property
    def agrees(self) -> bool:
        """Whether the engines agree in every pass."""
        return all(agreement.good for agreement in self.agreements)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
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
    """Those of passes that ran in two engines."""
    return tuple(agreement for agreement in agreements if agreement is not None)
