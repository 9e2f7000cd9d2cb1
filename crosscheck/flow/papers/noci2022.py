"""Noci et al. (2022), "Signal propagation in Transformers".

arXiv:2206.03126. Where tokens are alike, the queries and keys have nothing left to tell apart. Then
the gradients of W_Q and W_K vanish, while that of W_V does not (theorem 3.2). Residual branches
times 1 / sqrt(L) keep tokens apart at any depth (section 3.3).

How fast do these gradients vanish? Let each token be a common vector plus s times its own vector.
The gradient of the scores is a difference of values, so it is of order s. To give dW_Q, it is
multiplied with the keys. What all keys have in common drops out, so what is left of them is of
order s too. So dW_Q and dW_K go as s^2, and dW_V as s^0. This derivation is our own, in the spirit
of their theorem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crosscheck.distance import norm
from crosscheck.draws import Stream, draws
from crosscheck.flow.fit import geometric_mean, power
from crosscheck.flow.initial import draw_weights, scale_branches
from crosscheck.flow.measure import Profile, profile, ratio
from crosscheck.flow.papers.result import Claim, Paper, compared
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.in_projection import KEYS, QUERIES, VALUES
from crosscheck.models import ModelOptions
from crosscheck.sides import Array, Dialect

PLAIN, RESIDUAL = Wiring("none", residual=False), Wiring("none", residual=True)
SPREADS = (0.1, 0.03, 0.01, 0.003, 0.001)  # s: how far tokens are from their mean


def noci2022(
    seeds: Sequence[int], sides: Sequence[Dialect], *, width: int = 64, depth: int = 64
) -> Paper:
    """Measure dW_Q, dW_K, dW_V against the variation of tokens, and what scaled branches change."""
    plan = Plan(ModelOptions(width=width, feed_forward=4 * width, activation="relu"))
    stacks = Stacks(plan.model, sides)
    agreements = []

    def run(wiring: Wiring, weights: dict[str, Array], x: Array, seed: int) -> Profile:
        cotangent = draw_cotangent(plan, seed)
        traces, agreement = passes(stacks.load(wiring, weights), x, cotangent, wiring, causal=False)
        agreements.append(agreement)
        return profile(next(iter(traces.values())))

    by_spread: dict[str, list[list[float]]] = {QUERIES: [], KEYS: [], VALUES: []}
    plain, scaled = [], []
    for seed in seeds:
        x = draw_input(plan, seed)
        one = draw_weights("xavier", plan.model, 1, seed)
        found = [run(PLAIN, one, alike(x, spread, seed), seed) for spread in SPREADS]
        for name, sizes in by_spread.items():
            sizes.append([f.parameters[name][0] for f in found])
        many = draw_weights("xavier", plan.model, depth, seed)
        plain.append(run(RESIDUAL, many, x, seed))
        scaled.append(run(RESIDUAL, scale_branches(many, 1 / math.sqrt(depth)), x, seed))
    slopes = {
        name: power(SPREADS, [geometric_mean(s) for s in zip(*sizes, strict=True)])
        for name, sizes in by_spread.items()
    }
    return Paper(
        "noci2022",
        "As tokens become alike, the gradients of W_Q and W_K die, and that of W_V does not",
        "Noci et al. (2022), arXiv:2206.03126",
        f"one block without residual; then {depth} with it; Xavier, no norm, width {width}, "
        f"{len(seeds)} seeds",
        (
            Claim("power of s that |dW_Q| goes as", slopes[QUERIES], 1.9, 2.1),
            Claim("power of s that |dW_K| goes as", slopes[KEYS], 1.9, 2.1),
            Claim("power of s that |dW_V| goes as", slopes[VALUES], -0.1, 0.1),
            Claim("token variation at the output", _variation(plain), 0.0, 0.01),
            Claim("token variation, branches over sqrt(L)", _variation(scaled), 0.3, 1.0),
            Claim("|dW_Q| / |dW_V|, last block", _last(plain), 0.0, 1e-3),
            Claim("|dW_Q| / |dW_V|, last block, branches over sqrt(L)", _last(scaled), 0.01),
        ),
        agreements=compared(agreements),
    )


def alike(x: Array, spread: float, seed: int) -> Array:
    """Return tokens that are a common vector plus `spread` times their own. x (1, T, C) -> same.

    A token's own vector is what it differs by from the mean of x, scaled to the common one's size.
    """
    common = draws(Stream.COMMON, seed).standard_normal((x.shape[-1],))
    own = x - x.mean(axis=-2, keepdims=True)
    size = norm(common) * math.sqrt(x.shape[-2]) / norm(own)
    return np.asarray(common + spread * size * own)


def _variation(profiles: Sequence[Profile]) -> float:
    return geometric_mean([found.variation[-1] for found in profiles])


def _last(profiles: Sequence[Profile]) -> float:
    """Return the plain mean over seeds: a ratio may be 0, which has no logarithm."""
    ratios = [ratio(p.parameters[QUERIES][-1], p.parameters[VALUES][-1]) for p in profiles]
    return float(np.mean(ratios))
