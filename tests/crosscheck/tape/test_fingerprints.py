"""Each mistake is recognised on a pair made with it, and nothing is read into anything else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crosscheck.distance import explains, same
from crosscheck.tape.fingerprints import Sizes, hint
from crosscheck.tape.other_forms import other_form

B, T, H, K = 3, 5, 4, 7
C = H * K
SIZES = Sizes(B, T, C, H)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


RIGHT = drawn(B, T, C)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-1.0, "dq has the wrong sign"),
        (2.0, "dq is twice what it should be: is it added up twice?"),
        (0.5, "dq is half of what it should be"),
        (math.sqrt(K), "2.64575x too large, and that is sqrt(K = 7): is a division by it missing?"),
        (1 / (B * T), "15x too small, and that is B*T: is it divided by it once too often?"),
        (B * T, "15x too large, and that is B*T: is a division by it missing?"),
        (T, "5x too large, and that is T: is a division by it missing?"),
        (1 / B, "3x too small, and that is B: is it divided by it once too often?"),
        (math.sqrt(C), "5.2915x too large, and that is sqrt(C = 28)"),
        (H, "4x too large, and that is H"),
        (1.7, "dq is 1.7 times what it should be, in every entry"),
    ],
)
def test_a_factor(factor: float, words: str) -> None:
    assert words in hint("dq", factor * RIGHT, RIGHT, SIZES)


def test_a_factor_that_is_two_things_is_called_both() -> None:
    words = hint("dq", 4 * RIGHT, RIGHT, Sizes(B, T, 64, 4))
    assert "4x too large, and that is sqrt(K = 16) or H" in words or "H or sqrt(K = 16)" in words


def test_a_factor_by_which_nothing_is_known_has_no_name() -> None:
    words = hint("dq", 5 * RIGHT, RIGHT, Sizes())
    assert words == "dq is 5 times what it should be, in every entry"


@given(st.floats(0.01, 100.0), st.integers(0, 50))
def test_every_factor_is_measured(factor: float, seed: int) -> None:
    assume(abs(factor - 1) > 1e-6)
    assume(min(abs(factor - 2), abs(factor - 0.5)) > 1e-3)
    right = drawn(4, 6, seed=seed)
    words = hint("dx", factor * right, right, Sizes())
    number = words.removeprefix("dx is ").removesuffix(" times what it should be, in every entry")
    assert float(number) == pytest.approx(factor, rel=1e-8)


def test_transposed() -> None:
    square, tall = drawn(6, 6), drawn(4, 6)
    assert hint("dweight", square.T, square, SIZES) == (
        "dweight is transposed: axes 0 and 1 are swapped"
    )
    assert hint("dweight", tall.T, tall, SIZES) == "dweight is transposed"


def test_merged_without_a_transpose() -> None:
    context = drawn(B, H, T, K)
    right = context.swapaxes(1, 2)
    wrong = context.reshape(right.shape)
    assert "in another order: is a transpose missing?" in hint("out", wrong, right, SIZES)


@pytest.mark.parametrize("order", ["kqv", "vkq", "kvq"])
def test_thirds_in_another_order(order: str) -> None:
    thirds = dict(zip("qkv", np.split(drawn(3 * C, C), 3), strict=True))
    right = np.concatenate([thirds[letter] for letter in "qkv"])
    wrong = np.concatenate([thirds[letter] for letter in order])
    words = hint("dweight", wrong, right, SIZES)
    assert words == f"dweight has its parts q, k, v in the order {', '.join(order)}"


def test_heads_permuted() -> None:
    right = drawn(2, H, T, K)
    assert hint("dv", right[:, [2, 0, 3, 1]], right, SIZES) == (
        "dv has the heads along axis 1 permuted: [2, 0, 3, 1]"
    )


@given(st.permutations(range(6)))
def test_every_other_order_is_read_off(order: list[int]) -> None:
    right = drawn(5, 6, seed=3)
    words = hint("dx", right[:, order], right, SIZES)
    if order == sorted(order):
        assert words in ("", hint("dx", right, right, SIZES))
    else:
        assert words == f"dx has the entries along axis 1 permuted: {list(order)}"


def test_right_entries_in_the_wrong_places() -> None:
    right = drawn(5, 7)
    wrong = np.random.default_rng(1).permutation(right.ravel()).reshape(5, 7)
    assert hint("dx", wrong, right, SIZES) == "dx has the right entries in the wrong places"


def test_zero_missing_and_of_another_type() -> None:
    assert hint("dx", 0 * RIGHT, RIGHT, SIZES) == "dx is zero: is the way back cut?"
    assert "dx is missing" in hint("dx", None, RIGHT, SIZES)
    assert hint("dx", RIGHT, None, SIZES) == ""
    words = hint("dx", RIGHT, RIGHT.astype(np.float32), SIZES)
    assert words == "dx is float64, not float32: has a constant promoted it?"


def test_not_summed() -> None:
    words = hint("dbias", RIGHT, RIGHT.sum(axis=(0, 1)), SIZES)
    assert words == "dbias has shape (3, 5, 28): is it not summed to (28,)?"


@pytest.mark.parametrize(("i", "which"), [(0, "first"), (-1, "last")])
@pytest.mark.parametrize("axis", [0, 1])
def test_summed_over_one_entry_only(i: int, which: str, axis: int) -> None:
    part = np.take(RIGHT, i, axis=axis).sum(axis=0)
    words = hint("dbias", part, RIGHT.sum(axis=(0, 1)), SIZES, {"dout": RIGHT})
    assert words == f"dbias is summed over the {which} entry of axis {axis} only"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_constant_in_each_line(axis: int) -> None:
    shape = list(RIGHT.shape)
    shape[axis] = 1
    words = hint("dx", RIGHT + drawn(*shape, seed=1), RIGHT, SIZES)
    assert words.startswith(f"dx is off by a constant in each line along axis {axis}")


def test_a_multiple_of_what_was_at_hand() -> None:
    out, x = drawn(B, T, C, seed=1), drawn(B, T, C, seed=2)
    share = drawn(B, T, 1, seed=3)
    at_hand = {"x": x, "out": out}
    assert "off by a multiple of (out) in each line" in hint(
        "dx", RIGHT + share * out, RIGHT, SIZES, at_hand
    )
    centered = x - x.mean(axis=-1, keepdims=True)
    assert "off by a multiple of (x - mean) in each line" in hint(
        "dx", RIGHT - share * centered, RIGHT, SIZES, at_hand
    )


def test_what_was_at_hand_returned_as_it_is() -> None:
    dout = drawn(B, T, 1, seed=1)
    words = hint("dx", np.broadcast_to(dout, RIGHT.shape), RIGHT, SIZES, {"dout": dout})
    assert words == "dx is dout itself: is a factor missing?"


def test_a_factor_of_its_own_in_each_line() -> None:
    words = hint("out", RIGHT * (2 + drawn(B, T, 1, seed=1)), RIGHT, SIZES)
    assert words.startswith("out is off by a factor of its own in each line")


def test_some_signs() -> None:
    signs = np.where(drawn(B, T, C, seed=4) > 1, -1.0, 1.0)
    assert hint("dx", signs * RIGHT, RIGHT, SIZES) == "some entries of dx have the wrong sign"


def test_holes() -> None:
    wrong = RIGHT.copy()
    wrong[drawn(B, T, C, seed=4) > 0] = 0
    words = hint("dx", wrong, RIGHT, SIZES)
    assert words.startswith("dx is right where it is not zero, and ")
    share = int(words.split(" and ")[1].split("%")[0])
    assert share == round(100 * float((wrong == 0).mean()))


def test_some_slices_only() -> None:
    wrong = RIGHT.copy()
    wrong[:, [1, 3]] = drawn(B, 2, C, seed=9)
    words = hint("dweight", wrong, RIGHT, SIZES)
    assert "wrong in 2 of 5 slices along axis 1, [1, 3]" in words
    assert "= is written for +=" in words


def test_a_mask_that_hides_others() -> None:
    right = np.where(np.tri(T, dtype=bool), 0.0, -np.inf)
    wrong = np.where(np.tri(T, k=-1, dtype=bool), 0.0, -np.inf)
    wrong[0, 4] = 0.0
    assert hint("y", wrong, right, SIZES) == (
        "y masks 5 entries that it should not, and leaves 1 that it should mask"
    )
    assert hint("y", right, right, SIZES) == ""


@given(st.integers(0, 10_000), st.sampled_from([(5,), (4, 6), (3, 5, 8)]))
def test_nothing_is_read_into_unrelated_numbers(seed: int, shape: tuple[int, ...]) -> None:
    wrong, right, x, dout = np.random.default_rng(seed).standard_normal((4, *shape))
    assert hint("dx", wrong, right, SIZES, {"x": x, "dout": dout}) == ""


@given(st.integers(0, 10_000), st.sampled_from([1e-3, 1e-6, 1e-9]))
def test_nothing_is_read_into_noise_on_the_right_numbers(seed: int, size: float) -> None:
    right, noise, x = np.random.default_rng(seed).standard_normal((3, 4, 6))
    assert hint("dx", right + size * noise, right, SIZES, {"x": x}) == ""


def test_what_is_no_float_has_no_hint() -> None:
    ids = np.arange(6)
    assert hint("indices", 2 * ids, ids, SIZES) == ""


def test_nan_has_no_hint() -> None:
    wrong = RIGHT.copy()
    wrong[0, 0, 0] = np.nan
    assert hint("dx", wrong, RIGHT, SIZES) == ""


def test_an_explanation_leaves_nearly_nothing_over() -> None:
    noise = drawn(B, T, C, seed=1)
    assert explains(2 * RIGHT, 2 * RIGHT + 1e-5 * noise, RIGHT)
    assert not explains(2 * RIGHT, 2 * RIGHT + 1e-3 * noise, RIGHT)
    assert not explains(RIGHT[:1], 2 * RIGHT, RIGHT)
    assert same(RIGHT * (1 + 1e-15), RIGHT)
    assert not same(RIGHT * (1 + 1e-10), RIGHT)
    assert not same(RIGHT[0], RIGHT)


# Forms that an op is confused with, made here without PyTorch.

X = drawn(B, T, C, seed=5)
WEIGHT, BIAS = 1 + 0.3 * drawn(C, seed=6), drawn(C, seed=7)
EPS = 0.1


def layer_norm(x: np.ndarray, ddof: int = 0, eps: Any = EPS, outside: float = 0.0) -> np.ndarray:
    deviation = np.sqrt(x.var(-1, ddof=ddof, keepdims=True) + eps) + outside
    normal: np.ndarray = (x - x.mean(-1, keepdims=True)) / deviation * WEIGHT + BIAS
    return normal


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ddof": 1}, "out fits this: a variance with correction 1, divided by C - 1 and not by C"),
        ({"eps": 0.0, "outside": EPS}, "out fits this: eps outside of the root"),
        ({"eps": 0.0}, "out fits this: no eps at all"),
        ({"eps": 0.5}, ""),
        ({}, ""),
    ],
)
def test_the_forms_of_layer_norm(options: dict[str, Any], words: str) -> None:
    given = {"x": X, "weight": WEIGHT, "bias": BIAS, "dout": None, "constants": (EPS,)}
    wrong = layer_norm(X, **options)
    assert other_form("layer_norm", "out", wrong, layer_norm(X), given) == (
        words if options else other_form("layer_norm", "out", wrong, wrong, given)
    )


def test_the_forms_of_gelu() -> None:
    cdf = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(X)
    tanh = np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))
    given = {"x": X, "dout": RIGHT, "constants": ()}
    assert "the tanh form of GELU" in other_form("gelu", "out", X * (1 + tanh) / 2, X * cdf, given)
    pdf = np.exp(-X * X / 2) / math.sqrt(2 * math.pi)
    assert "without the term x * pdf(x)" in other_form(
        "gelu", "dx", RIGHT * cdf, RIGHT * (cdf + X * pdf), given
    )


def test_the_softmax_with_a_diagonal_only() -> None:
    probs = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
    right = probs * (RIGHT - (RIGHT * probs).sum(-1, keepdims=True))
    wrong = RIGHT * probs * (1 - probs)
    given = {"x": X, "dout": RIGHT, "constants": ()}
    assert "only the diagonal of the Jacobian" in other_form("softmax", "dx", wrong, right, given)
    assert other_form("softmax", "dx", 2 * right, right, given) == ""
    assert other_form("softmax", "dx", None, right, given) == ""
