"""The sizes that a model turned out to have, read off its weights and attributes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from crosscheck.brought.sizes import NAMES, Sizes
from crosscheck.sides import Array
from crosscheck.weights import get_weights


def as_built(model: Any, sizes: Sizes, given: frozenset[str] = frozenset()) -> Sizes:
    """Return the sizes that this model has, where it shows them.

    given: the fields of Sizes that the user gave, which stay.
    """
    found = _from_weights(get_weights(model), sizes)
    heads = _attribute(model, NAMES["heads"])
    width = found.get("width", sizes.width)
    if heads is not None and width % heads == 0:
        found["heads"] = heads
    wanted: dict[str, Any] = {name: size for name, size in found.items() if name not in given}
    return replace(sizes, **wanted)


def _from_weights(weights: dict[str, Array], sizes: Sizes) -> dict[str, int]:
    """Read C and F off the shapes: C is an axis of every matrix, F one of two matrices or more."""
    matrices = [array.shape for array in weights.values() if array.ndim == 2]
    if not matrices:
        return {}
    common = set(matrices[0]).intersection(*map(set, matrices[1:]))
    if not common:
        return {}
    width = sizes.width if sizes.width in common else max(common)
    others = Counter(
        size for shape in matrices for size in set(shape) - {width, 3 * width, 2 * width}
    )
    vectors = {array.size for array in weights.values() if array.ndim == 1}
    twice = [size for size, count in others.most_common() if count >= 2 and count % 2 == 0]
    likely = [size for size in twice if size in vectors] or twice
    found = {"width": width}
    if likely and sizes.feed_forward not in likely:
        found["feed_forward"] = likely[0]
    return found


def _attribute(model: Any, names: tuple[str, ...]) -> int | None:
    """The first integer attribute of one of these names, in the model, its parts or its config."""
    parts = list(model.modules()) if hasattr(model, "modules") else [model]
    parts += [
        vars(p)[c] for p in parts for c in ("config", "cfg") if c in getattr(p, "__dict__", {})
    ]
    for part in parts:
        held = getattr(part, "__dict__", {})
        for name in names:
            value = held.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None
