"""No norm, no residual: the factor per block follows from the variances of the weights.

Once tokens are alike, attention hands each token the same average of values, and a gradient that
is the same for every token goes back through W_V W_O alone. On the way back, a matrix of
independent entries multiplies the squared length of a vector by (the number of its inputs) *
variance, and a ReLU lets half of it through. So each block multiplies the gradient's norm by
sqrt(A M):

    A = (D var W_V) (D var W_O),   M = (D var W_1) (F var W_2) / 2.

A and M are means of squares, while the measured factor is fitted to logarithms. At finite width the
two differ by some percent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crosscheck.flow.fit import factor_per_block, geometric_mean
from crosscheck.flow.initial import INITIALISATIONS, draw_weights
from crosscheck.flow.measure import profile
from crosscheck.flow.papers.result import Claim, Paper, compared
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.flow.summary import ENDS
from crosscheck.in_projection import VALUES, with_parts
from crosscheck.models import ModelOptions
from crosscheck.sides import Array, Dialect

WIRING = Wiring("none", residual=False)


def plain(
    seeds: Sequence[int], sides: Sequence[Dialect], *, width: int = 64, depth: int = 24
) -> Paper:
    """Predict and measure the factor of each initialisation: they are within 10 % of each other."""
    plan = Plan(ModelOptions(width=width, feed_forward=4 * width, activation="relu"))
    stacks = Stacks(plan.model, sides)
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
    """Return sqrt(A M) from the weights that `draw_weights` has drawn."""
    arrays = {name: array for name, array in with_parts(weights) if array is not None}

    def variance(ending: str) -> float:
        drawn = [np.mean(array**2) for name, array in arrays.items() if name.endswith(ending)]
        return float(np.mean(drawn))

    feed_forward, width = weights["0.linear1.weight"].shape
    attention = width * variance(VALUES) * width * variance("out_proj.weight")
    network = width * variance("linear1.weight") * feed_forward * variance("linear2.weight") / 2
    return math.sqrt(attention * network)
