"""Xiong et al. (2020), "On layer normalization in the Transformer architecture".

arXiv:2002.04745, sections 3.3 and 3.4, theorem 1. In a post-norm Transformer the gradient of the
last feed-forward weight does not depend on the depth L. In a pre-norm one it falls as 1 / sqrt(L),
because the last norm divides by the size of a sum over L blocks. The paper's setting is one head,
W_Q = W_K = 0 (so that attention is a plain average), no W_O, a feed-forward network as wide as the
model, and weights that are normal with variance 1 / d.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crosscheck.distance import norm
from crosscheck.flow.fit import power
from crosscheck.flow.initial import draw_weights
from crosscheck.flow.papers.result import Claim, Paper, compared, mean_claim
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.in_projection import is_stacked, split
from crosscheck.models import ModelOptions
from crosscheck.sides import Array, Dialect

PRE, POST = Wiring("pre", residual=True), Wiring("post", residual=True)
LAST = "linear2.weight"
# The bounds hold for a mean over all weights. At l = 1 this mean is so near the lower bound that
# the means over some seeds fall on either side of it. From layer EARLY on they do not.
EARLY = 4


def xiong2020(
    seeds: Sequence[int],
    sides: Sequence[Dialect],
    *,
    width: int = 64,
    depths: tuple[int, ...] = (8, 16, 32, 64),
) -> Paper:
    """Measure how the last weight's gradient depends on depth, and how large activations are."""
    model = ModelOptions(width=width, heads=1, feed_forward=width, activation="relu")
    plan = Plan(model)
    stacks = Stacks(model, sides)
    slopes: dict[Wiring, list[float]] = {PRE: [], POST: []}
    before: list[float] = []
    growth: list[Array] = []
    agreements = []
    for seed in seeds:
        x, cotangent = draw_input(plan, seed), draw_cotangent(plan, seed)
        before_norm: list[float] = []
        for wiring in slopes:
            last: list[float] = []
            for depth in depths:
                loaded = stacks.load(wiring, their_weights(model, depth, seed))
                traces, agreement = passes(loaded, x, cotangent, wiring, causal=False)
                found = next(iter(traces.values()))
                agreements.append(agreement)
                last.append(norm(found.parameters[-1][LAST]))
                if wiring == POST:
                    side, stack = next(iter(loaded.items()))
                    before_norm.append(size_before_last_norm(side, stack, found.activations[-2]))
            slopes[wiring].append(power(depths, last))
            if wiring == PRE:  # its deepest stack was the last
                sizes = np.array([mean_square(h) for h in found.activations])
                growth.append((sizes - 1)[EARLY:] / np.arange(EARLY, max(depths) + 1))
        before.append(float(np.mean(before_norm)))
    return Paper(
        "xiong2020",
        "Pre-norm gradients fall with depth, post-norm gradients do not",
        "Xiong et al. (2020), arXiv:2002.04745",
        f"{', '.join(map(str, depths))} blocks, one head of width {width}, W_Q = W_K = 0, "
        f"{len(seeds)} seeds",
        _claims(slopes, before, np.array(growth)),
        agreements=compared(agreements),
    )


def _claims(
    slopes: dict[Wiring, list[float]], before: list[float], growth: Array
) -> tuple[Claim, ...]:
    """Return the claims on means over seeds. growth: (seeds, layers), from layer EARLY on."""
    mean = growth.mean(axis=0)
    least, largest = (growth[:, place].tolist() for place in (mean.argmin(), mean.argmax()))
    return (
        mean_claim(
            "pre-norm: d log |dW_2| / d log L, of the last block", slopes[PRE], -0.65, -0.35
        ),
        mean_claim("post-norm: d log |dW_2| / d log L, of the last block", slopes[POST], -0.1, 0.2),
        mean_claim("post-norm: |x5|^2 / d, before the last norm", before, 1.4, 1.6),
        mean_claim("pre-norm: (|x_l|^2 / d - 1) / l, least of l >= 4", least, 0.5, 1.5),
        mean_claim("pre-norm: (|x_l|^2 / d - 1) / l, largest of l >= 4", largest, 0.5, 1.5),
    )


def their_weights(model: ModelOptions, depth: int, seed: int) -> dict[str, Array]:
    """Return Xavier's weights with W_Q = W_K = 0 and W_O = 1."""
    weights = draw_weights("xavier", model, depth, seed)
    for name, value in weights.items():
        if is_stacked(name):  # the biases are zero from the start
            queries, keys, _ = split(value).values()
            queries[...] = keys[...] = 0.0
        if name.endswith("out_proj.weight"):
            value[...] = np.eye(model.width)
    return weights


def size_before_last_norm(side: Dialect, stack: Any, x: Array) -> float:
    """Return |x5|^2 / d, the size of what a post-norm stack's last norm is given.

    x: the last block's input.
    """
    seen: list[Array] = []
    block = stack[-1]
    handle = block.norm2.register_forward_pre_hook(
        lambda module, inputs: seen.append(side.array(inputs[0]))
    )
    block(side.tensor(x))
    handle.remove()
    return mean_square(seen[0])


def mean_square(x: Array) -> float:
    """Return |x|^2 / d, the mean over tokens."""
    return float(np.mean(x**2))
