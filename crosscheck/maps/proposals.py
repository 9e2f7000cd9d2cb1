"""Proposals: maps between two models that are likely, the likeliest first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_tf
import torch
from crosscheck.in_projection import is_part, whole
from crosscheck.maps.layouts import IN_OUT, OUT_IN, SPELLINGS
from crosscheck.maps.orders import by_definition, exchanged
from crosscheck.maps.seats import LINEAR, NORM, ORDER, Anatomy, Seat, anatomy, with_parts_of
from crosscheck.maps.spelling import Sizes, arranged, atoms, order, orientation, shape_of
from crosscheck.maps.weight_map import Shape, WeightMap
from crosscheck.maps.words import words_of
from crosscheck.sides import Array, Dialect, side_of
from crosscheck.weights import get_weights

MOST = 96  # proposals
_HEADS = ("num_heads", "nhead", "n_head", "n_heads", "heads", "num_attention_heads", "h")
_LINEAR = (torch.nn.Linear, torch.nn.Embedding, tinygrad_tf.nn.Linear, tinygrad_tf.nn.Embedding)


@dataclass(frozen=True)
class Habit:
    """How entries lie where neither a layout nor a shape says so."""

    matrices: str = OUT_IN  # of matrices that no module owns
    fused: str = "3HK"  # how a stacked projection is ordered
    heads: str = "HK"  # how the channels of heads are ordered
    turn: int = 0  # which of several ways of a weight with one matrix for each head

    @property
    def is_usual(self) -> bool:
        """Whether only its matrices may be unlike PyTorch's."""
        return self == Habit(self.matrices)


@dataclass(frozen=True)
class Proposals:
    """Maps that may be meant, at most MOST; no two are alike."""

    first: WeightMap  # the likeliest
    # The others, the likelier first, each with whether it is usual. One that is not is to be
    # believed only if it makes the outputs equal.
    others: Iterator[tuple[WeightMap, bool]]
    how: str  # how they were found, in words
    certain: bool  # whether every seat was found by name, so that only the arrangement is open
    by_order: tuple[str, ...] = ()  # the weights whose names say nothing
    complete: bool = True  # whether all ways to seat these are among the proposals


def proposals(model: Any, reference: Any, given: WeightMap) -> Proposals:
    """Return the maps that are likely between two models.

    given: a map of those weights that are known.
    """
    ours, theirs = get_weights(model), get_weights(reference)
    heads = heads_of(reference) or heads_of(model)
    of_theirs = anatomy(_shapes(theirs), heads, _owners(reference))
    unknown = {name: ours[name].shape for name in given.unmapped}
    taken = _taken(given, of_theirs)
    of_ours = anatomy(unknown, heads, _owners(model), of_theirs, taken)
    assignments, complete = exchanged(of_ours)
    by_order = tuple(n for n, seat in of_ours.seats.items() if seat.found_by == ORDER)
    lost = [name for name in unknown if name not in of_ours.seats]
    seats = of_ours.seats.values()
    if by_order or lost:
        wanted = with_parts_of({seat.key for seat in of_theirs.seats.values()}) - taken
        vectors = [name for name in (*by_order, *lost) if len(unknown[name]) == 1]
        filled = with_parts_of({(s.block, s.job.removeprefix("one ")) for s in seats})
        if lost or (vectors and wanted - filled):  # they may have seats that nothing has now
            complete = False
        assignments = [*assignments[:1], *by_definition(of_ours, wanted), *assignments[1:]]
    maps = _maps(of_ours, assignments, of_theirs, given, _shapes(ours))
    first, _ = next(maps)
    how = f"by the layout {of_ours.layout}" if of_ours.layout else "by names and shapes"
    how = f"{how}, and by order" if by_order else how
    return Proposals(first, maps, how, not by_order, by_order, complete)


def _is_consistent(ways: Iterable[str]) -> bool:
    """Whether heads and their channels lie in one order in all weights.

    Two orders would make up for heads that are split in one way and merged in another.
    """
    orders = (order(way).replace("3", "") for way in ways)
    return len({heads for heads in orders if len(heads) == 2}) == 1


def _taken(given: WeightMap, theirs: Anatomy) -> set[tuple[int, str]]:
    """Return the block and the job of all seats of the reference that a map fills."""
    taken = set()
    for row in given.rows:
        seat = theirs.seats.get(whole(row))
        if seat and row not in given.uncovered:
            kind = seat.job.partition(".")[2]
            taken.add((seat.block, f"{row[-2]}.{kind}" if is_part(row) else seat.job))
    return taken


def _maps(
    mine: Anatomy,
    assignments: Sequence[Mapping[str, Seat]],
    theirs: Anatomy,
    given: WeightMap,
    shapes: Mapping[str, Shape],
) -> Iterator[tuple[WeightMap, bool]]:
    """Yield the given map, completed in each way that is likely, and whether it is usual."""
    places = given.places
    equal = {
        name: places[name]
        for name, shape in mine.shapes.items()
        if name in places and places[name].shape == shape
    }
    ids = _Ids(theirs, places)
    seen, made_before = set(), set()
    for seats, habit in _tries(assignments, _habits(mine)):
        ways = {
            name: (seat, _chosen(seat, mine.shapes[name], mine.sizes, habit))
            for name, seat in seats.items()
        }
        key = tuple((name, seat.key, way) for name, (seat, way) in ways.items())
        if key in seen or not (habit.is_usual or _is_consistent(way for _, way in ways.values())):
            continue
        seen.add(key)
        found = {name: ids.places(*way, mine.shapes[name]) for name, way in ways.items()}
        indices = {**equal, **{name: index for name, index in found.items() if index is not None}}
        made = WeightMap.of_indices(indices, shapes, places)
        text = tuple(sorted(made.expressions.items()))
        if text not in made_before:
            made_before.add(text)
            full = WeightMap.of({**made.expressions, **given.expressions}, shapes, places)
            yield full, habit.is_usual
        if len(made_before) == MOST:
            return


def _tries(
    assignments: Sequence[Mapping[str, Seat]], habits: Sequence[Habit]
) -> Iterator[tuple[Mapping[str, Seat], Habit]]:
    """Yield each assignment with each usual habit, and then with each that is not."""
    for usual in (True, False):
        some = [habit for habit in habits if habit.is_usual == usual]
        yield from itertools.product(assignments, some)


def heads_of(model: Any) -> int:
    """Return the number of attention heads that a model says it has; 0 if it says nothing."""
    modules = list(model.modules()) if isinstance(side_of(model), Dialect) else [model]
    for module in modules:
        for holder in (module, getattr(module, "config", None)):
            for name in _HEADS:
                value = getattr(holder, name, None)
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                    return value
    return 0


class _Ids:
    """Numbers for all entries of a Transformer, whatever it is made of: where each one lies."""

    def __init__(self, theirs: Anatomy, places: Mapping[str, Array]) -> None:
        self.sizes = theirs.sizes
        self.starts: dict[tuple[int, str], int] = {}
        self.stop = 0
        habit, pairs = _habits(theirs)[0], []
        for name, seat in theirs.seats.items():
            way = _chosen(seat, theirs.shapes[name], self.sizes, habit)
            ids = self._ids(seat)
            pairs.append(
                (arranged(ids, seat.job, way, self.sizes, places[name].shape), places[name])
            )
        self.place = np.full(self.stop, -1)
        for ids, place in pairs:
            self.place[ids] = place

    def places(self, seat: Seat, way: str, shape: Shape) -> Array | None:
        """Return the places in the reference of a weight's entries; None if it has not all."""
        ids = arranged(self._ids(seat), seat.job, way, self.sizes, shape)
        if ids.max() >= len(self.place) or (self.place[ids] < 0).any():
            return None
        return self.place[ids]

    def _ids(self, seat: Seat) -> Array:
        """Return the ids of a seat, as they lie in PyTorch. q, k and v are thirds of one."""
        part, _, kind = seat.job.removeprefix("one ").partition(".")
        whole_job = f"qkv.{kind}" if part in ("q", "k", "v") else seat.job
        size = math.prod(shape_of(SPELLINGS[whole_job][0], self.sizes))
        if (seat.block, whole_job) not in self.starts:
            self.starts[seat.block, whole_job] = self.stop
            self.stop += size
        ids = self.starts[seat.block, whole_job] + np.arange(size)
        if whole_job != seat.job:
            ids = np.split(ids, 3)["qkv".index(part)]
        return ids if seat.head is None else np.split(ids, self.sizes["H"])[seat.head]


def _chosen(seat: Seat, shape: Shape, sizes: Sizes, habit: Habit) -> str:
    """Return the spelling that goes with a habit best."""
    ways = seat.spellings(shape, sizes)
    if len(atoms(ways[0])) > 2:
        turn = habit.turn % len(ways)
        ways = ways[turn:] + ways[:turn]

    def strange(way: str) -> int:
        ordered = order(way)
        wanted = habit.fused if "3" in ordered else habit.heads
        lies = orientation(seat.job, way)
        return 2 * (lies not in ("", habit.matrices)) + ("H" in ordered and ordered != wanted)

    return min(ways, key=strange)


def _habits(mine: Anatomy) -> list[Habit]:
    """Return the habits to be tried, the likeliest first."""
    free = {
        name: seat
        for name, seat in mine.seats.items()
        if not seat.matrices and len(mine.shapes[name]) == 2 and seat.job.endswith("weight")
    }
    shown = set()
    for name, seat in free.items():
        lies = {orientation(seat.job, way) for way in seat.spellings(mine.shapes[name], mine.sizes)}
        shown |= lies if len(lies) == 1 else set()
    likely = IN_OUT if any(not name.endswith("weight") for name in free) else OUT_IN
    if not shown and free and all("kernel" in words_of(name) for name in free):
        shown = {IN_OUT}  # so it is wherever a matrix has this name
    matrices = list(shown) if len(shown) == 1 else [likely, IN_OUT if likely == OUT_IN else OUT_IN]
    unlike = [("HK", "3HK", 0), ("HK", "H3K", 0), ("HK", "HK3", 0), ("KH", "3HK", 0)]
    unlike += [("HK", "3HK", turn) for turn in (1, 2)]
    return [Habit(lies, fused, heads, turn) for heads, fused, turn in unlike for lies in matrices]


def _owners(model: Any) -> dict[str, str]:
    """Return LINEAR or NORM for each weight of a module that is a linear layer, or a norm."""
    if not isinstance(side_of(model), Dialect):
        return {}
    owners = {}
    for path, module in model.named_modules():
        is_norm = "norm" in type(module).__name__.lower()
        if isinstance(module, _LINEAR) or is_norm:
            for name, parameter in module.named_parameters():
                if "." not in name and parameter.ndim == 1 + (not is_norm):
                    owners[f"{path}.{name}" if path else name] = NORM if is_norm else LINEAR
    return owners


def _shapes(arrays: Mapping[str, Array]) -> dict[str, Shape]:
    return {name: array.shape for name, array in arrays.items()}
