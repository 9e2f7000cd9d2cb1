"""Sentences on weights without a partner, and on the partners that they may have."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping

from crosscheck.maps.weight_map import Shape, WeightMap

SHOWN = 6  # names in a sentence


def listed(words: Collection[str], mark: str = ", ") -> str:
    """Return the first few words, and how many more there are."""
    some, more = list(words)[:SHOWN], len(words) - SHOWN
    return mark.join(some) + (f"{mark}and {more} more" if more > 0 else "")


def with_nearest(name: str, shape: Shape, others: Mapping[str, Shape]) -> str:
    """Return a weight's name and shape, and the nearest candidates of the other side."""

    def likeness(other: str) -> tuple[int, float]:
        a, b = sorted(shape), sorted(others[other])
        alike = 2 if a == b else 1 if math.prod(shape) == math.prod(others[other]) else 0
        return alike, difflib.SequenceMatcher(None, name, other).ratio()

    near = sorted(others, key=likeness, reverse=True)[:2]
    words = " or ".join(f"{other} {others[other]}" for other in near)
    return f"{name} {shape}" + (f" (nearest: {words})" if words else "")


def require_partners(weight_map: WeightMap, shapes: Mapping[str, Shape]) -> None:
    """Raise ValueError if both models have matrices that are not paired.

    shapes: of the model's weights.
    """
    rows = {row: weight_map.rows[row].shape for row in weight_map.left_out}
    matrices = {row: shape for row, shape in rows.items() if len(shape) > 1}
    own = {name: shapes[name] for name in weight_map.unmapped if len(shapes[name]) > 1}
    if own and matrices:
        words = [with_nearest(name, shape, matrices) for name, shape in own.items()]
        raise ValueError(
            f"weights: no partner was found for {listed(words, '; ')}; the reference has "
            f"{listed(matrices)} left: give a dictionary, such as "
            f"{{{next(iter(own))!r}: {next(iter(matrices))!r}}}"
        )


def without_partner(
    weight_map: WeightMap, shapes: Mapping[str, Shape], neutral: Collection[str]
) -> tuple[str, ...]:
    """Return a sentence for each side that has weights without partner.

    shapes: of the model's weights. neutral: the reference's rows that add nothing any more.
    """
    rows = {row: weight_map.rows[row].shape for row in weight_map.left_out}
    open_rows = {row: shape for row, shape in rows.items() if row not in neutral}
    own = {name: shapes[name] for name in weight_map.unmapped}
    notes = []
    if own:
        words = [with_nearest(name, shape, rows) for name, shape in own.items()]
        notes.append(f"only the model has {listed(words, '; ')}")
    if open_rows:
        words = [with_nearest(row, shape, own) for row, shape in open_rows.items()]
        notes.append(f"only the reference has {listed(words, '; ')}")
    if neutral:
        notes.append(
            f"the model has no {listed(neutral)}: set to what adds nothing in the reference (0, "
            "or 1 for the weight of a norm), and not compared"
        )
    return tuple(notes)
