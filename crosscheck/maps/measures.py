"""What the shapes and the numbers in the names of weights show: sizes, and which block is which."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from crosscheck.maps.layouts import SPELLINGS
from crosscheck.maps.weight_map import Shape
from crosscheck.maps.words import plain

_VECTORS_OF_CHANNELS = tuple(job for job, ways in SPELLINGS.items() if ways == ("C",))


def sizes_of(jobs: Mapping[str, str], shapes: Mapping[str, Shape], heads: int) -> dict[str, int]:
    """Return the sizes that the shapes of weights show, whose jobs are known; 0 where none does.

    heads: their number, 0 if unknown. Returns nothing if the number of channels cannot be told.
    """
    numbers = {job: math.prod(shapes[name]) for name, job in jobs.items()}
    channels = next((numbers[job] for job in _VECTORS_OF_CHANNELS if job in numbers), 0)
    if not channels and "out.weight" in numbers:
        channels = math.isqrt(numbers["out.weight"])
    if not channels:
        return {}

    def size(*sources: str) -> int:
        """The size of the axis that a vector has, or a matrix beside the channels."""
        found = next((job for job in sources if job in numbers), "")
        return numbers.get(found, 0) // (channels if found.endswith("weight") else 1)

    heads = heads if heads and channels % heads == 0 else 1
    return {
        "C": channels,
        "H": heads,
        "K": channels // heads,
        "F": size("fc1.bias", "fc1.weight", "fc2.weight"),
        "V": size("head.bias", "head.weight", "tokens.weight"),
        "T": size("positions.weight"),
        "3": 3,
    }


def guessed_sizes(shapes: Mapping[str, Shape], heads: int) -> dict[str, int]:
    """Return sizes where no name is known: the commonest length of an axis is the channels."""
    lengths = [length for shape in shapes.values() for length in shape if length > 1]
    if not lengths:
        return {}
    channels = max(dict.fromkeys(lengths), key=lengths.count)
    heads = heads if heads and channels % heads == 0 else 1
    sizes = {"C": channels, "H": heads, "K": channels // heads, "F": 0, "3": 3}
    return with_width(sizes, shapes)


def with_width(sizes: Mapping[str, int], shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Add the width of the feed-forward layer, if no name shows it: the commonest other length."""
    if not sizes or sizes["F"]:
        return dict(sizes)
    channels = sizes["C"]
    known = {1, channels, 3 * channels, *(sizes.get(size, 0) for size in "HKVT")}
    others = [length for shape in shapes.values() for length in shape if length not in known]
    return {**sizes, "F": max(others, key=others.count) if others else channels}


def block_numbers(shapes: Mapping[str, Shape], blocks: int | None) -> dict[str, int]:
    """Return the number of the block of each name that has one: `h.1.mlp.weight` is in block 1.

    blocks: how many there are, if that is known.
    """
    groups: dict[str, dict[str, int]] = {}
    for name in shapes:
        for found in re.finditer(r"(?<!head\.)(?<!heads\.)(\d+)(?=\.)", plain(name)):
            groups.setdefault(plain(name)[: found.start()], {})[name] = int(found[1])
    best: dict[str, int] = {}
    for group in groups.values():
        count = len(set(group.values()))
        most = 2 * len(group) > len(shapes) and len(group) >= 6 * count
        if most and blocks in (None, count) and len(group) > len(best):
            best = group
    order = sorted(set(best.values()))
    return {name: order.index(number) for name, number in best.items()}
