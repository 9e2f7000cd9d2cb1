"""A study in few numbers: the passes that differ only by their seed, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.flow.fit import factor_per_block, geometric_mean, halves
from crosscheck.flow.measure import Profile, ratio
from crosscheck.flow.stacks import Wiring
from crosscheck.flow.study import Flow, Study
from crosscheck.in_projection import QUERIES, VALUES

ENDS = 3  # blocks left out at each end: there, tokens or their gradients are not yet alike
ALIKE = 0.01  # tokens that vary less than this, as a share of their size, are called alike


@dataclass(frozen=True)
class Summary:
    """What one initialisation, wiring and depth came to, over its seeds.

    Means over seeds are geometric.
    """

    initialisation: str  # the name of the initialisation
    wiring: Wiring
    depth: int  # L, the number of blocks
    factors: tuple[float, ...]  # for each seed, the factor per block on the way back
    halves: tuple[float, float]  # the mean factors in the first and second half of the stack
    ratio: float  # the gradient at the stack's input over that at its output
    activation: float  # the size of the output over that of the input
    variation: float  # how much the tokens vary at the output
    gradient_variation: float  # how much the gradient varies at the input
    alike_from: int | None  # the first layer whose tokens are alike, if there is one
    # The gradient of W_Q over that of W_V in the last block. It is the largest of the seeds: where
    # softmax picks single tokens, it is a matter of luck.
    queries: float
    difference: float | None  # the largest between the sides; None where only one ran
    rounding: float | None  # the largest of the seeds, see `Agreement`; None where none was tried
    lost: bool  # whether one of the passes could not be compared
    agrees: bool  # whether the sides agree on every pass
    last: float  # by how much the last block multiplies the gradient
    first: float  # by how much the first two blocks together multiply it
    inner: float  # the factor per block without ENDS blocks at each end

    @property
    def factor(self) -> float:
        """The factor per block, the mean over seeds."""
        return geometric_mean(self.factors)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "wiring": self.wiring._asdict(), "factor": self.factor}


def summarise(study: Study) -> list[Summary]:
    """Return a summary of every initialisation, wiring and depth, in the order of the plan."""
    plan = study.plan
    groups: dict[tuple[str, Wiring, int], list[Flow]] = {
        (initialisation, wiring, depth): []
        for initialisation in plan.initialisations
        for wiring in plan.wirings
        for depth in plan.depths
    }
    for flow in study.flows:
        groups[flow.initialisation, flow.wiring, flow.depth].append(flow)
    return [_summary(flows) for flows in groups.values() if flows]


def _summary(flows: list[Flow]) -> Summary:
    first = flows[0]
    profiles = [flow.profile for flow in flows]
    weights = [found.parameters for found in profiles]

    def mean(measure: Callable[[Profile], float]) -> float:
        return geometric_mean([measure(found) for found in profiles])

    pairs = [halves(found.gradient) for found in profiles]
    variation = [
        geometric_mean(layer) for layer in zip(*(p.variation for p in profiles), strict=True)
    ]
    agreements = [flow.agreement for flow in flows if flow.agreement is not None]
    tried = [a for a in agreements if a.rounding]
    return Summary(
        initialisation=first.initialisation,
        wiring=first.wiring,
        depth=first.depth,
        factors=tuple(factor_per_block(found.gradient) for found in profiles),
        halves=(geometric_mean([a for a, _ in pairs]), geometric_mean([b for _, b in pairs])),
        ratio=mean(lambda p: ratio(p.gradient[0], p.gradient[-1])),
        activation=mean(lambda p: ratio(p.activation[-1], p.activation[0])),
        variation=variation[-1],
        gradient_variation=mean(lambda p: p.gradient_variation[0]),
        alike_from=next((layer for layer, v in enumerate(variation) if v < ALIKE), None),
        queries=max(ratio(found[QUERIES][-1], found[VALUES][-1]) for found in weights),
        difference=max((a.difference for a in agreements), default=None),
        rounding=max((a.rounding or 0.0 for a in tried), default=None),
        lost=any(not a.comparable for a in agreements),
        agrees=all(a.good for a in agreements),
        last=mean(lambda p: ratio(p.gradient[-2], p.gradient[-1])),
        first=mean(lambda p: ratio(p.gradient[0], p.gradient[min(2, first.depth)])),
        inner=mean(lambda p: factor_per_block(p.gradient[ENDS:-ENDS])),
    )
