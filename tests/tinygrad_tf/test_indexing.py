"""`x[...]`, with lists, arrays and tensors as indices; the rule is `getitem` of `ops/shape.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor

Check = Callable[..., None]
X = np.random.default_rng(0).normal(size=(2, 3, 4))

INDICES: list[Any] = [
    1,
    -1,
    (0, 2),
    (1, -1, 3),
    slice(1, None),
    (slice(None), slice(0, 3, 2)),
    (slice(None), slice(-2, None), slice(1, 3)),
    slice(5, 9),
    None,
    ...,
    (..., 0),
    (..., slice(1, 3), None),
    (0, ..., None, 2),
    (None, 1, None),
    [1, 0, 1],
    [],
    (slice(None), [2, 0, 2, 2]),
    (slice(None), [-1, 0], slice(1, None)),
    ([0, 1, 1], [2, 0, 2]),
    ([[0], [1]], [2, 0, 2]),
    (slice(None), [0, 2], [3, 3]),
    ([0, 1], slice(None), [3, 0]),
    ([1, 0], None, [2, 2]),
    (0, [2, 2, 1]),
    (0, slice(None), [3, 3, 1, 0, 0]),
    ([1, 1], slice(1, None), -1),
    (-1, ..., [0, 0]),
    (slice(None), 1, [0, 3, 3]),
    (None, 0, [1, 1], slice(None, 2)),
    [True, False],
    (slice(None), [True, False, True]),
    (..., [False, True, True, False]),
    (0, [True, False, True]),
    (1, slice(None), [True, False, False, True]),
    [False, False],
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_values_and_gradients(index: Any, check_op: Check) -> None:
    check_op(lambda x: x[index], (2, 3, 4), scales=[1.0], may_be_zero=True)


@pytest.mark.parametrize(
    "index",
    [index for index in INDICES if "[" in repr(index) and index != []],
    ids=repr,
)
def test_with_arrays_and_with_tensors(index: Any) -> None:
    parts = index if isinstance(index, tuple) else (index,)
    expected = torch.tensor(X)[index].numpy()
    for kind in (np.array, Tensor):
        given = tuple(kind(part) if isinstance(part, list) else part for part in parts)
        np.testing.assert_array_equal(Tensor(X)[given].data, expected)
    if len(given) == 1:
        np.testing.assert_array_equal(Tensor(X)[given[0]].data, expected)


def test_masks_of_several_axes_and_numbers_as_tensors(check_op: Check) -> None:
    mask = np.random.default_rng(1).random((2, 3)) < 0.5
    check_op(lambda x: x[mask], (2, 3, 4), theirs=lambda x: x[torch.tensor(mask)])
    check_op(lambda x: x[mask, 1], (2, 3, 4), theirs=lambda x: x[torch.tensor(mask), 1])
    check_op(lambda x: x[1, :, mask], (5, 7, 2, 3), theirs=lambda x: x[1, :, torch.tensor(mask)])
    check_op(lambda x: x[0, :, [[0, 1], [1, 1], [3, 0]]], (2, 3, 4))
    check_op(
        lambda x: x[0, Tensor(mask.T)[:, 0]],
        (2, 3, 4),
        theirs=lambda x: x[0, torch.tensor(mask.T)[:, 0]],
    )
    check_op(
        lambda x: x[Tensor(1), :, Tensor([0, 0])],
        (2, 3, 4),
        theirs=lambda x: x[torch.tensor(1), :, torch.tensor([0, 0])],
    )
    whole = mask[..., None] & np.array([True, False, True, True])
    check_op(lambda x: x[whole], (2, 3, 4), theirs=lambda x: x[torch.tensor(whole)])
    check_op(lambda x: x[x > 0.0], (2, 3, 4))


def test_chosen_rows_are_copies() -> None:
    x = Tensor(X.copy())
    assert not np.shares_memory(x[[0, 1]].data, x.data)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (2, r"index 2 is out of bounds .*\(2, 3, 4\) float64"),
        ((0, 0, 0, 0), r"too many indices .*\(2, 3, 4\) float64"),
        ((slice(None), [0, 3]), r"index 3 is out of bounds"),
        ((0, [0, 3]), r"index 3 is out of bounds"),
        ([True, False, True], r"boolean index did not match"),
        (0.5, r"only integers"),
    ],
)
def test_what_does_not_fit_is_named(index: Any, message: str) -> None:
    with pytest.raises(IndexError, match=f"^getitem: {message}"):
        Tensor(X)[index]


@pytest.mark.parametrize("index", [np.array([0, 1], "u1"), Tensor(np.array([0, 1], "u1"))])
def test_uint8_is_refused_because_pytorch_takes_it_for_a_mask(index: Any) -> None:
    with pytest.raises(TypeError, match=r"^getitem: an index of uint8 is a mask in PyTorch"):
        Tensor(np.ones((2, 3)))[index]
