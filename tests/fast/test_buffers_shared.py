"""One pool for all threads: arrays that die elsewhere, and processes that are forked."""

import gc
import os
import queue
import signal
import threading
from typing import Any

import numpy as np
import pytest

from tinygrad_tf.fast.buffers import empty

LARGE = (300, 300)
F4 = np.dtype("f4")
pytestmark = pytest.mark.usefixtures("pool")


def test_an_array_may_die_in_another_thread(pool: Any) -> None:
    held = [empty(LARGE, F4)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert pool.bytes == 360_000
    held = [empty(LARGE, F4)]
    assert pool.bytes == 0


def test_arrays_made_here_and_dropped_there_are_never_mixed_up() -> None:
    """Each array is checked by the thread that drops it, while others are being made."""
    hand_over: queue.Queue[Any] = queue.Queue(maxsize=4)
    right = []

    def check() -> None:
        while (given := hand_over.get()) is not None:
            number, array = given
            scratch = empty(LARGE, F4)
            scratch[...] = -1.0
            right.append((array == number).all())
            del given, array, scratch

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(200):
        array = empty(LARGE, F4)
        array[...] = number
        hand_over.put((number, array))
        del array
    for _ in threads:
        hand_over.put(None)
    for thread in threads:
        thread.join()
    assert (len(right), all(right)) == (200, True)


def test_an_array_outlives_the_thread_that_made_it(pool: Any) -> None:
    made: list[np.ndarray] = []

    def make() -> None:
        del_me = empty(LARGE, F4)
        del del_me
        made.append(empty(LARGE, F4))
        made[0][...] = 5.0

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    gc.collect()
    others = [np.zeros(LARGE, F4) for _ in range(3)] + [empty(LARGE, F4)]
    others[-1][...] = 0.0
    assert (made[0] == 5.0).all()
    made.clear()
    assert pool.bytes == 360_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")  # JAX's, where it has been loaded
def test_a_process_forked_while_a_thread_holds_the_lock(pool: Any) -> None:
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with pool.lock:
            held.set()
            forked.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a deadlock is a failure, not a wait
        try:
            empty(LARGE, F4)
        finally:
            os._exit(3)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
