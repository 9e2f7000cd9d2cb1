"""What rounding alone does to a run: the reference against itself.

The reference runs again, and every number is moved by one unit in the last place, up or down as if
at random: the weights, the input, and what each of its functions makes, forward and back. No two
programs can be closer than that, for each rounds every number on its way. What the moves change, a
deep model may have multiplied by a billion. (This is Monte Carlo arithmetic: Parker 1997, "Monte
Carlo arithmetic: exploiting randomness in floating-point arithmetic", UCLA CSD-970002.)
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

import torch
from crosscheck.distance import distance
from crosscheck.draws import Stream, draws
from crosscheck.judge import ROUNDING
from crosscheck.movable import Movable
from crosscheck.runs import Batch, Run, run
from crosscheck.sides import TORCH, Array, in_precision
from torch.utils._python_dispatch import TorchDispatchMode

DRAWS = 4  # one draw may happen to change little; the largest effect counts
SUMMED = 16  # units by which a sum of some hundred terms may be off, if they round by one each
HOPELESS = 1e3  # draws do not differ from one another by more than this


def moved(array: Array, draw: int, units: int = 1) -> Array:
    """Return floats, each moved by so many units in its last place; other arrays as they are.

    Up or down is as if drawn, differently for each draw.

    Equal numbers move together, and zero stays: that two numbers are equal, or that one is zero, is
    no matter of rounding, and what happens at a tie or a kink is not to be excused by it.
    """
    if array.dtype.kind != "f":
        return array
    bits = np.atleast_1d(array).view(f"i{array.itemsize}")
    # The sign of a product with an odd number depends on all bits, as if it were drawn. To add one
    # to the bits of a float is to go to the next one, away from zero.
    up = bits * _odd_number(draw).astype(bits.dtype) >= 0
    nearby: Array = (bits + np.where(up, units, -units).astype(bits.dtype)).view(array.dtype)
    nearby = nearby.reshape(array.shape)
    return np.where((array == 0) | ~np.isfinite(array), array, nearby)


@functools.cache
def _odd_number(draw: int) -> Any:
    return np.int64(2 * draws(Stream.NUDGES, draw).integers(1 << 62) + 1)


class EveryNumberMoved(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within this block, whatever PyTorch computes is moved by one unit in the last place.

    A dispatch mode sees the functions that others are made of, and those of the way back too.
    """

    def __init__(self, draw: int, units: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._draw = draw
        self._units = units  # in the last place, by which each number is moved

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # PyTorch would load its compiler, for seconds, so as to keep it out of here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        results = made if isinstance(made, tuple | list) else (made,)
        for result, returned in zip(results, func._schema.returns, strict=False):
            # A view, or what was written into, is no new number.
            is_new = isinstance(result, torch.Tensor) and returned.alias_info is None
            if is_new and result.is_floating_point() and func not in _COPIES:
                array = TORCH.array(result)
                array[...] = moved(array, self._draw, self._units)
        return made


_COPIES = (torch.ops.aten.clone.default, torch.ops.aten._to_copy.default)


class Amplification:
    """Runs of the reference in one precision, nearby. None is made before it is asked for."""

    def __init__(
        self, reference: Any, batch: Batch, *, dtype: str, loss: str, seed: int, units: int = 1
    ) -> None:
        self._reference = reference
        self._units = units  # in the last place, by which each number is moved
        self._batch = batch
        self._dtype = dtype  # "float32" or "float64"
        self._loss = loss
        self._seed = seed  # of the cotangent
        self._made: list[Run] = []

    @functools.cached_property
    def _copy(self) -> tuple[Movable, dict[str, Array]]:
        """A copy of the reference in this precision, and its weights as they are."""
        copied = Movable(self._reference, self._dtype)
        return copied, {name: weight.copy() for name, weight in copied.weights.items()}

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
        copied, weights = self._copy
        for name, memory in copied.weights.items():
            memory[...] = moved(weights[name], draw, self._units)
        inputs = moved(in_precision(self._batch.inputs, self._dtype), draw, self._units)
        batch = dataclasses.replace(self._batch, inputs=inputs)

        # Only PyTorch shows each number on its way. Of other engines the inputs and weights move.
        def watch(model: Any, inputs: Any) -> Any:
            shows = isinstance(model, torch.nn.Module)
            return EveryNumberMoved(draw, self._units) if shows else nullcontext()

        return run(
            copied.model, batch, dtype=self._dtype, loss=self._loss, seed=self._seed, watch=watch
        )
