"""A weight map: for each weight of a model, which entries of the reference's weights it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from crosscheck.answers import did_you_mean
from crosscheck.files import StrPath, require_file, write_json
from crosscheck.in_projection import with_parts
from crosscheck.maps.describe import describe
from crosscheck.maps.expression import evaluate
from crosscheck.sides import INPUT, Array, Gradients

Shape = tuple[int, ...]


def places_of(
    shapes: Mapping[str, Shape], ties: Iterable[tuple[str, ...]] = ()
) -> dict[str, Array]:
    """Number all entries of these weights through, from 0. Tied names share their numbers."""
    firsts = {name: names[0] for names in ties for name in names[1:]}
    places: dict[str, Array] = {}
    start = 0
    for name, shape in shapes.items():
        if name in firsts and firsts[name] in places:
            places[name] = places[firsts[name]]
            continue
        places[name] = np.arange(start, start + int(np.prod(shape))).reshape(shape)
        start += places[name].size
    return places


@dataclass(frozen=True)
class WeightMap:
    """Which weight of a model is which weight, or part of one, of the reference.

    Weights have the names of `get_weights`. A row is the name of a gradient in a report: one of the
    reference's names, or a part of an in-projection, such as self_attn.in_proj_weight[q].
    """

    expressions: Mapping[str, str]  # by the model's names
    indices: Mapping[str, Array]  # by the model's names: the place of each entry in the reference
    places: Mapping[str, Array]  # by the reference's names: the places of its own entries
    unmapped: tuple[str, ...] = ()  # weights of the model without an expression

    @classmethod
    def of(
        cls,
        expressions: Mapping[str, str],
        shapes: Mapping[str, Shape],
        places: Mapping[str, Array],
    ) -> WeightMap:
        """Make a map of expressions for the weights of a model, which have these shapes.

        Raises ValueError for a name that the model does not have, for an expression that cannot be
        read, and for one that has another shape than the weight.
        """
        strangers = [name for name in expressions if name not in shapes]
        if strangers:
            near = did_you_mean(strangers[0], list(shapes))
            raise ValueError(f"weights: the model has no weight {strangers[0]}{near}")
        expressions = {name: expressions[name] for name in shapes if name in expressions}
        indices = {}
        for name, text in expressions.items():
            indices[name] = evaluate(text, places)
            if indices[name].shape != shapes[name]:
                raise ValueError(
                    f"weights: {name} has the shape {shapes[name]}, and {text} has the shape "
                    f"{indices[name].shape}{_advice(shapes[name], indices[name].shape)}"
                )
        unmapped = tuple(name for name in shapes if name not in expressions)
        return cls(expressions, indices, places, unmapped)

    @classmethod
    def of_indices(
        cls, indices: Mapping[str, Array], shapes: Mapping[str, Shape], places: Mapping[str, Array]
    ) -> WeightMap:
        """Make a map of the places of entries; what no expression can say is left unmapped."""
        texts = {name: describe(index, places) for name, index in indices.items()}
        return cls.of({name: text for name, text in texts.items() if text}, shapes, places)

    @cached_property
    def size(self) -> int:
        """The number of entries of the reference's weights."""
        return 1 + max(
            (int(array.max()) for array in self.places.values() if array.size), default=-1
        )

    @cached_property
    def rows(self) -> dict[str, Array]:
        """The places of the entries of each row."""
        return {row: part for row, part in with_parts(self._own) if part is not None}

    @cached_property
    def _own(self) -> dict[str, Array]:
        """The places by the reference's names; of tied names only the first."""
        own: dict[int, tuple[str, Array]] = {}
        for name, array in self.places.items():
            if array.size:
                own.setdefault(int(array.flat[0]), (name, array))
        return dict(own.values())

    @cached_property
    def uncovered(self) -> dict[str, Array]:
        """The rows of which no weight of the model holds some entries: True where nothing does."""
        free = np.ones(self.size, bool)
        for index in self.indices.values():
            free[index] = False
        return {row: free[array] for row, array in self.rows.items() if free[array].any()}

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """The rows of which no weight of the model holds anything."""
        return tuple(row for row, free in self.uncovered.items() if free.all())

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The model's names for each row: the weights that hold entries of it."""
        holders: dict[str, list[str]] = {row: [] for row in self.rows}
        owner = np.full(self.size, -1)
        for number, array in enumerate(self.rows.values()):
            owner[array] = number
        names = list(self.rows)
        for name, index in self.indices.items():
            for number in np.unique(owner[index]):
                holders[names[number]].append(name)
        return {row: tuple(holding) for row, holding in holders.items()}

    def to_model(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the model's weights are, given all of the reference's."""
        flat = np.zeros(self.size, _common_type(arrays.values()))
        for name, place in self.places.items():
            flat[place] = arrays[name]
        return {name: flat[index] for name, index in self.indices.items()}

    def taken_from(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the reference's weights are, given the model's: NaN where nothing says so."""
        flat = np.full(self.size, np.nan)
        for name, index in self.indices.items():
            flat[index] = weights[name]
        return {name: flat[place] for name, place in self.places.items()}

    def to_reference(self, gradients: Gradients) -> Gradients:
        """Return gradients of the model's weights under the names of the reference's.

        An entry that several weights hold gets the sum of their gradients. A gradient is None where
        those of all its holders are None, and lacking where it is left out of the map. The parts of
        an in-projection come one by one where that tells them apart. The gradient of the input
        stays as it is. Each has the type of those that it is made of.
        """
        arrived = {
            name: g for name, g in gradients.items() if g is not None and name in self.indices
        }
        flat = np.zeros(self.size, _common_type(arrived.values()))
        widths = np.zeros(self.size, np.uint8)  # bytes of a float; 0 where nothing arrived
        for name, gradient in arrived.items():
            np.add.at(flat, self.indices[name], gradient)
            np.maximum.at(widths, self.indices[name], gradient.dtype.itemsize)
        result: Gradients = {}
        for name, array in self._own.items():
            rows = {row: self.rows[row] for row, _ in with_parts({name: array})}
            kept = {row: place for row, place in rows.items() if row not in self.left_out}
            if len(kept) == len(rows) and len({bool(widths[p].any()) for p in kept.values()}) == 1:
                kept = {name: array}
            for row, place in kept.items():
                width = widths[place].max(initial=0)
                result[row] = flat[place].astype(f"f{width}") if width else None
        if INPUT in gradients and INPUT not in self.indices:
            result[INPUT] = gradients[INPUT]
        return result

    def to_dict(self) -> dict[str, str]:
        """Return the expressions by the model's names: what `weights=` takes."""
        return dict(self.expressions)

    def save(self, path: StrPath) -> None:
        """Write the expressions as JSON; the file appears whole or not at all."""
        write_json(path, self.to_dict())


def read_expressions(path: StrPath) -> dict[str, str]:
    """Read the expressions of a file that `WeightMap.save` wrote.

    Raises ValueError, with the name of the file, if it is not such a file; OSError if it cannot be
    read.
    """
    require_file(path, "weights", "a map that WeightMap.save wrote")
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"weights: {path} is not JSON: {error}") from error
    return require_expressions(content, f"the file {path}")


def require_expressions(content: object, what: str) -> dict[str, str]:
    """Return the content if it maps names to expressions; raise ValueError otherwise."""
    if not isinstance(content, Mapping):
        raise ValueError(
            f"weights: {what} holds a {type(content).__name__}, expected an object that gives an "
            "expression for each of the model's names"
        )
    for name, text in content.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(
                f"weights: {what} gives {text!r} for {name!r}, expected an expression in the "
                "reference's names, such as 'linear1.weight.T'"
            )
    return dict(content)


def _common_type(arrays: Iterable[Array]) -> Any:
    """Return the type that holds all of these, float64 if there are none."""
    types = {array.dtype for array in arrays}
    return np.result_type(*types) if types else np.float64


def _advice(wanted: Shape, given: Shape) -> str:
    if wanted == given[::-1] and len(wanted) == 2:
        return ": it is transposed, so add .T"
    return ""
