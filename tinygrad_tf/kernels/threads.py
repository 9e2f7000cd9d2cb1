"""Large kernels shared among threads: NumPy and BLAS let go of Python's lock while they compute.

    OPENBLAS_NUM_THREADS=1 TINYGRAD_TF_NUM_THREADS=2 python train.py

BLAS has threads of its own. Between two products they wait in a loop for the next one, on the very
cores that other threads would need; so it is either those or these. These share what lies between
attention's products too, but to wake one takes about as long as a block of the smallest sizes.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from tinygrad_tf.graph import Array

Result = TypeVar("Result")

VARIABLE = "TINYGRAD_TF_NUM_THREADS"
ENOUGH = 1 << 24  # multiplications; to share fewer takes longer than to do them


def _number(text: str) -> int:
    """How many threads the environment asks for."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{VARIABLE} is {text!r}, expected a number of threads, 1 at least")
    return int(text)


NUMBER = _number(os.environ.get(VARIABLE, "1"))


def shared_matmul(x: Array, y: Array, out: Array) -> Array:
    """np.matmul(x, y, out) of two matrices, with a piece of x's rows for each thread."""
    rows = len(x)
    if rows * y.size < ENOUGH:
        return np.matmul(x, y, out)

    def piece(i: int) -> None:
        part = slice(rows * i // NUMBER, rows * (i + 1) // NUMBER)
        np.matmul(x[part], y, out[part])

    side_by_side(piece, range(NUMBER))
    return out


def side_by_side(work: Callable[..., Result], *columns: Sequence[Any]) -> list[Result]:
    """[work(*row) for row in zip(*columns)], each thread taking the next row that is left.

    The calls must not write to the same memory. What one raises, this raises, when all rest.
    """
    rows = list(zip(*columns, strict=True))
    results: list[Any] = [None] * len(rows)
    left = iter(range(len(rows)))

    def take() -> None:
        for i in left:
            results[i] = work(*rows[i])

    # np.errstate is a context variable: it must hold over there as well.
    helpers = [
        _pool().submit(contextvars.copy_context().run, take)
        for _ in range(min(NUMBER, len(rows)) - 1)
    ]
    try:
        take()
    finally:
        late = [helper.exception() for helper in helpers if not helper.cancel()]
    for error in filter(None, late):
        raise error
    return results


def one_by_one(work: Callable[..., Result], *columns: Sequence[Any]) -> list[Result]:
    """The same, in this thread."""
    return [work(*row) for row in zip(*columns, strict=True)]


matmul = np.matmul if NUMBER == 1 else shared_matmul
each = one_by_one if NUMBER == 1 else side_by_side


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """The other threads, made when they are first wanted."""
    return ThreadPoolExecutor(NUMBER - 1, "tinygrad_tf")


if hasattr(os, "register_at_fork"):  # a forked process inherits the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
