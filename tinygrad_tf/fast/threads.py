"""Work shared among threads. NumPy and BLAS release Python's lock while they compute.

    OPENBLAS_NUM_THREADS=1 TINYGRAD_TF_NUM_THREADS=2 python train.py

BLAS has threads of its own. Between two products they wait in a busy loop for the next one, and so
occupy the cores that other threads need. Use either BLAS's threads or the threads of this file.
With the latter, fast forms share their work on large arrays by themselves. If there are enough
sequences, it is better to share the batch, in NUMBER pieces of equal size:

    def learn(tokens, targets):
        loss = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
        loss.backward(Tensor(np.float32(1 / NUMBER)))  # the mean of the pieces' means

    each(learn, pieces_of_tokens, pieces_of_targets)

Threads may go backward into the same leaves: the gradients are added up, in any order. Each thread
must make everything else for itself, because the first thread that walks a node frees it. If
threads drop entries with the same generator, results differ from run to run.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

from tinygrad_tf.optim import Optimizer

Result = TypeVar("Result")

VARIABLE = "TINYGRAD_TF_NUM_THREADS"


def _number(text: str) -> int:
    """Return the number of threads that the environment asks for."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{VARIABLE} is {text!r}, expected a number of threads, 1 at least")
    return int(text)


NUMBER = _number(os.environ.get(VARIABLE, "1"))


class _Here(threading.local):
    """What each thread knows about itself."""

    sharing = False  # whether it works on a share, which it must not share again


_here = _Here()


def may_share() -> bool:
    """Return whether there are other threads, and this thread does not work on a share already."""
    return NUMBER > 1 and not _here.sharing


def each(work: Callable[..., Result], *columns: Sequence[Any]) -> list[Result]:
    """Return [work(*row) for row in zip(*columns)]. Each thread takes the next row that is left.

    The calls must not write to the same memory, except that they may add to the `.grad` of the same
    leaves. If a call raises an error, this raises it after the other threads have finished.
    """
    if len(columns[0]) < 2 or not may_share():
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

    # np.errstate and no_grad are context variables. They must hold in the other threads as well.
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


def take_step(optimizer: Optimizer) -> None:
    """Take a step of the optimizer. The threads share its parameters."""
    each(lambda job: optimizer.update(*job), optimizer.jobs())


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Return the other threads. They are made by the first call."""
    return ThreadPoolExecutor(NUMBER - 1, "tinygrad_tf")


def _forked() -> None:
    """Forget the pool and any share: in a forked process only the thread that forked goes on."""
    _pool.cache_clear()
    _here.sharing = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
