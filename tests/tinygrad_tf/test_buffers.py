import gc
import threading
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import buffers
from tinygrad_tf.buffers import empty, owns_memory

LARGE = (300, 300)
F4 = np.dtype("f4")


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pool of its own for each test."""
    fresh = buffers._Pool()
    monkeypatch.setattr(buffers, "_pool", fresh)
    return fresh


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_it_looks_like_any_array() -> None:
    for shape in (LARGE, (2, 3), (), (0, 5), (70_000,)):
        for dtype in (F4, np.dtype("f8")):
            array = empty(shape, dtype)
            assert type(array) is np.ndarray
            assert (array.shape, array.dtype) == (shape, dtype)
            assert array.flags.c_contiguous
            assert array.flags.writeable
            array[...] = 1.0


def test_memory_is_used_again_when_the_array_is_gone() -> None:
    first = empty(LARGE, F4)
    place = address(first)
    second = empty(LARGE, F4)
    assert address(second) != place
    del first
    assert address(empty((90_000,), F4)) == place  # another shape of the same size


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[1:],
        lambda a: a.T,
        lambda a: a.reshape(-1)[::2],
        lambda a: a.reshape(90, 1000)[3].view("u4"),
        lambda a: np.broadcast_to(a[0], (5, 300)),
        lambda a: np.asarray(memoryview(a)),
        lambda a: np.lib.stride_tricks.as_strided(a, (10,), (4,)),
    ],
)
def test_memory_is_not_used_again_while_anything_looks_into_it(view: Any) -> None:
    array = empty(LARGE, F4)
    array[...] = 7.0
    place = address(array)
    look = view(array)
    del array
    gc.collect()
    others = [empty(LARGE, F4) for _ in range(3)]
    assert place not in [address(other) for other in others]
    for other in others:
        other[...] = 0.0
    assert np.asarray(look).any()
    del look
    assert address(empty(LARGE, F4)) == place


def test_small_arrays_are_numpys(pool: Any) -> None:
    del_me = empty((4, 4), F4)
    del del_me
    assert pool.bytes == 0


def test_no_more_lies_idle_than_agreed(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "KEPT", 1_000_000)
    arrays = [empty(LARGE, F4) for _ in range(5)]
    assert pool.bytes == 0
    del arrays
    assert pool.bytes == 2 * 360_000
    again = [empty(LARGE, F4) for _ in range(3)]
    assert pool.bytes == 0
    del again
    assert pool.bytes == 2 * 360_000


def test_an_array_may_die_in_another_thread(pool: Any) -> None:
    held = [empty(LARGE, F4)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert pool.bytes == 0  # it went to the pool of that thread, which is gone
    assert empty(LARGE, F4).shape == LARGE


def test_whole_arrays_own_their_memory_and_views_do_not() -> None:
    for array in (empty(LARGE, F4), empty((2, 3), F4), np.ones(3)):
        assert owns_memory(array)
        assert not owns_memory(array[1:])
        assert not owns_memory(array.reshape(array.shape))
