"""Gradients that are zero by rights: nothing depends on the parameter, wherever it is moved to.

The bias of the keys is one. A vector b that is added to every key adds q.b to every score of a
query, and softmax does not see what is added to all of its scores. Such a gradient can be tested
like any other: it has to be zero. It has no fixed name, so it is found by moving the parameter.

A gradient that has vanished on its way through a deep model is another thing. Then the other
gradients of its module have vanished too. So one other gradient of the module has to be alive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from crosscheck.amplification import moved
from crosscheck.distance import distance, norm, relative_error
from crosscheck.draws import Stream, draws
from crosscheck.in_projection import module_of, named_view, whole
from crosscheck.movable import Movable
from crosscheck.runs import Batch, Run, output_of, run
from crosscheck.sides import Array

SIZES = (1.0, 100.0)  # how far a parameter is moved; a small move may change too little to be seen
# What rounding may do to the output when a parameter is moved so far, relative. To a score of -1e9,
# with which people mask, it does 1e-7.
UNCHANGED = 1e-6
NOISE = 1e-3  # what a gradient that is no noise changes by at most, relative


class Zeros:
    """Tells which gradients of a reference are zero by rights. It is copied, never changed."""

    def __init__(self, reference: Any, batch: Batch, seed: int) -> None:
        self._copy = Movable(reference, "float64")
        self._weights = self._copy.weights
        self._batch = batch
        self._seed = seed
        self._answers: dict[frozenset[str], bool] = {}  # what has been asked before

    def among(
        self, gradients: Mapping[str, Array | None], floor: float, loss: str
    ) -> frozenset[str]:
        """Return the names of those that are zero by rights.

        gradients: the reference's, in float64, the parts of an in-projection one by one, under this
        loss. floor: the norm below which one of them may be zero.
        """
        here = {n: g for n, g in gradients.items() if g is not None and whole(n) in self._weights}
        small = {name for name, gradient in here.items() if norm(gradient) <= floor}
        alive = {module_of(name) for name in here.keys() - small}
        # Where a module has no other gradient, as where the weight is frozen, its parent counts.
        counts = Counter(map(module_of, here))
        alive |= {
            m for m, count in counts.items() if count == 1 and _parent(m) in map(_parent, alive)
        }
        asked = frozenset(name for name in small if module_of(name) in alive)
        if asked:
            near = self._nearby(loss)
            asked = frozenset(name for name in asked if _is_noise(here[name], near.get(name)))
        # One question about all of them saves most models the questions about each.
        if not asked or self._are_free(asked):
            return asked
        return frozenset(name for name in asked if self._are_free(frozenset([name])))

    def _nearby(self, loss: str) -> Mapping[str, Array | None]:
        """Return the gradients where every weight is moved by one unit in the last place."""
        with _restored(list(self._weights.values())) as weights:
            for weight in weights:
                weight[...] = moved(weight, 0)
            return self._run(loss).by_part

    def _are_free(self, names: frozenset[str]) -> bool:
        """Whether moving these weights, near or far, changes the output by rounding at most."""
        if names not in self._answers:
            before = self._output()
            places = [named_view(self._weights, name) for name in sorted(names)]
            changes = []
            for size in SIZES:
                generator = draws(Stream.MOVES, self._seed)
                with _restored(places):
                    for place in places:
                        place += size * generator.standard_normal(place.shape)
                    changes.append(distance(self._output(), before))
            self._answers[names] = all(c <= UNCHANGED * norm(before) for c in changes)
        return self._answers[names]

    def _output(self) -> Array:
        return output_of(self._copy.model, self._batch, dtype="float64")

    def _run(self, loss: str) -> Run:
        return run(self._copy.model, self._batch, dtype="float64", loss=loss, seed=self._seed)


def _is_noise(gradient: Array, near: Array | None) -> bool:
    """Whether a gradient is nothing but rounding: where the weights are moved, it is another.

    In a model of huge numbers a gradient may be small beside the largest, and its effect too small
    to be seen, that is no zero for all that.
    """
    return near is None or not gradient.any() or relative_error(near, gradient) > NOISE


def _parent(module: str) -> str:
    return module.rpartition(".")[0]


@contextmanager
def _restored(places: Sequence[Array]) -> Iterator[Sequence[Array]]:
    """Give these arrays back, at the end of this block, the numbers that they have now."""
    kept = [place.copy() for place in places]
    try:
        yield places
    finally:
        for place, before in zip(places, kept, strict=True):
            place[...] = before
