"""The sizes that a model turned out to have, read off its weights and attributes."""

from __future__ import annotations

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
    """Read C and F off the shapes: C is an axis of every matrix, and F is widened to and from."""
    shapes = {array.shape for array in weights.values() if array.ndim == 2}
    common = set.intersection(*map(set, shapes)) if shapes else set()
    if not common:
        return {}
    width = sizes.width if sizes.width in common else max(common)
    both_ways = [f for f, c in shapes if c == width != f and (width, f) in shapes]
    if sizes.feed_forward in both_ways:
        return {"width": width}
    if both_ways:
        return {"width": width, "feed_forward": max(both_ways)}
    return {"width": width, "feed_forward": width if (width, width) in shapes else 4 * width}


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
