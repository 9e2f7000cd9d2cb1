"""How the entries of a weight lie, in words such as "H C K" or "(3 H K) C", and as indices."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache

import numpy as np

from crosscheck.maps.layouts import IN_OUT, OUT_IN, SPELLINGS
from crosscheck.sides import Array

Sizes = Mapping[str, int]  # of the letters C, H, K, F, V, T, and of 3


@cache
def atoms(spelling: str) -> tuple[tuple[str, ...], ...]:
    """Return the letters of each axis, in order."""
    axes = re.findall(r"\(([^)]*)\)|(\S)", spelling)
    return tuple(tuple((joined or single).split()) for joined, single in axes)


def letters(spelling: str) -> list[str]:
    """Return all letters in order."""
    return [letter for axis in atoms(spelling) for letter in axis]


def shape_of(spelling: str, sizes: Sizes) -> tuple[int, ...]:
    """Return the shape of a weight that lies so; an axis of unknown size has length 0."""
    return tuple(math.prod(sizes.get(letter, 0) for letter in axis) for axis in atoms(spelling))


def fitting(seat: str, shape: tuple[int, ...], sizes: Sizes) -> list[str]:
    """Return the spellings of a weight of this seat and shape, the likelier first.

    If there is none, axes of length 1 do not count: a bias may be (1, C).
    """
    exact = [way for way in SPELLINGS[seat] if shape_of(way, sizes) == shape]
    return exact or [
        w for w in SPELLINGS[seat] if _squeezed(shape_of(w, sizes)) == _squeezed(shape)
    ]


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def orientation(seat: str, spelling: str) -> str:
    """Return whether a matrix lies (out, in) or (in, out); "" for what is no matrix."""
    if len(atoms(spelling)) != 2 or not seat.endswith("weight"):
        return ""
    plain = [set(axis) for axis in atoms(SPELLINGS[seat][0])]
    return OUT_IN if [set(axis) for axis in atoms(spelling)] == plain else IN_OUT


def order(spelling: str) -> str:
    """Return in which order heads, their channels and q, k, v lie: "3HK", "KH"."""
    return "".join(letter for letter in letters(spelling) if letter in "3HK")


def arranged(ids: Array, seat: str, spelling: str, sizes: Sizes, shape: tuple[int, ...]) -> Array:
    """Return ids, which lie as in PyTorch, in the order of a spelling and in this shape."""
    plain = letters(SPELLINGS[seat][0])
    apart = ids.reshape([sizes[letter] for letter in plain])
    return np.transpose(apart, [plain.index(letter) for letter in letters(spelling)]).reshape(shape)
