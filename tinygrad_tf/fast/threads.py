"""Work shared among threads: NumPy and BLAS let go of Python's lock while they compute.

    OPENBLAS_NUM_THREADS=1 TINYGRAD_TF_NUM_THREADS=2 python train.py

BLAS has threads of its own. Between two products they wait in a loop for the next one, on the very
cores that other threads would need; so it is either those or these. Large kernels then share their
work by themselves. Better still, where there are sequences enough, is to share the batch, in NUMBER
pieces of one size:

    def learn(tokens, targets):
        loss = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
        loss.backward(Tensor(np.float32(1 / NUMBER)))  # the mean of the pieces' means

    each(learn, pieces_of_tokens, pieces_of_targets)

Threads may go backward into the same leaves: what they bring is added up, in any order. All else
each must make for itself: a node is freed by the first who walks it. What dropout draws from one
generator is no longer the same in each run.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

Result = TypeVar("Result")

VARIABLE = "TINYGRAD_TF_NUM_THREADS"


def _number(text: str) -> int:
    """How many threads the environment asks for."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{VARIABLE} is {text!r}, expected a number of threads, 1 at least")
    return int(text)


NUMBER = _number(os.environ.get(VARIABLE, "1"))


class _Here(threading.local):
    """sharing: whether this thread works on a share already, so that it must not share that."""

    sharing = False


_here = _Here()


def may_share() -> bool:
    """Whether there are other threads to share with, and this one is not at work for them."""
    return NUMBER > 1 and not _here.sharing


def each(work: Callable[..., Result], *columns: Sequence[Any]) -> list[Result]:
    """[work(*row) for row in zip(*columns)], each thread taking the next row that is left.

    The calls must not write to the same memory, but for what they add to a leaf's `.grad`. What one
    raises, this raises, when the others have done what was left.
    """
    if not may_share() or len(columns[0]) < 2:
        return [work(*row) for row in zip(*columns, strict=True)]
    rows = list(zip(*columns, strict=True))
    results: list[Any] = [None] * len(rows)
    left = iter(range(len(rows)))

    def take() -> None:
        _here.sharing = True
        try:
            for i in left:
                results[i] = work(*rows[i])
        finally:
            _here.sharing = False

    # np.errstate and no_grad are context variables: they must hold over there as well.
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


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """The other threads, made when they are first wanted."""
    return ThreadPoolExecutor(NUMBER - 1, "tinygrad_tf")


def _forked() -> None:
    """A forked process inherits the pool, but not its threads; whoever forked it is alone there."""
    _pool.cache_clear()
    _here.sharing = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
