"""Pairing: two models are given the same weights, whatever each of them calls its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from crosscheck.called_rightly import require_equal_weights
from crosscheck.in_projection import with_parts
from crosscheck.maps.by_value import find_by_value, is_constant
from crosscheck.maps.copies import copy_of, redraw, tie
from crosscheck.maps.partners import listed, with_nearest, without_partner
from crosscheck.maps.proposals import anatomies, proposals
from crosscheck.maps.seats import ORDER
from crosscheck.maps.trial import EQUAL, EXACT, Score, Trials
from crosscheck.maps.weight_map import (
    Shape,
    WeightMap,
    places_of,
    read_expressions,
    require_expressions,
)
from crosscheck.runs import Batch
from crosscheck.sides import Array, Dialect, side_of
from crosscheck.weights import get_weights, ties

NAME, VALUE, AUTO = WAYS = ("name", "value", "auto")


@dataclass(frozen=True)
class Pairing:
    """Two models that hold the same numbers, and the map between their weights."""

    model: Any  # a copy, unless nothing was redrawn
    reference: Any  # a copy, unless nothing was redrawn
    map: WeightMap
    how: str  # how the map was found, in words
    redrawn: bool  # whether the weights were drawn anew, or are those that the models came with
    notes: tuple[str, ...] = ()  # sentences for the reader
    # Rows of weights that hold one number only and were not redrawn: their use is not proved.
    unproved: tuple[str, ...] = ()
    # Rows of the reference that the model does not have, and that now add nothing there.
    neutral: tuple[str, ...] = ()


def pair_weights(
    model: Any,
    reference: Any,
    batch: Batch,
    weights: str | Path | Mapping[str, str] = AUTO,
    *,
    seed: int = 0,
    score: Score | None = None,
) -> Pairing:
    """Return both models with the same weights, and the map between them.

    weights: "name" (equal names hold equal values; nothing is redrawn), "value" (the models hold
    the same numbers under whatever names; nothing is redrawn), "auto" (the map is found), or a map:
    expressions by the model's names, or the path of a JSON file with them. A name that a map does
    not mention is looked for as by "auto". With a map or "auto" both models are copied, and the
    weights of the copies are drawn anew; buffers stay as they are. score chooses among maps where
    none makes the outputs equal.

    Raises ValueError in words if the weights cannot be paired.
    """
    if weights == NAME:
        return _by_name(model, reference)
    if weights == VALUE:
        return _by_value(model, reference)
    if isinstance(weights, str) and not weights.endswith(".json") and weights != AUTO:
        raise ValueError(
            f"weights: {weights!r} is no way to pair weights: expected one of {', '.join(WAYS)}, "
            "or the path of a JSON file"
        )
    if isinstance(weights, Mapping):
        known = require_expressions(weights, "the dictionary")
    else:
        known = {} if weights == AUTO else read_expressions(weights)
    mine, theirs = copy_of(model), copy_of(reference)
    for kind, made in (("model", mine), ("reference", theirs)):
        if made is None:
            note = (
                f"the {kind} cannot be given weights, so nothing is redrawn: its load_state_dict "
                "would let it be"
            )
            return _by_value(model, reference, known, (note,))
    return _redrawn(mine, theirs, batch, known, seed, score)


def _by_name(model: Any, reference: Any) -> Pairing:
    require_equal_weights(model, reference)
    ours, places = get_weights(model), _places(reference)
    weight_map = completed({}, _shapes(ours), places)
    return Pairing(model, reference, weight_map, "by equal names", redrawn=False)


def _by_value(
    model: Any, reference: Any, known: Mapping[str, str] | None = None, notes: tuple[str, ...] = ()
) -> Pairing:
    ours, theirs, places = get_weights(model), get_weights(reference), _places(reference)
    shapes = _shapes(ours)
    named = _candidates(model, reference, known or {}).first
    held = named.to_model(theirs)
    agree = {name: named.indices[name] for name in held if _equal(held[name], ours[name])}
    found = {**find_by_value(ours, theirs, places), **agree}
    weight_map = WeightMap.of_indices(found, shapes, places)
    wrong = [name for name in known or {} if name not in agree]
    lost = [
        name for name in weight_map.unmapped if name not in wrong and not is_constant(ours[name])
    ]
    if wrong or lost:
        rows = _shapes(weight_map.rows)
        words = [with_nearest(name, shapes[name], rows) for name in wrong + lost]
        raise ValueError(
            f"weights: the reference does not hold the numbers of {listed(words, '; ')}: give both "
            "models the same numbers, or a dictionary of the weights"
        )
    unproved = tuple(
        row
        for row, part in with_parts(theirs)
        if part is not None and weight_map.labels.get(row) and is_constant(part)
    )
    if unproved:
        notes += (
            f"{listed(unproved)}: all entries are equal, and nothing was redrawn, so nothing shows "
            "that they are used where they belong",
        )
    notes += without_partner(weight_map, shapes, ())
    return Pairing(model, reference, weight_map, "by equal numbers", False, notes, unproved)


def _redrawn(
    mine: Any, theirs: Any, batch: Batch, known: Mapping[str, str], seed: int, score: Score | None
) -> Pairing:
    redraw(theirs, seed)
    found = _candidates(mine, theirs, known)
    notes = tie_alike(mine, theirs, found.first)
    if notes:  # the reference has fewer weights now
        found = _candidates(mine, theirs, known)
    trials = Trials(mine, theirs, batch)
    weight_map, verdict = _verified(trials, found, score)
    neutral = trials.give(weight_map)
    shapes = _shapes(get_weights(mine))
    notes += verdict + without_partner(weight_map, shapes, neutral)
    return Pairing(mine, theirs, weight_map, found.how, True, notes, neutral=neutral)


@dataclass(frozen=True)
class _Candidates:
    """Maps that may be meant, the likeliest first."""

    first: WeightMap
    others: Iterator[tuple[WeightMap, bool]]  # with whether it is a usual one
    how: str
    certain: bool  # whether every seat was found by name, so that only the arrangement is open


def _candidates(mine: Any, theirs: Any, known: Mapping[str, str]) -> _Candidates:
    ours, places = get_weights(mine), _places(theirs)
    equal = completed(known, _shapes(ours), places)
    if not equal.unmapped:
        how = "by the map that was given" if known else "by equal names and shapes"
        return _Candidates(equal, iter(()), how, True)
    own, reference = anatomies(mine, theirs, ours, get_weights(theirs))
    others = proposals(own, reference, places, known)
    certain = not any(seat.found_by == ORDER for seat in own.seats.values())
    how = f"by {own.layout} layout" if own.layout else "by the words of the names and the shapes"
    return _Candidates(next(others)[0], others, how if certain else f"{how}, and by order", certain)


def _verified(
    trials: Trials, found: _Candidates, score: Score | None
) -> tuple[WeightMap, tuple[str, ...]]:
    """Return the map that makes the outputs equal, or else the best; say if none does.

    Raises ValueError if several do, where names do not tell them apart.
    """
    tried: list[tuple[float, WeightMap, bool]] = []
    for weight_map, is_usual in chain([(found.first, True)], found.others):
        tried.append((trials.distance(weight_map), weight_map, is_usual))
        if found.certain and tried[-1][0] <= EXACT:
            return weight_map, ()
    equal = [weight_map for distance, weight_map, _ in tried if distance <= EXACT]
    equal = equal or [weight_map for distance, weight_map, _ in tried if distance <= EQUAL]
    if len(equal) > 1 and not found.certain:
        raise ValueError(_undecided(equal))
    if equal:
        return equal[0], ()
    if len(tried) == 1:
        return found.first, ("under this map the outputs differ",)
    none = f"none of {len(tried)} maps that were tried makes the outputs equal"
    if score is None:
        _, nearest, _ = min((t for t in tried if t[2]), key=lambda t: t[0])
        return nearest, (f"{none}; this one is the nearest of the usual ones",)
    best = trials.best([weight_map for _, weight_map, _ in tried], score)
    return best, (f"{none}; under this one most values on the way agree",)


def _undecided(equal: list[WeightMap]) -> str:
    names = [
        name
        for name in equal[0].expressions
        if len({weight_map.expressions.get(name) for weight_map in equal}) > 1
    ]
    words = [
        f"{name} is {' or '.join(dict.fromkeys(str(m.expressions.get(name)) for m in equal))}"
        for name in names
    ]
    return (
        f"weights: {len(equal)} maps make the outputs equal, and nothing tells them apart: "
        f"{listed(words, '; ')}. Give a dictionary that says which is meant"
    )


def completed(
    known: Mapping[str, str], shapes: Mapping[str, Shape], places: Mapping[str, Array]
) -> WeightMap:
    """Map what is not mapped to the reference's weight of the same name and shape."""
    equal = {
        name: name
        for name, shape in shapes.items()
        if name in places and places[name].shape == shape
    }
    return WeightMap.of({**equal, **known}, shapes, places)


def tie_alike(model: Any, reference: Any, weight_map: WeightMap) -> tuple[str, ...]:
    """Tie in the reference what is one parameter in the model; return a sentence for each.

    Raises ValueError if the map gives one parameter two values that cannot be made one.
    """
    notes = []
    for names in ties(model):
        partners = [weight_map.expressions.get(name) for name in names]
        known = [partner for partner in dict.fromkeys(partners) if partner is not None]
        if len(known) < 2 or all(
            np.array_equal(weight_map.indices[a], weight_map.indices[b])
            for a, b in pairwise(name for name in names if name in weight_map.indices)
        ):
            continue
        if not all(partner in weight_map.places for partner in known) or not isinstance(
            side_of(reference), Dialect
        ):
            raise ValueError(
                f"weights: {' and '.join(names)} are one parameter in the model, and the map makes "
                f"them {' and '.join(known)}, which the reference cannot tie"
            )
        tie(reference, known)
        notes.append(
            f"{' and '.join(names)} are one parameter in the model, so {' and '.join(known)} "
            "of the reference are made one too"
        )
    return tuple(notes)


def _places(reference: Any) -> dict[str, Array]:
    return places_of(_shapes(get_weights(reference)), ties(reference))


def _shapes(arrays: Mapping[str, Array]) -> dict[str, Shape]:
    return {name: array.shape for name, array in arrays.items()}


def _equal(a: Array, b: Array) -> bool:
    return np.array_equal(a.astype(np.float32), b.astype(np.float32), equal_nan=True)
