"""How many threads BLAS and PyTorch compute with: one each, until more of them pay.

Between two small products the threads of both libraries wait in a busy loop. They gain nothing, and
on a machine that has other work they lose the cores that they wait on, and take many times as long.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

VARIABLE = "OMP_NUM_THREADS"  # the environment's word on it, which both libraries read themselves
LARGE = 2**31  # multiply-adds in the forward of a block; from here on, two threads surely pay


@contextmanager
def few_threads(wanted: int | None = None, work: int = 0) -> Iterator[None]:
    """Within this block, let BLAS and PyTorch compute with so many threads each.

    wanted: the number that the user asks for. Without it, work decides: the multiply-adds in the
    forward of a block. Below LARGE it is one thread; from there on, and wherever the environment
    has VARIABLE, the libraries decide. PyTorch is loaded, and the numbers are restored at the end.
    """
    import torch

    left_alone = os.environ.get(VARIABLE) or work >= LARGE
    number = wanted or (None if left_alone else 1)
    if number is None:
        yield
        return
    before = torch.get_num_threads()
    with threadpool_limits(number):
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)
