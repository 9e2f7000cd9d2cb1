"""Attention's in-projection, which stacks queries, keys and values: no other file knows how.

`in_proj_weight` (3C, C) and `in_proj_bias` (3C,) hold three parts of equal size: for the queries,
the keys and the values, in this order. A part is named after its array, with a letter:
`self_attn.in_proj_weight[q]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from crosscheck.sides import Array

LETTERS = "qkv"
STACKED = ("in_proj_weight", "in_proj_bias")
QUERIES, KEYS, VALUES = (f"self_attn.in_proj_weight[{letter}]" for letter in LETTERS)
KEY_BIAS = "self_attn.in_proj_bias[k]"


def is_stacked(name: str) -> bool:
    """Whether the parameter of this name is an in-projection's."""
    return name.endswith(STACKED)


def split(stacked: Array) -> dict[str, Array]:
    """Return the three parts, which are views, by letter. (3C, ...) -> three (C, ...)."""
    return dict(zip(LETTERS, np.split(stacked, 3), strict=True))


def with_parts(arrays: Mapping[str, Array | None]) -> Iterator[tuple[str, Array | None]]:
    """Yield every array by name; the parts of an in-projection come one by one."""
    for name, array in arrays.items():
        if is_stacked(name):
            parts = dict.fromkeys(LETTERS) if array is None else split(array)
            yield from ((f"{name}[{letter}]", part) for letter, part in parts.items())
        else:
            yield name, array


def is_part(name: str) -> bool:
    """Whether this is the name of a part of an in-projection."""
    return name.endswith(tuple(f"{stacked}[{letter}]" for stacked in STACKED for letter in LETTERS))


def named_view(arrays: Mapping[str, Array], name: str) -> Array:
    """Return the array of this name, or the part of it, as a view."""
    if not is_part(name):
        return arrays[name]
    return split(arrays[whole(name)])[name[-2]]


def whole(name: str) -> str:
    """Return the name of the parameter that this is, or is a part of."""
    return name[: -len("[q]")] if is_part(name) else name


def module_of(name: str) -> str:
    """Return the module that a parameter belongs to. Queries, keys and values have one each."""
    module = name.rpartition(".")[0]
    return f"{module}[{name[-2]}]" if is_part(name) else module
