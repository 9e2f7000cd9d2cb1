"""Pairing: two models are given the same weights, whatever each of them calls its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from crosscheck.called_rightly import require_equal_weights
from crosscheck.in_projection import with_parts
from crosscheck.maps.by_value import find_by_value, is_constant
from crosscheck.maps.copies import copy_of, redraw, tie
from crosscheck.maps.partners import listed, with_nearest, without_partner
from crosscheck.maps.proposals import Proposals, proposals
from crosscheck.maps.trial import Score, Trials, chosen
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
    # Why the map is a guess, and what to do, where names leave it open; else empty. If the outputs
    # differ then, it is not the model that is to blame.
    doubt: str = ""


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
        return _by_value(model, reference, batch)
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
    if theirs is None:
        note = "the reference cannot be given weights, so nothing is redrawn"
        return _by_value(model, reference, batch, known, (note,))
    if mine is None:
        reason = "the model has no load_state_dict that gives it weights"
        return _adopted(model, theirs, batch, known, score, reason)
    return _redrawn(mine, theirs, batch, known, seed, score)


def _by_name(model: Any, reference: Any) -> Pairing:
    require_equal_weights(model, reference)
    ours, places = get_weights(model), _places(reference)
    weight_map = completed({}, _shapes(ours), places)
    return Pairing(model, reference, weight_map, "by equal names", redrawn=False)


def _by_value(
    model: Any,
    reference: Any,
    batch: Batch,
    known: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> Pairing:
    ours, theirs, places = get_weights(model), get_weights(reference), _places(reference)
    shapes = _shapes(ours)
    named = _candidates(model, reference, known or {}).first
    held = named.to_model(theirs)
    agree = {name: named.indices[name] for name in held if _equal(held[name], ours[name])}
    others = {name: array for name, array in ours.items() if name not in agree}
    found = {**find_by_value(others, theirs, places), **agree}
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
    held = weight_map.to_model(theirs)
    rounded = any(not np.array_equal(held[name], ours[name], equal_nan=True) for name in held)
    copied = copy_of(reference) if rounded else None
    if copied is not None:
        reason = "the numbers of the two models are equal as float32 only"
        return _adopted(model, copied, batch, weight_map.expressions, None, reason)
    unproved, note = _unproved(weight_map, theirs)
    notes += note + without_partner(weight_map, shapes, ())
    return Pairing(model, reference, weight_map, "by equal numbers", False, notes, unproved)


def _unproved(
    weight_map: WeightMap, weights: Mapping[str, Array]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the mapped rows that hold one number only, and a sentence if there are any.

    weights: the reference's.
    """
    rows = tuple(
        row
        for row, part in with_parts(weights)
        if part is not None and weight_map.labels.get(row) and is_constant(part)
    )
    if not rows:
        return (), ()
    return rows, (
        f"nothing was redrawn, and each of {listed(rows)} holds one number only: nothing shows "
        "that it is used where it belongs",
    )


def _redrawn(
    mine: Any, theirs: Any, batch: Batch, known: Mapping[str, str], seed: int, score: Score | None
) -> Pairing:
    redraw(theirs, seed)
    found, notes = _tied(mine, theirs, known)
    trials = Trials(mine, theirs, batch)
    choice = chosen(trials, found, score)
    neutral = trials.give(choice.map)
    notes += choice.notes + without_partner(choice.map, _shapes(get_weights(mine)), neutral)
    return Pairing(
        mine, theirs, choice.map, found.how, True, notes, neutral=neutral, doubt=choice.doubt
    )


def _adopted(
    model: Any,
    theirs: Any,
    batch: Batch,
    known: Mapping[str, str],
    score: Score | None,
    reason: str,
) -> Pairing:
    """Give the reference's copy the weights of a model that keeps its own."""
    side = side_of(theirs)
    if isinstance(side, Dialect):
        theirs = theirs.to(side.library.float64)
    found, notes = _tied(model, theirs, known)
    trials = Trials(model, theirs, batch, is_fixed=True)
    choice = chosen(trials, found, score)
    weight_map = choice.map
    neutral = trials.give(weight_map)
    unproved, note = _unproved(weight_map, get_weights(theirs))
    notes += (
        f"{reason}: its weights are not redrawn, and a copy of the reference takes them over",
        *note,
        *choice.notes,
        *without_partner(weight_map, _shapes(get_weights(model)), neutral),
    )
    return Pairing(
        model, theirs, weight_map, found.how, False, notes, unproved, neutral, choice.doubt
    )


def _tied(mine: Any, theirs: Any, known: Mapping[str, str]) -> tuple[Proposals, tuple[str, ...]]:
    """Return the candidates, after the reference has tied what the model ties, and say so."""
    found = _candidates(mine, theirs, known)
    notes = tie_alike(mine, theirs, found.first)
    if not notes:
        return found, notes
    shapes, places = _shapes(get_weights(mine)), _places(theirs)

    def again(weight_map: WeightMap) -> WeightMap:
        """The same names in what is tied now: so they tie another copy of the reference too."""
        return WeightMap.of(weight_map.expressions, shapes, places)

    others = ((again(weight_map), is_usual) for weight_map, is_usual in found.others)
    return replace(found, first=again(found.first), others=others), notes


def _candidates(mine: Any, theirs: Any, known: Mapping[str, str]) -> Proposals:
    shapes, places = _shapes(get_weights(mine)), _places(theirs)
    equal = completed(known, shapes, places)
    if not equal.unmapped:
        how = "by the map that was given" if known else "by equal names and shapes"
        return Proposals(equal, iter(()), how, True)
    return proposals(mine, theirs, WeightMap.of(known, shapes, places))


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
