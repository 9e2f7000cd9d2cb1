"""Dong, Cordonnier, Loukas (2021), "Attention is not all you need".

arXiv:2103.03404. Without skip connections attention makes all tokens alike, doubly exponentially in
depth (theorem 2.2). Skips prevent it, and the paper says that MLPs counteract it. At initialisation
we see no slowing by an MLP; that claim and those on the causal mask are ours. What is left of the
tokens' differences is res(X) = X - 1 m^T, here with m their mean, in the norm sqrt(|R|_1 |R|_inf).

Under a causal mask token t is replaced by an average over t tokens, not over all. Where scores are
equal, this average is a triangular matrix with 1, 1/2, 1/3, ... on its diagonal, which are its
eigenvalues. The second of them is the factor by which differences shrink in every layer: they fall
singly exponentially, not doubly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from crosscheck.flow.agreement import Agreement, Nudge, array_difference, judge, nudged_weights
from crosscheck.flow.fit import factor_per_block, geometric_mean
from crosscheck.flow.initial import draw_weights, scale_branches
from crosscheck.flow.papers.result import Claim, Paper, compared
from crosscheck.flow.stacks import Stacks, Wiring
from crosscheck.flow.study import Plan, draw_input
from crosscheck.models import ModelOptions
from crosscheck.sides import Array, Dialect

WIRING = Wiring("none", residual=False)
KINDS = ("attention", "skip", "mlp", "both", "causal")
LAYERS = 12
COLLAPSED = 1e-4  # a residual below this counts as collapsed
FIRST = 4  # where the causal fit starts: in the layers before it, more eigenvalues matter


def dong2021(
    seeds: Sequence[int], sides: Sequence[Dialect], *, width: int = 64, tokens: int = 32
) -> Paper:
    """Measure the residual layer by layer: attention only, with skips, with an MLP, with both.

    Weights have a standard deviation of 0.02, as those of BERT and GPT-2 have at their start.
    Xavier's weights are larger: attention is less even, and the collapse takes longer, as the notes
    of the result say. Skips are tested with Xavier's weights, since they would win with no effort
    beside weights as small as 0.02.
    """
    model = ModelOptions(width=width, feed_forward=4 * width, context=tokens, activation="relu")
    after, agreements = _after_each_layer("gpt2", model, seeds, sides)
    xavier, more = _after_each_layer("xavier", model, seeds, sides)
    attention, causal = after["attention"], after["causal"]
    rate = 1 / factor_per_block(causal[FIRST:])  # forward, while the fit goes backward
    layers = next((n for n, left in enumerate(xavier["attention"]) if left < COLLAPSED), LAYERS)
    last = f"after layer {LAYERS}"
    return Paper(
        "dong2021",
        "Attention without skips makes tokens alike in two layers",
        "Dong et al. (2021), arXiv:2103.03404",
        f"{LAYERS} layers of width {width}, {tokens} tokens, no norm, weights normal with standard "
        f"deviation 0.02, {len(seeds)} seeds",
        (
            Claim("attention: residual after layer 1", attention[1], 0.0, 0.05),
            Claim("attention: residual after layer 2", attention[2], 0.0, COLLAPSED),
            Claim("attention, MLP: residual after layer 1", after["mlp"][1], 0.0, 0.05),
            Claim("attention, MLP: residual after layer 2", after["mlp"][2], 0.0, COLLAPSED),
            Claim(f"attention, skip (Xavier): residual {last}", xavier["skip"][-1], 0.05),
            Claim(f"attention, skip, MLP (Xavier): residual {last}", xavier["both"][-1], 0.05),
            Claim("attention, causal: residual after layer 2", causal[2], 0.05),
            Claim("attention, causal: factor per layer", rate, 0.4, 0.6),
        ),
        (
            f"with Xavier's weights, attention alone leaves {xavier['attention'][1]:.2g} after "
            f"layer 1 and {xavier['attention'][2]:.2g} after layer 2, and is below {COLLAPSED:g} "
            f"from layer {layers} on",
        ),
        compared(agreements + more),
    )


def _after_each_layer(
    initialisation: str, model: ModelOptions, seeds: Sequence[int], sides: Sequence[Dialect]
) -> tuple[dict[str, list[float]], list[Agreement | None]]:
    """Return what is left of the differences, by kind and layer: geometric means over seeds."""
    stacks = Stacks(model, sides)
    left: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    agreements = []
    for seed in seeds:
        x = draw_input(Plan(model), seed)
        weights = draw_weights(initialisation, model, LAYERS, seed)
        if initialisation == "gpt2":  # 0.02 for all: undo its scale at the ends of branches
            weights = scale_branches(weights, math.sqrt(2 * LAYERS))
        loaded = stacks.load(WIRING, weights)
        for kind in KINDS:
            layers, agreement = _forward_on_all(loaded, x, kind)
            left[kind].append([relative_residual(h) for h in layers])
            agreements.append(agreement)
    means = {
        kind: [geometric_mean(layer) for layer in zip(*runs, strict=True)]
        for kind, runs in left.items()
    }
    return means, agreements


def _forward_on_all(
    loaded: dict[Dialect, Any], x: Array, kind: str
) -> tuple[list[Array], Agreement | None]:
    """Return the activations of the first side, and how they compare with the other's, if any."""
    side, *others = loaded
    first = forward(side, loaded[side], x, kind)

    def apart(layers: list[Array]) -> float:
        return max(map(array_difference, layers, first))

    def effect(nudge: Nudge) -> float:
        with nudged_weights(side, loaded[side], nudge):
            return apart(forward(side, loaded[side], nudge(x), kind))

    if not others:
        return first, None
    return first, judge(apart(forward(others[0], loaded[others[0]], x, kind)), effect)


def forward(side: Dialect, stack: Any, x: Array, kind: str) -> list[Array]:
    """Return the activations before and after every layer of a network made of a stack's layers.

    kind: "attention" alone, with a "skip", with an "mlp", with "both" (each with a skip), or
    attention alone under a "causal" mask.
    """
    h = side.tensor(x)
    layers = [x]
    for block in stack:
        attended = block.self_attn(h, is_causal=kind == "causal")
        h = h + attended if kind in ("skip", "both") else attended
        if kind in ("mlp", "both"):
            mixed = block.linear2(block.activation(block.linear1(h)))
            h = h + mixed if kind == "both" else mixed
        layers.append(side.array(h))
    return layers


def relative_residual(x: Array) -> float:
    """Return sqrt(|R|_1 |R|_inf) of R = X - 1 m^T over the same of X. x (1, T, C).

    |.|_1 is the largest sum of magnitudes in a column, |.|_inf the largest in a row.
    """
    return _size(x[0] - x[0].mean(axis=0)) / _size(x[0])


def _size(matrix: Array) -> float:
    return float(np.sqrt(np.linalg.norm(matrix, 1) * np.linalg.norm(matrix, np.inf)))
