"""What rounding alone does to a run: the reference against itself.

The reference runs again on weights and inputs that are moved by one unit in the last place, up or
down as if at random. No two programs can be closer than that: each rounds every number on its way.
What the move changes, a deep model may have multiplied by a billion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from crosscheck.distance import distance
from crosscheck.draws import Stream, draws
from crosscheck.judge import ROUNDING
from crosscheck.runs import Batch, Run, run
from crosscheck.sides import TORCH, Array, in_precision

DRAWS = 4  # one draw may happen to change little; the largest effect counts
HOPELESS = 1e3  # draws do not differ from one another by more than this


def moved(array: Array, draw: int) -> Array:
    """Return floats, each moved by one unit in its last place, up or down; other arrays as is.

    Equal numbers move together, and zero stays: that two numbers are equal, or that one is zero, is
    no matter of rounding, and what happens at a tie or a kink is not to be excused by it.
    """
    if array.dtype.kind != "f":
        return array
    bits = np.atleast_1d(array).view(f"u{array.itemsize}")
    # The highest bit of a product with an odd number depends on all bits, as if it were drawn.
    factor = int(draws(Stream.NUDGES, draw).integers(1 << 62)) * 2 + 1
    product = bits * np.uint64(factor).astype(bits.dtype)
    up = product >> (8 * array.itemsize - 1)
    way = np.where(up.reshape(array.shape) == 1, np.inf, -np.inf).astype(array.dtype)
    nearby: Array = np.where(array == 0, array, np.nextafter(array, way))
    return nearby


class Amplification:
    """Runs of the reference in one precision, nearby. None is made before it is asked for."""

    def __init__(self, reference: Any, batch: Batch, *, dtype: str, loss: str, seed: int) -> None:
        self._reference = reference  # a PyTorch model
        self._batch = batch
        self._dtype = dtype  # "float32" or "float64"
        self._loss = loss
        self._seed = seed  # of the cotangent
        self._made: list[Run] = []

    @property
    def runs(self) -> Iterator[Run]:
        """The runs on what is moved, each made once."""
        for draw in range(DRAWS):
            if draw == len(self._made):
                self._made.append(self._run(draw))
            yield self._made[draw]

    def effect(self, pick: Callable[[Run], Array | None], truth: Array, difference: float) -> float:
        """Return the largest |moved - truth| of the array that `pick` takes from a run.

        No more runs are made once the effect explains a difference of that norm, or is far from it.
        """
        effect = 0.0
        for near in self.runs:
            array = pick(near)
            change = np.nan if array is None else distance(array, truth)
            effect = max(effect, change if np.isfinite(change) else 0.0)
            if difference <= ROUNDING * effect or difference > HOPELESS * ROUNDING * effect:
                break
        return effect

    def _run(self, draw: int) -> Run:
        model = TORCH.copy(self._reference, self._dtype)
        for weight in TORCH.memory(model).values():
            weight[...] = moved(weight, draw)
        inputs = moved(in_precision(self._batch.inputs, self._dtype), draw)
        batch = dataclasses.replace(self._batch, inputs=inputs)
        return run(model, batch, dtype=self._dtype, loss=self._loss, seed=self._seed)
