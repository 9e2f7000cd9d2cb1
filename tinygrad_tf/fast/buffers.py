"""Large arrays in memory that was used before.

Fresh memory costs a page fault for every 4 kB when it is first written. glibc's malloc can be asked
to keep the memory of freed arrays up to a certain size. For larger arrays, or with another malloc,
`empty` hands out the memory of arrays that are gone. This is safe: a block of memory is used again
only after the last array that looks into it has died, whoever held that array.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

import numpy as np

from tinygrad_tf.graph import Array

KEPT = 1 << 28  # bytes that the pool may keep idle, and that malloc may keep at the end of its heap
LATELY = 1 << 12  # the pool forgets a size if none of this many requests asked for it
SMALLEST = 1 << 17  # bytes of an array; smaller arrays are left to malloc


@functools.cache
def ask_malloc() -> None:
    """Ask glibc's malloc, once, to keep up to KEPT bytes of freed arrays.

    This works for arrays up to 32 MB, which is malloc's limit. If malloc agrees, `empty` leaves
    such arrays to it. The request holds for the whole process and cannot be taken back. Nothing is
    asked if the environment sets malloc's thresholds, or if malloc is not glibc's.
    """
    global SMALLEST
    if _malloc_agrees(1 << 25):
        SMALLEST = 1 << 25


def _malloc_agrees(largest: int) -> bool:
    asked = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & os.environ.keys()
    if asked or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD in malloc.h
    return bool(mallopt(mmap_threshold, largest) and mallopt(trim_threshold, KEPT))


class _Block(np.ndarray[Any, Any]):
    """A block of memory, which outlives the arrays that use it.

    It has a class of its own because NumPy shortens chains of plain arrays. If a block were a plain
    array, it would become the base of the arrays that look into it, and the lease would be skipped.
    """


class _Lease(np.ndarray[Any, Any]):
    """A block while it is in use. Every array that looks into the block keeps the lease alive."""

    def __del__(self) -> None:
        if isinstance(self.base, _Block):
            _pool.give_back(self.base)


class _Pool:
    """The idle blocks. All threads share them, since an array may die in any thread."""

    def __init__(self) -> None:
        # Reentrant: while a thread holds the lock, an array may die there and call give_back.
        self.lock = threading.RLock()
        self.idle: dict[int, list[_Block]] = {}  # by the size of the blocks in bytes
        self.bytes = 0  # of all idle blocks together
        self.requests = 0  # the number of calls of take
        self.asked: set[int] = set()  # the sizes of the latest requests, LATELY at most

    def give_back(self, block: _Block) -> None:
        """Keep a block for later, if there is room. The thread where its lease died calls this."""
        with self.lock:
            if self.bytes + block.nbytes <= KEPT:
                self.idle.setdefault(block.nbytes, []).append(block)
                self.bytes += block.nbytes

    def take(self, size: int) -> _Block:
        """Return a block of this size: an idle one if there is one, else a new one."""
        with self.lock:
            self.asked.add(size)
            self.requests += 1
            if self.requests % LATELY == 0:
                self.forget()
            if blocks := self.idle.get(size):
                self.bytes -= size
                return blocks.pop()
        return _Block(size, np.uint8)

    def forget(self) -> None:
        """Drop the idle blocks whose sizes nobody asked for lately: their model may be gone."""
        # Blocks may come back meanwhile, so this walks a copy, and reads `bytes` after the pop.
        for size in set(self.idle) - self.asked:
            freed = size * len(self.idle.pop(size))
            self.bytes -= freed
        self.asked.clear()


_pool = _Pool()


def _unlock() -> None:
    """Give a forked process a new lock, because a thread that is not there may hold the old one."""
    _pool.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an uninitialised array in C order, as np.empty does."""
    array = np.empty(shape, dtype)  # a large one costs little, as long as nobody writes into it
    if array.nbytes < SMALLEST:
        return array
    return np.ndarray(shape, dtype, buffer=_pool.take(array.nbytes).view(_Lease))


def like(array: Array) -> Array | None:
    """Return what a ufunc may take as `out`: an array like this one, or None if it is small.

    With None NumPy makes the result by itself, and lays it out as its inputs are. A 0-d result
    always gets an array, because NumPy would make it a number.
    """
    if array.nbytes < SMALLEST and array.ndim:
        return None
    return empty(array.shape, array.dtype)
