"""No norm, no residual: the factor per block follows from the variances of the weights.

Once tokens are alike, attention hands each token the same average of values, and a gradient that
is the same for every token goes back through W_V W_O alone. On the way back, a matrix of
independent entries multiplies the squared length of a vector by (the number of its inputs) *
variance, and a ReLU lets half of it through. So each block multiplies the gradient's norm by
sqrt(A M):

    A = (D var W_V) (D var W_O),   M = (D var W_1) (F var W_2) / 2.

A and M are means of squares, while the measured factor is fitted to logarithms. At finite width the
two differ by some percent.

Kaiming's initialisation has the gain of ReLU only behind a ReLU. With that gain in every layer, A
is 4 and M is 2, so each block multiplies the gradient by sqrt(8) once tokens are alike. Before that
it multiplies by more: the scores grow with the activations until softmax picks single tokens, and
tokens become alike only after some blocks. These stacks are not deep, because in a deeper one no
number could be trusted. The gradients of its queries and keys should be zero, and are a rounding
error times the square of activations that have exploded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crosscheck.flow.agreement import Agreement
from crosscheck.flow.fit import factor_per_block, geometric_mean
from crosscheck.flow.initial import INITIALISATIONS, draw_weights
from crosscheck.flow.measure import profile
from crosscheck.flow.papers.noci2022 import alike
from crosscheck.flow.papers.result import Claim, Paper, compared
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.flow.summary import ENDS
from crosscheck.in_projection import VALUES, with_parts
from crosscheck.models import ModelOptions
from crosscheck.sides import Array, Dialect

WIRING = Wiring("none", residual=False)
EVERYWHERE = "ReLU's gain everywhere"
EXPLODING, FEW = 10, 4  # blocks of the stacks that have it
SPREAD = 1e-3  # how far their tokens are from alike, where they are alike


def plain(
    seeds: Sequence[int], sides: Sequence[Dialect], *, width: int = 64, depth: int = 24
) -> Paper:
    """Predict and measure the factor of each initialisation: they are within 10 % of each other."""
    stacks = Stacks(ModelOptions(width=width, feed_forward=4 * width, activation="relu"), sides)
    model = stacks.options
    noise = [draw_input(Plan(model), seed) for seed in seeds]
    similar = [alike(x, SPREAD, seed) for x, seed in zip(noise, seeds, strict=True)]
    runs = {
        name: ([draw_weights(name, model, depth, seed) for seed in seeds], noise)
        for name in INITIALISATIONS
    }
    large = [relu_gain_everywhere(model, EXPLODING, seed) for seed in seeds]
    runs[f"{EVERYWHERE}, tokens alike"] = large, similar
    claims, agreements, notes = [], [], []
    for name, (weights, inputs) in runs.items():
        gradients, compared_passes = _gradients(stacks, weights, inputs, seeds)
        got = geometric_mean([factor_per_block(found[ENDS:-ENDS]) for found in gradients])
        expected = geometric_mean([predicted_factor(drawn) for drawn in weights])
        claims.append(Claim(f"{name}: measured over predicted", got / expected, 0.9, 1.1))
        notes.append(f"{name}: predicted {expected:.4g}, measured {got:.4g}")
        agreements += compared_passes
    few = [relu_gain_everywhere(model, FEW, seed) for seed in seeds]
    gradients, compared_passes = _gradients(stacks, few, noise, seeds)
    factors = [factor_per_block(found) for found in gradients]
    what = f"{EVERYWHERE}, tokens unlike, {FEW} blocks: factor"
    claims.append(Claim(what, geometric_mean(factors), math.sqrt(8)))
    notes.append(f"{what} {min(factors):.2g} to {max(factors):.2g} over the seeds")
    return Paper(
        "plain",
        "Without norm and residual, the factor per block is sqrt(A M)",
        "derived in crosscheck/flow/papers/plain.py",
        f"{depth} blocks of width {width} ({EXPLODING} and {FEW} with {EVERYWHERE}), {len(seeds)} "
        "seeds, Gaussian input, no mask",
        tuple(claims),
        tuple(notes),
        compared(agreements + compared_passes),
    )


def _gradients(
    stacks: Stacks,
    weights: Sequence[dict[str, Array]],
    inputs: Sequence[Array],
    seeds: Sequence[int],
) -> tuple[list[list[float]], list[Agreement | None]]:
    """Return, for each seed, the norm of the gradient by layer, and how the sides agree."""
    gradients, agreements = [], []
    for drawn, x, seed in zip(weights, inputs, seeds, strict=True):
        cotangent = draw_cotangent(Plan(stacks.options), seed)
        traces, agreement = passes(stacks.load(WIRING, drawn), x, cotangent, WIRING, causal=False)
        gradients.append(profile(next(iter(traces.values()))).gradient)
        agreements.append(agreement)
    return gradients, agreements


def relu_gain_everywhere(model: ModelOptions, depth: int, seed: int) -> dict[str, Array]:
    """Draw Kaiming's weights with variance 2 / in in every layer, rectified input or not."""
    weights = draw_weights("kaiming", model, depth, seed)
    return {n: w if "linear2" in n else w * math.sqrt(2) for n, w in weights.items()}


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
