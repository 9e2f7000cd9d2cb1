import gc
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.fast import buffers
from tinygrad_tf.fast.buffers import empty

ROOT = Path(__file__).parents[2]
LARGE = (300, 300)
F4 = np.dtype("f4")
pytestmark = pytest.mark.usefixtures("pool")
UNASKED = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))
}


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
        lambda a: a[1:][::-1].T[5].reshape(-1, 1),
        lambda a: a.flat,
        lambda a: Tensor(a).detach().numpy()[7:],
        lambda a: torch.from_numpy(a)[7:],
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


# 80 arrays of 2 MB are written, and gone; what does it cost to do that again?
AGAIN = """
import resource, sys
import numpy as np
if sys.argv[1] == "asked":
    import tinygrad_tf
    from tinygrad_tf.fast.buffers import empty
    tinygrad_tf.fast.on()
else:
    def empty(shape, dtype):
        return np.empty(shape, dtype)
def write():
    arrays = [empty((1 << 19,), np.dtype("f4")) for _ in range(80)]
    for array in arrays:
        array[...] = 1.0
write()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
write()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_malloc_keeps_what_it_was_asked_to_keep() -> None:
    def faults(word: str) -> int:
        run = subprocess.run(
            [sys.executable, "-c", AGAIN, word],
            cwd=ROOT, env=UNASKED, capture_output=True, check=True,
        )  # fmt: skip
        return int(run.stdout)

    assert 10 * faults("asked") < faults("as it is")


@pytest.mark.parametrize(
    ("before", "variables"),
    [
        ("import ctypes; ctypes.CDLL = lambda _: object()", {}),
        ("", {"MALLOC_TRIM_THRESHOLD_": "1000000"}),
        ("", {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1000000"}),
    ],
)
def test_where_malloc_cannot_be_asked_more_comes_from_the_pool(before: str, variables: Any) -> None:
    code = (
        f"{before}\nimport tinygrad_tf; from tinygrad_tf.fast import buffers, on; "
        "on(); print(buffers.SMALLEST)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**UNASKED, **variables}, capture_output=True, check=True,
    )  # fmt: skip
    assert int(run.stdout) == 1 << 17


def test_a_place_for_a_result() -> None:
    assert buffers.like(np.ones((2, 3), F4)) is None
    for array in (np.ones(LARGE, F4), np.array(2.0, F4)):
        place = buffers.like(array)
        assert place is not None
        assert (place.shape, place.dtype) == (array.shape, array.dtype)
    assert np.add(np.array(2.0), 1.0, buffers.like(np.array(2.0))).shape == ()


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


def test_sizes_that_nobody_asks_for_are_forgotten(
    pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "LATELY", 10)
    old = [empty(LARGE, F4) for _ in range(3)]
    del old
    place = address(empty((500, 300), F4))
    for _ in range(6):
        assert address(empty((500, 300), F4)) == place
    assert pool.bytes == 3 * 360_000 + 600_000  # the tenth request was among these: all are recent
    for _ in range(10):
        assert address(empty((500, 300), F4)) == place
    assert pool.bytes == 600_000
    assert list(pool.idle) == [600_000]
    del_me = empty(LARGE, F4)  # an old size is welcome again
    del del_me
    assert pool.bytes == 960_000


def test_an_exception_holds_what_its_frames_hold() -> None:
    places = []

    def fail() -> None:
        array = empty(LARGE, F4)
        places.append(address(array))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as failure:
        fail()
    assert address(empty(LARGE, F4)) != places[0]
    del failure
    gc.collect()
    assert places[0] in [address(a) for a in [empty(LARGE, F4) for _ in range(3)]]


@pytest.mark.usefixtures("without_collector")
def test_a_cycle_holds_its_arrays_until_it_is_collected(pool: Any) -> None:
    cycle: list[Any] = [empty(LARGE, F4)]
    cycle.append(cycle)
    del cycle
    assert pool.bytes == 0
    gc.collect()
    assert pool.bytes == 360_000


@pytest.mark.parametrize("look", [lambda a: a.base.view(np.ndarray), lambda a: a.base[5:]])
def test_not_even_who_reaches_for_the_lease_is_surprised(look: Any, pool: Any) -> None:
    array = empty(LARGE, F4)
    view = look(array)
    del view
    assert pool.bytes == 0
    view = look(array)
    del array
    assert pool.bytes == 0
    view[...] = 3
    another = look(empty(LARGE, F4))
    another[...] = 4
    assert (view == 3).all()
    del view, another
    assert pool.bytes == 2 * 360_000


def test_arrays_that_live_to_the_end_are_no_trouble() -> None:
    code = (
        "import builtins, numpy as np; from tinygrad_tf.fast import buffers\n"
        "buffers.SMALLEST = 1; empty = buffers.empty\n"
        "held = builtins.held = empty((300, 300), np.dtype('f4'))\n"
        "cycle = [empty((300, 300), np.dtype('f4'))]; cycle.append(cycle)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, b"")
