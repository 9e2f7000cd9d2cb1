"""Other seats for weights whose names say nothing: exchanged, and by the order of definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from crosscheck.maps.seats import LAYOUT, ORDER, OUTSIDE, Anatomy, Seat, with_parts_of

SOME = 16  # ways to fill the seats in one order, since biases may be lacking
ALL = 24  # so many ways to fill the seats that are open are all tried
# The orders in which people define a block. A part has a weight and, mostly, a bias.
_ATTENTION = (("q", "k", "v", "out"), ("qkv", "out"))
_DEFINED = tuple(
    order
    for attention in _ATTENTION
    for order in (
        ("norm1", *attention, "norm2", "fc1", "fc2"),
        (*attention, "norm1", "fc1", "fc2", "norm2"),
        (*attention, "fc1", "fc2", "norm1", "norm2"),
        ("norm1", "norm2", *attention, "fc1", "fc2"),
    )
)


def exchanged(mine: Anatomy) -> tuple[list[dict[str, Seat]], bool]:
    """Return the seats with those exchanged that were found by order, and whether these are all.

    The first are the seats as they are. Weights of the same shapes are exchanged, and a weight
    together with its bias: in all ways if these are few, otherwise two at a time.
    """
    units: dict[str, list[str]] = {}
    for name, seat in mine.seats.items():
        if seat.found_by == ORDER:
            module, _, leaf = name.rpartition(".")
            units.setdefault(module if leaf in ("weight", "bias") else name, []).append(name)
    groups: dict[tuple[tuple[int, ...], ...], list[list[str]]] = {}
    for unit in units.values():
        groups.setdefault(tuple(mine.shapes[name] for name in unit), []).append(unit)
    alike = list(groups.values())
    if math.prod(math.factorial(len(group)) for group in alike) <= ALL:
        ways = itertools.product(*(itertools.permutations(group) for group in alike))
        return [_moved(mine.seats, alike, way) for way in ways], True
    pairs = [pair for group in alike for pair in itertools.combinations(group, 2)]
    twos = [_moved(mine.seats, [pair], [pair[::-1]]) for pair in pairs]
    return [dict(mine.seats), *twos], False


def _moved(
    seats: Mapping[str, Seat],
    groups: Sequence[Sequence[Sequence[str]]],
    way: Sequence[Sequence[Sequence[str]]],
) -> dict[str, Seat]:
    """Return the seats with the units of each group in those of the same group in another order."""
    moved = dict(seats)
    for group, order in zip(groups, way, strict=True):
        for unit, place in zip(group, order, strict=True):
            moved.update({name: seats[other] for name, other in zip(unit, place, strict=True)})
    return moved


def by_definition(mine: Anatomy, wanted: Collection[tuple[int, str]]) -> Iterator[dict[str, Seat]]:
    """Yield the seats that weights have by the order in which they are defined.

    wanted: the block and the job of each seat that the reference has. First only the weights that
    no word of a name has a seat for are seated anew, and then all that no layout has one for.
    """
    for kept in ((LAYOUT, "words"), (LAYOUT,)):
        fixed = {name: seat for name, seat in mine.seats.items() if seat.found_by in kept}
        free = [name for name in mine.shapes if name not in fixed]
        filled = {(seat.block, seat.job.removeprefix("one ")) for seat in fixed.values()}
        taken = with_parts_of(filled)
        blocks: dict[int, list[str]] = {}
        for name in free:
            block = mine.numbers.get(name, OUTSIDE if mine.numbers else 0)
            blocks.setdefault(block, []).append(name)
        if not free or OUTSIDE in blocks:
            continue
        for order in _DEFINED:
            ways = [
                itertools.islice(_filled(mine, names, _slots(order, block, wanted, taken)), SOME)
                for block, names in blocks.items()
            ]
            for way in zip(*ways, strict=False):
                yield {**fixed, **{name: seat for found in way for name, seat in found.items()}}


def _slots(
    order: Sequence[str],
    block: int,
    wanted: Collection[tuple[int, str]],
    taken: Collection[tuple[int, str]],
) -> list[Seat]:
    jobs = [f"{part}.{kind}" for part in order for kind in ("weight", "bias")]
    return [
        Seat(block, job, ORDER)
        for job in jobs
        if (block, job) in wanted and (block, job) not in taken
    ]


def _filled(
    mine: Anatomy, names: Sequence[str], slots: Sequence[Seat]
) -> Iterator[dict[str, Seat]]:
    """Yield the ways to put these weights, in order, on these seats; a bias may be lacking."""
    if not names:
        if all(slot.job.endswith("bias") for slot in slots):
            yield {}
        return
    if len(names) > len(slots):
        return
    name, slot = names[0], slots[0]
    if name in mine.seats and mine.seats[name].matrices:  # it belongs to a module that says so
        slot = replace(slot, matrices=mine.seats[name].matrices)
    if slot.spellings(mine.shapes[name], mine.sizes) and mine.may_be(name, slot.job):
        for rest in _filled(mine, names[1:], slots[1:]):
            yield {name: slot, **rest}
    if slot.job.endswith("bias"):
        yield from _filled(mine, names, slots[1:])
