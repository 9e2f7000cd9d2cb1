"""A study in few numbers: the passes that differ only by their seed, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from crosscheck.flow.fit import factor_per_block, geometric_mean, halves
from crosscheck.flow.measure import Profile, ratio
from crosscheck.flow.stacks import Wiring
from crosscheck.flow.study import Flow, Study

QUERIES = "self_attn.in_proj_weight[q]"
VALUES = "self_attn.in_proj_weight[v]"
ENDS = 3  # blocks left out at each end: there, tokens or their gradients are not yet alike
ALIKE = 0.01  # tokens that vary less than this, as a share of their size, are called alike


@dataclass(frozen=True)
class Summary:
    """What one initialisation, wiring and depth came to, over its seeds.

    factors: per block, on the way back, one of each seed; halves: their means in the first and the
    second half of the stack. ratio: the gradient at the stack's input over that at its output.
    activation: the size of the output over that of the input.
    variation: of the tokens at the output; gradient_variation: of the gradient at the input.
    alike_from: the first layer whose tokens are alike, if there is one. Means over seeds are
    geometric. queries: in the last block the gradient of W_Q over that of W_V, the largest of the
    seeds, for where softmax picks single tokens it is a matter of luck. difference: the largest
    between the engines, None where there is one; rounding, roundings: see `agreement`, the largest
    of the seeds; lost: whether one of them could not be compared; agrees: the verdict.
    last: by how much the last block multiplies the gradient; first: the first two together; inner:
    the factor per block without ENDS blocks at each end.
    """

    initialisation: str
    wiring: Wiring
    depth: int
    factors: tuple[float, ...]
    halves: tuple[float, float]
    ratio: float
    activation: float
    variation: float
    gradient_variation: float
    alike_from: int | None
    queries: float
    difference: float | None
    rounding: float | None
    roundings: float | None
    lost: bool
    agrees: bool
    last: float
    first: float
    inner: float

    @property
    def factor(self) -> float:
        """The factor per block, the mean over seeds."""
        return geometric_mean(self.factors)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "wiring": self.wiring._asdict(), "factor": self.factor}


def summarise(study: Study) -> list[Summary]:
    """A summary of every initialisation, wiring and depth, in the order of the plan."""
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
        roundings=max((a.roundings or 0.0 for a in tried), default=None),
        lost=any(not a.comparable for a in agreements),
        agrees=all(a.good for a in agreements),
        last=mean(lambda p: ratio(p.gradient[-2], p.gradient[-1])),
        first=mean(lambda p: ratio(p.gradient[0], p.gradient[min(2, first.depth)])),
        inner=mean(lambda p: factor_per_block(p.gradient[ENDS:-ENDS])),
    )
