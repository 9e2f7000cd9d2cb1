"""Trials of maps: two copies are given the same weights through a map, and run forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crosscheck.arrays import array_of, is_tensor
from crosscheck.distance import relative_error
from crosscheck.in_projection import named_view
from crosscheck.maps.copies import give, neutral_values
from crosscheck.maps.weight_map import WeightMap
from crosscheck.runs import Batch
from crosscheck.sides import Array, side_of
from crosscheck.weights import get_weights

EXACT = 1e-10  # relative distance of outputs that are equal beyond doubt
EQUAL = 1e-5  # outputs that are nearer are equal: a model may round to float32 inside
MARGIN = 0.02  # by how much a score must be better than that of the likeliest map

# How well a map explains two models, the more the better: of the model, the reference and the map.
Score = Callable[[Any, Any, WeightMap], float]


class Trials:
    """Tries maps on two copies, whose reference has the weights that all trials begin with."""

    def __init__(self, model: Any, reference: Any, batch: Batch) -> None:
        self.model = model
        self.reference = reference
        self.batch = batch
        self.drawn = get_weights(reference)
        self.outputs: dict[tuple[str, ...], Array] = {}  # the reference's, by the neutral rows

    def give(self, weight_map: WeightMap) -> tuple[str, ...]:
        """Give both copies the same weights; return the reference's rows that are neutral now.

        These are vectors that the model does not have: biases become 0, weights of norms 1. So do
        vectors that only the model has.
        """
        weights = {name: array.copy() for name, array in self.drawn.items()}
        neutral = []
        for row in weight_map.left_out:
            view = named_view(weights, row)
            if view.ndim == 1:
                view[...] = neutral_values(row, view)
                neutral.append(row)
        give(self.reference, weights)
        own = get_weights(self.model)
        alone = {n: neutral_values(n, own[n]) for n in weight_map.unmapped if own[n].ndim == 1}
        give(self.model, {**alone, **weight_map.to_model(weights)})
        return tuple(neutral)

    def distance(self, weight_map: WeightMap) -> float:
        """Return how far the outputs are apart, relative; infinite if the model cannot be run."""
        neutral = self.give(weight_map)
        if neutral not in self.outputs:
            self.outputs[neutral] = _output(self.reference, self.batch, None)
        expected = self.outputs[neutral]
        try:
            output = _output(self.model, self.batch, expected.shape)
        except Exception:  # the comparison will say what it is
            return np.inf
        apart = relative_error(output, expected) if output.shape == expected.shape else np.inf
        return apart if np.isfinite(apart) else np.inf

    def best(self, maps: Sequence[WeightMap], score: Score) -> WeightMap:
        """Return the map with the best score: the first, unless one is better by MARGIN."""
        scores = []
        for weight_map in maps:
            self.give(weight_map)
            scores.append(score(self.model, self.reference, weight_map))
        best = int(np.argmax(scores))
        return maps[best if scores[best] > scores[0] + MARGIN else 0]


def _output(model: Any, batch: Batch, shape: tuple[int, ...] | None) -> Array:
    """Run a model forward in float64; of several outputs, return the first of this shape."""
    with np.errstate(all="ignore"):
        answer = side_of(model).forward(model, batch.inputs, batch.options, "float64")
    while isinstance(answer, tuple | list):
        parts = [part for part in answer if is_tensor(part) or isinstance(part, np.ndarray)]
        fitting = [part for part in parts if shape is None or tuple(part.shape) == shape]
        answer = (fitting or parts or [None])[0]
    return array_of(answer).astype(np.float64)
