"""Xiong et al. (2020), "On layer normalization in the Transformer architecture".

arXiv:2002.04745, sections 3.3 and 3.4, theorem 1. In a post-norm Transformer the gradient of the
last feed-forward weight does not depend on the depth L; in a pre-norm one it falls as 1 / sqrt(L),
for the last norm divides by the size of a sum over L blocks. Their setting: one head, W_Q = W_K = 0
(so attention is a plain average), no W_O, a feed-forward network as wide as the model, weights
normal with variance 1 / d.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crosscheck.engines import Array
from crosscheck.flow.fit import geometric_mean, power
from crosscheck.flow.initial import draw_weights
from crosscheck.flow.measure import norm
from crosscheck.flow.papers.result import Claim, Paper, compared
from crosscheck.flow.stacks import ENGINES, Stacks, Wiring
from crosscheck.flow.study import Plan, draw_cotangent, draw_input, passes
from crosscheck.models import ModelOptions

PRE, POST = Wiring("pre", residual=True), Wiring("post", residual=True)
LAST = "linear2.weight"
# The bounds are on a mean over all weights. At l = 1 it lies so near the lower one that six seeds
# fall on either side; from here on they do not.
EARLY = 4


def xiong2020(
    seeds: Sequence[int],
    engines: Sequence[str],
    *,
    width: int = 64,
    depths: tuple[int, ...] = (8, 16, 32, 64),
) -> Paper:
    """Slopes of the last weight's gradient against depth, and the sizes of the activations."""
    model = ModelOptions(width=width, heads=1, feed_forward=width, activation="relu")
    plan = Plan(model)
    stacks = Stacks(model, engines)
    last: dict[tuple[Wiring, int], list[float]] = {(w, L): [] for w in (PRE, POST) for L in depths}
    before_norm: list[float] = []
    growth: list[Array] = []
    agreements = []
    for seed in seeds:
        x, cotangent = draw_input(plan, seed), draw_cotangent(plan, seed)
        for wiring, depth in last:
            loaded = stacks.load(wiring, their_weights(model, depth, seed))
            traces, agreement = passes(loaded, x, cotangent, wiring, causal=False)
            found = next(iter(traces.values()))
            agreements.append(agreement)
            last[wiring, depth].append(norm(found.parameters[-1][LAST]))
            if wiring == POST:
                engine, stack = next(iter(loaded.items()))
                before_norm.append(size_before_last_norm(engine, stack, found.activations[-2]))
            elif depth == max(depths):
                growth.append(np.array([mean_square(h) for h in found.activations]))
    slopes = {
        wiring: power(depths, [geometric_mean(last[wiring, depth]) for depth in depths])
        for wiring in (PRE, POST)
    }
    before = float(np.mean(before_norm))
    per_layer = (np.mean(growth, axis=0) - 1)[EARLY:] / np.arange(EARLY, max(depths) + 1)
    return Paper(
        "xiong2020",
        "Pre-norm gradients fall with depth, post-norm gradients do not",
        "Xiong et al. (2020), arXiv:2002.04745",
        f"{', '.join(map(str, depths))} blocks, one head of width {width}, W_Q = W_K = 0, "
        f"{len(seeds)} seeds",
        (
            Claim("pre-norm: d log |dW_2| / d log L, of the last block", slopes[PRE], -0.65, -0.35),
            Claim("post-norm: d log |dW_2| / d log L, of the last block", slopes[POST], -0.1, 0.2),
            Claim("post-norm: |x5|^2 / d, before the last norm", before, 1.4, 1.6),
            Claim(
                "pre-norm: (|x_l|^2 / d - 1) / l, least of l >= 4", float(per_layer.min()), 0.5, 1.5
            ),
            Claim(
                "pre-norm: (|x_l|^2 / d - 1) / l, largest of l >= 4",
                float(per_layer.max()),
                0.5,
                1.5,
            ),
        ),
        agreements=compared(agreements),
    )


def their_weights(model: ModelOptions, depth: int, seed: int) -> dict[str, Array]:
    """Xavier's weights with W_Q = W_K = 0 and W_O = 1."""
    weights = draw_weights("xavier", model, depth, seed)
    for name, value in weights.items():
        if name.endswith("in_proj_weight"):
            value[: 2 * model.width] = 0.0
        if name.endswith("out_proj.weight"):
            value[...] = np.eye(model.width)
    return weights


def size_before_last_norm(engine: str, stack: Any, x: Array) -> float:
    """|x5|^2 / d: what a post-norm stack's last norm is given; x: the last block's input."""
    side = ENGINES[engine]
    seen: list[Array] = []
    block = stack[-1]
    handle = block.norm2.register_forward_pre_hook(
        lambda module, inputs: seen.append(side.array(inputs[0]))
    )
    block(side.tensor(x))
    handle.remove()
    return mean_square(seen[0])


def mean_square(x: Array) -> float:
    """|x|^2 / d, the mean over tokens."""
    return float(np.mean(x**2))
