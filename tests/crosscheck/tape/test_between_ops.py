"""What happens between the ops of our run: sums of gradients, arrays that are kept, constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_tf as tg
from crosscheck import Batch
from crosscheck.runs import COTANGENT
from crosscheck.tape.composition import is_composed
from crosscheck.tape.kept import Kept
from crosscheck.tape.sums import Sums
from tinygrad_tf import differentiable, nn

A, B = np.random.default_rng(0).standard_normal((2, 3, 4))


def test_a_sum_is_what_was_sent() -> None:
    sums = Sums({"two": 2, "one": 1}, relative=1e-10)
    sums.add("two", A)
    sums.add("two", B)
    sums.add("one", A)
    sums.taken("two", A + B)
    sums.taken("one", A.copy())
    assert not sums.are_wrong("two")
    assert not sums.are_wrong("one")
    assert not sums.are_wrong("loss")  # nobody sends anything to it


@pytest.mark.parametrize("taken", [A, B, A + 2 * B, (A + B) * (1 + 1e-6)])
def test_another_sum_is_wrong(taken: np.ndarray) -> None:
    sums = Sums({"two": 2}, relative=1e-10)
    sums.add("two", A)
    sums.add("two", B)
    sums.taken("two", taken)
    assert sums.are_wrong("two")


def test_what_one_op_alone_sends_is_compared_to_the_last_bit() -> None:
    sums = Sums({"one": 1}, relative=1e-10)
    sums.add("one", A)
    sums.taken("one", np.nextafter(A, np.inf))
    assert sums.are_wrong("one")


def test_a_gradient_that_comes_too_late_is_wrong() -> None:
    sums = Sums({"two": 2}, relative=1e-10)
    sums.add("two", A)
    sums.taken("two", A)
    assert not sums.are_wrong("two")
    sums.add("two", B)
    assert sums.are_wrong("two")


def test_the_grad_of_a_leaf_is_a_sum_too() -> None:
    sums = Sums({"weight": 2, "bias": 1}, relative=1e-10)
    sums.add("weight", A)
    sums.add("weight", B)
    sums.add("bias", A)
    assert sums.is_of_leaf("weight", A + B)
    assert not sums.is_of_leaf("weight", A)
    assert not sums.is_of_leaf("weight", None)
    assert sums.is_of_leaf("bias", A)
    assert not sums.is_of_leaf("bias", B)


def keeper(array: np.ndarray) -> Any:
    def inner() -> np.ndarray:
        return array

    return lambda: (inner(), 3)


def test_what_a_backward_keeps_is_watched_through_its_helpers() -> None:
    array = A.copy()
    kept = Kept(keeper(array))
    assert kept.changed() == ""
    array[2, 3] = np.nextafter(array[2, 3], np.inf)
    assert kept.changed() == "array"


class Model(nn.Module):
    """tanh(x * weight), and what is done to it."""

    def __init__(self, bend: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(tg.Tensor(B[0]))
        self.bend = bend

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.bend(self, (x * self.weight).tanh())


def composed(bend: Any) -> bool:
    return is_composed(Model(bend), Batch(A), loss=COTANGENT, seed=0)


def test_a_run_of_ops_alone_is_composed() -> None:
    assert composed(lambda self, x: x * self.weight + x.exp())
    assert composed(lambda self, x: x * tg.Tensor(np.full(4, 0.1, x.dtype)))


def test_a_constant_that_is_another_in_float32_is_not() -> None:
    def coarse(self: Model, x: tg.Tensor) -> tg.Tensor:
        lost = x.data.astype(np.float16) if x.dtype == np.float32 else x.data
        return x + (lost.astype(x.dtype) - x.data)

    assert not composed(coarse)


def test_an_array_that_is_written_into_is_not() -> None:
    def spoils(self: Model, x: tg.Tensor) -> tg.Tensor:
        out = x.exp()
        if x.dtype == np.float32:
            x.data[0, 0] = 7.0
        return out * x

    assert not composed(spoils)


def test_an_op_that_remembers_is_not() -> None:
    calls: list[int] = []

    @differentiable
    def doubled(x: np.ndarray) -> Any:
        calls.append(1)
        first = x.dtype == np.float32 and len(calls) % 2
        return 2 * x, lambda dout: ((3 if first else 2) * dout,)

    assert not composed(lambda self, x: doubled(x))
