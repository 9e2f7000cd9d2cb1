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
    others = [
        n for n in lengths if n not in (channels, 3 * channels, heads, channels // (heads or 1))
    ]
    wide = max(others, key=others.count) if others else channels
    heads = heads if heads and channels % heads == 0 else 1
    return {"C": channels, "H": heads, "K": channels // heads, "F": wide, "3": 3}


def block_numbers(shapes: Mapping[str, Shape], blocks: int | None) -> dict[str, int]:
    """Return the number of the block of each name that has one: `h.1.mlp.weight` is in block 1.

    blocks: how many there are, if that is known.
    """
    groups: dict[str, dict[str, int]] = {}
    for name in shapes:
        for found in re.finditer(r"(\d+)(?=\.)", plain(name)):
            groups.setdefault(plain(name)[: found.start()], {})[name] = int(found[1])
    best: dict[str, int] = {}
    for group in groups.values():
        count = len(set(group.values()))
        if blocks in (None, count) and len(group) >= 6 * count and len(group) > len(best):
            best = group
    order = sorted(set(best.values()))
    return {name: order.index(number) for name, number in best.items()}
