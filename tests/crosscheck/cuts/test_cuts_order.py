"""In which order an array holds the entries of a value."""

import numpy as np
import pytest

from crosscheck.cuts.arrangement import Order, is_merged, order_of
from crosscheck.cuts.pairing import tiles_of

B, T, H, K = 2, 5, 3, 4
VALUE = np.random.default_rng(0).standard_normal((B, H, T, K))


@pytest.mark.parametrize(
    ("array", "order"),
    [
        (VALUE, Order.SAME),
        (VALUE.reshape(B * H, T, K), Order.SAME),
        (VALUE.transpose(0, 2, 1, 3), Order.PERMUTED),
        (VALUE.transpose(0, 2, 1, 3).reshape(B, T, H * K), Order.PERMUTED),
        (VALUE.transpose(1, 0, 3, 2), Order.PERMUTED),
        (np.sort(VALUE, axis=None).reshape(VALUE.shape), Order.SCRAMBLED),
        # A view where a transpose is needed: the entries lie as (B, T, H, K).
        (VALUE.transpose(0, 2, 1, 3).reshape(B, H, T, K), Order.SCRAMBLED),
    ],
)
def test_the_order_of_an_array(array, order):
    assert order_of(array, [VALUE]) == order


def test_heads_that_are_merged_behind_their_entries_are_in_another_order():
    merged = VALUE.transpose(0, 2, 1, 3).reshape(B, T, H * K)
    crossed = VALUE.transpose(0, 3, 1, 2).reshape(B, K * H, T)
    assert order_of(merged.swapaxes(1, 2), [VALUE, merged]) == Order.PERMUTED
    assert order_of(crossed, [VALUE, merged]) == Order.TRANSPOSED


def test_tiles_of_both_axes_of_which_the_last_are_smaller_are_a_cutting() -> None:
    scores = np.random.default_rng(3).standard_normal((B, H, 7, 7))
    (fours,) = [tiles for tiles in tiles_of(scores) if tiles[0].shape == (B, H, 4, 4)]
    assert [tile.shape[-2:] for tile in fours] == [(4, 4), (4, 3), (3, 4), (3, 3)]
    np.testing.assert_array_equal(np.block([fours[:2], fours[2:]]), scores)


def test_a_square_value_transposed_is_told_from_one_that_keeps_its_axes_elsewhere():
    scores = np.random.default_rng(1).standard_normal((B, H, T, T))
    assert order_of(scores.swapaxes(-1, -2).copy(), [scores]) == Order.TRANSPOSED


def test_a_large_negative_number_masks_as_minus_infinity_does():
    scores = np.random.default_rng(2).standard_normal((B, H, T, T))
    future = np.triu(np.ones((T, T), bool), 1)
    masked = np.where(future, -np.inf, scores)
    assert order_of(np.where(future, -1e9, scores), [masked]) == Order.SAME


def test_merged_axes():
    assert is_merged((B * H, T, K), (B, H, T, K))
    assert is_merged((B, H, T, K), (B * H, T * K))
    assert not is_merged((B, H, T, K), (B, T, H, K))
