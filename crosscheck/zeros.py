"""Gradients that are zero by rights: nothing depends on the parameter, wherever it is moved to.

The bias of the keys is one. A vector b that is added to every key adds q.b to every score of a
query, and softmax does not see what is added to all of its scores. Such a gradient can be tested
like any other: it has to be zero. It has no fixed name, so it is found by moving the parameter.

A gradient that has vanished on its way through a deep model is another thing. Then the other
gradients of its module have vanished too. So one other gradient of the module has to be alive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from crosscheck.distance import RELATIVE, distance, norm
from crosscheck.draws import Stream, draws
from crosscheck.in_projection import module_of, named_view, whole
from crosscheck.runs import COTANGENT, Batch, run
from crosscheck.sides import TORCH, Array

SIZES = (1.0, 100.0)  # how far a parameter is moved; a small move may change too little to be seen


def zero_by_rights(
    reference: Any, batch: Batch, gradients: Mapping[str, Array | None], floor: float, seed: int
) -> frozenset[str]:
    """Return the names of the parameters on which the output of the reference does not depend.

    gradients: the reference's, in float64, the parts of an in-projection one by one. floor: the
    norm below which a gradient may be zero. The reference is copied, never changed.
    """
    model = TORCH.copy(reference, "float64")
    weights = TORCH.memory(model)
    here = {n: g for n, g in gradients.items() if g is not None and whole(n) in weights}
    small = {name for name, gradient in here.items() if norm(gradient) <= floor}
    alive = {module_of(name) for name in here.keys() - small}
    asked = sorted(name for name in small if module_of(name) in alive)
    if not asked:
        return frozenset()
    before = _output(model, batch)

    def is_free(names: Collection[str]) -> bool:
        """Whether moving these weights, near or far, changes the output by rounding at most."""
        for size in SIZES:
            with _moved(weights, names, size, seed):
                after = _output(model, batch)
            if not distance(after, before) <= RELATIVE * norm(before):
                return False
        return True

    # One question about all of them saves most models the questions about each.
    return frozenset(asked if is_free(asked) else (name for name in asked if is_free([name])))


@contextmanager
def _moved(
    weights: Mapping[str, Array], names: Collection[str], size: float, seed: int
) -> Iterator[None]:
    """Within this block, add random numbers of this size to the weights of these names."""
    generator = draws(Stream.MOVES, seed)
    places = [named_view(weights, name) for name in names]
    kept = [place.copy() for place in places]
    for place in places:
        place += size * generator.standard_normal(place.shape)
    yield
    for place, before in zip(places, kept, strict=True):
        place[...] = before


def _output(model: Any, batch: Batch) -> Array:
    return run(model, batch, dtype="float64", loss=COTANGENT).output
