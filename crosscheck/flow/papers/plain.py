"""No norm, no residual: the factor per block follows from the variances of the weights.

Once tokens are alike, attention hands each token the same average of values, and a gradient that
is the same for every token goes back through W_V W_O alone. A matrix of independent entries
multiplies the squared length of a vector by (its inputs) * variance on the way back, and a ReLU
lets half through. So, per block, the gradient's norm is multiplied by sqrt(A M):

    A = (D var W_V) (D var W_O),   M = (D var W_1) (F var W_2) / 2.

A and M are means of squares, and the factor is fitted to logarithms: at finite width the two differ
by some percent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crosscheck.engines import Array
from crosscheck.flow.fit import factor_per_block, geometric_mean
from crosscheck.flow.initial import INITIALISATIONS, draw_weights
from crosscheck.flow.measure import profile
from crosscheck.flow.papers.result import Claim, Paper, compared
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.flow.summary import ENDS
from crosscheck.models import ModelOptions

WIRING = Wiring("none", residual=False)


def plain(
    seeds: Sequence[int], engines: Sequence[str], *, width: int = 64, depth: int = 24
) -> Paper:
    """The factor predicted and measured, for each initialisation; within 10 % of each other."""
    plan = Plan(ModelOptions(width=width, feed_forward=4 * width, activation="relu"))
    stacks = Stacks(plan.model, engines)
    claims, agreements, notes = [], [], []
    for name in INITIALISATIONS:
        predicted, measured = [], []
        for seed in seeds:
            weights = draw_weights(name, plan.model, depth, seed)
            x, cotangent = draw_input(plan, seed), draw_cotangent(plan, seed)
            loaded = stacks.load(WIRING, weights)
            traces, agreement = passes(loaded, x, cotangent, WIRING, causal=False)
            found = profile(next(iter(traces.values())))
            predicted.append(predicted_factor(weights))
            measured.append(factor_per_block(found.gradient[ENDS:-ENDS]))
            agreements.append(agreement)
        expected, got = geometric_mean(predicted), geometric_mean(measured)
        claims.append(Claim(f"{name}: measured over predicted", got / expected, 0.9, 1.1))
        notes.append(f"{name}: predicted {expected:.4g}, measured {got:.4g}")
    return Paper(
        "plain",
        "Without norm and residual, the factor per block is sqrt(A M)",
        "derived in crosscheck/flow/papers/plain.py",
        f"{depth} blocks of width {width}, {len(seeds)} seeds, Gaussian input, no mask",
        tuple(claims),
        tuple(notes),
        compared(agreements),
    )


def predicted_factor(weights: dict[str, Array]) -> float:
    """sqrt(A M), from the weights that were drawn, by the names of `draw_weights`."""

    def variance(ending: str, part: slice = slice(None)) -> float:
        drawn = [np.mean(w[part] ** 2) for name, w in weights.items() if name.endswith(ending)]
        return float(np.mean(drawn))

    feed_forward, width = weights["0.linear1.weight"].shape
    values = slice(2 * width, None)  # the last third of the in-projection
    attention = width * variance("in_proj_weight", values) * width * variance("out_proj.weight")
    network = width * variance("linear1.weight") * feed_forward * variance("linear2.weight") / 2
    return math.sqrt(attention * network)
