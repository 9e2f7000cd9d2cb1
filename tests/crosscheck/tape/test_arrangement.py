"""The right entries in other places, or only some of them, are recognised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hints import RIGHT, SIZES, B, C, H, K, T, drawn

from crosscheck.tape.fingerprints import hint


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


def test_not_summed() -> None:
    words = hint("dbias", RIGHT, RIGHT.sum(axis=(0, 1)), SIZES)
    assert words == "dbias has shape (3, 5, 28): is it not summed to (28,)?"


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
    one_more = np.where(np.tri(T, dtype=bool), 0.0, -np.inf)
    one_more[0, 0] = -np.inf
    assert "masks 1 entry that it should not" in hint("y", one_more, right, SIZES)


@pytest.mark.parametrize("axis", [0, 1])
def test_one_entry_of_an_axis_stands_for_all(axis: int) -> None:
    one = np.take(RIGHT, [1], axis=axis)
    assert hint("out", np.broadcast_to(one, RIGHT.shape), RIGHT, SIZES).startswith(
        f"out repeats entry 1 of axis {axis}"
    )
    for what, values in (("mean", RIGHT.mean(axis)), ("sum", RIGHT.sum(axis))):
        wrong = np.broadcast_to(np.expand_dims(values, axis), RIGHT.shape)
        assert f"out is its {what} along axis {axis}" in hint("out", wrong, RIGHT, SIZES)


def test_one_sample_of_a_batch() -> None:
    wrong = RIGHT.copy()
    wrong[1:] = 0
    assert hint("dx", wrong, RIGHT, SIZES) == (
        "dx is right in entry 0 of axis 0 only, and zero in the 2 others: "
        "is one entry computed, and not all?"
    )
    first_token = drawn(B, T, C, seed=9)
    first_token[:, 0] = RIGHT[:, 0]
    assert hint("out", first_token, RIGHT, SIZES) == ""  # a causal mask makes it right by chance


def test_what_should_be_zero_and_is_not() -> None:
    right = RIGHT.copy()
    right[drawn(B, T, C, seed=4) > 0] = 0
    assert "except where it should be zero" in hint("dx", np.where(right, right, 1.0), right, SIZES)
