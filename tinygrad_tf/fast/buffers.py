"""Large arrays from memory that was used before.

Fresh memory costs a page fault for every 4 kB when it is first written. glibc's malloc can be asked
to keep what is freed, up to the size from which on it maps an array's memory anew each time. For
arrays that are larger, or where there is another malloc, `empty` hands out the memory of arrays
that are gone. Nobody can notice: a block of memory comes back only when the last array that looks
into it has died, whoever held it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

KEPT = 1 << 28  # bytes that may lie idle: in the pool, and at the end of malloc's heap
LATELY = 1 << 12  # requests; a size that none of so many asked for is forgotten


SMALLEST = 1 << 17  # bytes; smaller arrays are left to malloc


@functools.cache
def ask_malloc() -> None:
    """Ask glibc's malloc, once, to keep what is freed: up to KEPT bytes, in arrays up to 32 MB.

    If it agrees, arrays up to that size, its upper limit, are left to it. The request holds for the
    whole process and cannot be taken back. Nothing is asked where the environment has set malloc's
    thresholds already, or where malloc is not glibc's.
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
    mmap_threshold, trim_threshold = -3, -1  # the numbers of malloc.h's M_MMAP_THRESHOLD and so on
    return bool(mallopt(mmap_threshold, largest) and mallopt(trim_threshold, KEPT))


class _Block(np.ndarray[Any, Any]):
    """A block of memory, which outlives the arrays that use it. (NumPy shortens chains of plain
    arrays to their owner; it does not reach through to a class of its own, so leases stay.)
    """


class _Lease(np.ndarray[Any, Any]):
    """A block while it is in use. Every array that looks into it keeps the lease as its base."""

    def __del__(self) -> None:
        if isinstance(self.base, _Block):
            _pool.give_back(self.base)


class _Pool:
    """The idle blocks, by their size in bytes: of all threads, for an array may die in another one
    than it was made in. While the lock is held, an array that dies may call `give_back`.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.idle: dict[int, list[_Block]] = {}
        self.bytes = 0
        self.requests = 0
        self.asked: set[int] = set()  # the sizes of the latest requests, LATELY at most

    def give_back(self, block: _Block) -> None:
        """Called when the last view of a block is gone, in whichever thread that happens."""
        with self.lock:
            if self.bytes + block.nbytes <= KEPT:
                self.idle.setdefault(block.nbytes, []).append(block)
                self.bytes += block.nbytes

    def take(self, size: int) -> _Block:
        """A block of this size: an idle one, or a new one."""
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
        """Let go of the idle blocks whose size nobody asked for lately: a model that is gone."""
        for size in set(self.idle) - self.asked:  # a copy: blocks may come back at any moment
            freed = size * len(self.idle.pop(size))
            self.bytes -= freed
        self.asked.clear()


_pool = _Pool()


def _unlock() -> None:
    """In a forked process nobody holds the lock, whoever held it when it was forked."""
    _pool.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Like np.empty, in C order. Entries are arbitrary."""
    size = prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, buffer=_pool.take(size).view(_Lease))


def like(array: Array) -> Array | None:
    """Where a ufunc may put a result of this array's shape and dtype. While that is small, None:
    NumPy then finds a place by itself, and lays the result out as its inputs are. (Of 0-d arrays it
    would make a number.)
    """
    if array.nbytes < SMALLEST and array.ndim:
        return None
    return empty(array.shape, array.dtype)
