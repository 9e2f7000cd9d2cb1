"""Small walks, and what unpacks their arrays as the page does."""

from __future__ import annotations

import base64
import functools
import zlib
from typing import Any

import numpy as np

from crosscheck.corpus import Corpus
from crosscheck.models import ModelOptions
from crosscheck.mutants.catalogue import mutant_called
from crosscheck.sides import Array
from crosscheck.walk.ours import Request, walk_of_ours
from crosscheck.walk.schema import Walk
from crosscheck.walk.schema_of_ops import Op

TEXT = Corpus("First Citizen: Before we proceed any further, hear me speak.\n" * 9, "here", False)
SMALL: dict[str, Any] = {"layers": 1, "width": 12, "heads": 2, "feed_forward": 20, "context": 7}


@functools.cache
def small_walk(*, bug: str = "", text: str = "", dtype: str = "float64", **options: Any) -> Walk:
    """A walk through one small block, with this bug planted if there is one."""
    mutant = mutant_called(bug) if bug else None
    given = ModelOptions(**{**SMALL, **options})
    return walk_of_ours(Request(given, TEXT, text, dtype=dtype, mutant=mutant))


def op_called(walk: Walk, id: str) -> Op:
    """The op with this id."""
    return next(op for op in walk.ops if op.id == id)


def unpacked(walk: Walk, ref: int | None) -> Array:
    """The array, as the page reads it: entry by entry, where its strides lead."""
    assert ref is not None
    packed = walk.arrays[ref]
    content = zlib.decompress(base64.b64decode(walk.buffers[packed.buffer]), -zlib.MAX_WBITS)
    places = np.zeros(packed.shape, np.int64)
    for axis, stride in enumerate(packed.strides):
        steps = np.arange(packed.shape[axis]) * stride
        places += steps.reshape(-1, *[1] * (len(packed.shape) - axis - 1))
    return np.frombuffer(content, "<f4")[places]
