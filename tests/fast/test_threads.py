"""Work shared among threads. The layouts that shared kernels must bear are in test_layouts.py."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_tf import Tensor, no_grad
from tinygrad_tf.fast import linear, threads
from tinygrad_tf.fast.packed import pack_attention
from tinygrad_tf.nn.module import Parameter
from tinygrad_tf.optim import AdamW
from tinygrad_tf.transformer import TransformerBlock

ROOT = Path(__file__).parents[2]
SECONDS = 20  # a deadlock is a failure, not a wait


@pytest.fixture(autouse=True)
def _three(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "NUMBER", 3)
    monkeypatch.setattr(linear, "NUMBER", 3)
    monkeypatch.setattr(linear, "ENOUGH", 0)
    threads._pool.cache_clear()
    yield
    threads._pool.cache_clear()


@pytest.mark.parametrize("shape", [(7, 4, 5), (2, 4, 5), (1, 1, 1), (3, 1, 9)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_in_pieces(shape: tuple[int, int, int], turned: bool) -> None:
    rows, inner, columns = shape
    generator = np.random.default_rng(0)
    x = generator.standard_normal((inner, rows)).T if turned else generator.random((rows, inner))
    y, out = generator.standard_normal((inner, columns)), np.full((rows, columns), np.nan)
    assert linear.shared_matmul(x, y, out) is out
    np.testing.assert_allclose(out, x @ y, rtol=1e-14)


def test_results_come_in_order_and_three_work_at_once() -> None:
    together = threading.Barrier(3, timeout=SECONDS)

    def work(x: int, y: str) -> str:
        together.wait()
        return y * x

    assert threads.each(work, [1, 2, 3], "abc") == ["a", "bb", "ccc"]


def test_with_one_thread_it_is_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "NUMBER", 1)
    here = threading.get_ident()
    assert threads.each(lambda x, y: (x, y, threading.get_ident()), [1, 2], "ab") == [
        (1, "a", here),
        (2, "b", here),
    ]


def test_what_is_shared_is_not_shared_again() -> None:
    together = threading.Barrier(3, timeout=SECONDS)

    def inner(_: int) -> int:
        return threading.get_ident()

    def work(_: int) -> tuple[bool, set[int]]:
        together.wait()
        return threads.may_share(), set(threads.each(inner, range(9))) - {threading.get_ident()}

    assert threads.each(work, range(3)) == [(False, set())] * 3
    assert threads.each(lambda _: threads.may_share(), "a") == [True]  # alone it may share its own
    assert threads.may_share()


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
def test_an_error_in_any_thread_is_raised_when_all_rest(bad: int) -> None:
    together = threading.Barrier(3, timeout=SECONDS)
    ended = []

    def work(i: int) -> None:
        if i < 3:
            together.wait()
        if i == bad:
            raise ZeroDivisionError(i)
        ended.append(i)

    with pytest.raises(ZeroDivisionError):
        threads.each(work, range(4))
    assert set(range(3)) - {bad} <= set(ended)


def test_errstate_and_no_grad_hold_over_there() -> None:
    together = threading.Barrier(3, timeout=SECONDS)
    x = Tensor([1.0], requires_grad=True)

    def work(_: int) -> Any:
        together.wait()
        return np.geterr()["over"], (x + x).requires_grad

    with np.errstate(over="raise"), no_grad():
        assert threads.each(work, range(3)) == [("raise", False)] * 3


def test_kernels_called_from_many_threads() -> None:
    x = np.random.default_rng(0).standard_normal((60, 60))
    right: list[bool] = []

    def call() -> None:
        for _ in range(20):
            out = linear.shared_matmul(x, x, np.empty_like(x))
            right.append(np.allclose(out, x @ x))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(SECONDS)
    assert (len(right), all(right)) == (80, True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")  # JAX's, where it has been loaded
def test_a_forked_process_makes_threads_of_its_own() -> None:
    together = threading.Barrier(3, timeout=SECONDS)

    def work(i: int) -> int:
        together.wait()  # there must be three threads
        return i

    assert threads.each(work, range(3)) == [0, 1, 2]
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        code = 0
        try:
            code = sum(threads.each(work, range(3)))
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


# The batch in pieces


class Slow(Parameter):
    """It takes its time to become a `.grad`; what others add meanwhile must not get lost."""

    __slots__ = ()

    def new_tensor(self, data: Any) -> Tensor:
        time.sleep(0.01)
        return super().new_tensor(data)


def test_threads_go_backward_into_the_same_leaf() -> None:
    together = threading.Barrier(3, timeout=SECONDS)
    leaf = Slow(np.ones(4, "f4"))

    def work(times: float) -> None:
        out = leaf * times
        together.wait()
        out.backward(Tensor(np.ones(4, "f4")))

    threads.each(work, [1.0, 2.0, 4.0])
    assert leaf.grad.tolist() == [7.0] * 4


@pytest.mark.parametrize(("dtype", "tolerance"), [("f8", 1e-12), ("f4", 2e-5)])
def test_pieces_of_a_batch_add_up_to_the_batch(dtype: str, tolerance: float) -> None:
    block = pack_attention(TransformerBlock(24, 3, 40, 0.0, "gelu", fused=True).to(dtype))
    generator = np.random.default_rng(0)
    for p in block.parameters():
        p.data[...] = generator.standard_normal(p.shape) / 3
    x, dout = generator.standard_normal((2, 6, 40, 24)).astype(dtype)

    def work(x: np.ndarray, dout: np.ndarray) -> None:
        block(Tensor(x), is_causal=True).backward(Tensor(dout))

    work(x, dout)
    whole = {name: p.grad.numpy() for name, p in block.named_parameters()}
    block.zero_grad()
    threads.each(work, np.split(x, 3), np.split(dout, 3))
    for name, p in block.named_parameters():
        error = np.linalg.norm(p.grad.numpy() - whole[name]) / np.linalg.norm(whole[name])
        assert error < tolerance, name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")  # JAX's, where it has been loaded
def test_a_process_forked_while_a_thread_adds_can_add() -> None:
    adding, leaf = threading.Event(), Slow(np.ones(1, "f4"))

    def add() -> None:
        out = leaf * 1.0
        adding.set()
        out.backward(Tensor(np.ones(1, "f4")))

    thread = threading.Thread(target=add)
    thread.start()
    adding.wait(SECONDS)
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        code = 0
        try:
            other = Parameter(np.ones(1, "f4"))
            threads.each(lambda x: (other * x).backward(), [1.0, 2.0, 4.0])
            code = int(other.grad.item())
        finally:
            os._exit(code)
    thread.join(SECONDS)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_optimiser_shares_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    def stepped(number: int) -> list[Any]:
        monkeypatch.setattr(threads, "NUMBER", number)
        generator = np.random.default_rng(0)
        parameters = [Tensor(generator.standard_normal(n), requires_grad=True) for n in (3, 1, 4)]
        optimizer = AdamW(parameters, lr=0.1)
        for _ in range(3):
            for p in parameters:
                p.grad = p * 2.0
            threads.take_step(optimizer)
        return [p.tolist() for p in parameters]

    assert stepped(3) == stepped(1)


STEP = """
import numpy as np
import tinygrad_tf
from tinygrad_tf import Tensor
from tinygrad_tf.fast import threads
from tinygrad_tf.fast import linear
from tinygrad_tf.nn import init
from tinygrad_tf.fast.packed import pack_attention
from tinygrad_tf.transformer import TransformerBlock
tinygrad_tf.fast.on()
block = pack_attention(TransformerBlock(192, 3, 768, 0.0, "gelu", fused=True))
generator = np.random.default_rng(0)
for p in block.parameters():
    init.normal_(p, std=0.1, generator=generator)
x, dout = generator.standard_normal((2, 2, 300, 192)).astype("f4")
x = Tensor(x, requires_grad=True)
block(x, is_causal=True).backward(Tensor(dout))
print(threads.NUMBER, linear.matmul.__name__)
print(*(float(np.abs(p.grad.data).sum()) for p in [x, *block.parameters()]))
"""


def run(number: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", threads.VARIABLE: number}
    return subprocess.run(
        [sys.executable, "-c", STEP], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def test_a_step_in_two_threads_is_the_step_in_one() -> None:
    one, two = run("1"), run("2")
    assert (one.stderr, two.stderr) == ("", "")
    assert one.stdout.splitlines()[0] == "1 matmul"
    assert two.stdout.splitlines()[0] == "2 shared_matmul"
    sums = [[float(word) for word in o.stdout.splitlines()[1].split()] for o in (one, two)]
    assert len(sums[0]) == 13
    np.testing.assert_allclose(*sums, rtol=1e-5)


@pytest.mark.parametrize("number", ["0", "-1", "two", ""])
def test_a_number_that_is_none(number: str) -> None:
    with pytest.raises(ValueError, match=f"TINYGRAD_TF_NUM_THREADS is '{number}', expected a"):
        threads._number(number)
