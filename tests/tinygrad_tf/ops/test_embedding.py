from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.embedding import embedding

Check = Callable[..., None]
ROWS, CHANNELS = 7, 3


def ids(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, ROWS, shape)


INDICES = {
    "one axis": ids(5),
    "two axes": ids(2, 5),
    "all the same": np.full((2, 4), 3),
    "first and last": np.array([0, ROWS - 1]),
    "int32": ids(5).astype("i4"),
    "uint8": ids(5).astype("u1"),
    "a number": np.array(2),
}


@pytest.mark.parametrize("name", INDICES)
def test_values_and_gradients(name: str, check_op: Check) -> None:
    indices = INDICES[name]
    check_op(
        lambda weight: embedding(Tensor(indices), weight),
        (ROWS, CHANNELS),
        theirs=partial(torch.nn.functional.embedding, torch.tensor(indices.astype("i8"))),
    )


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_no_tokens(shape: Any, check_op: Check) -> None:
    indices = np.zeros(shape, dtype="i8")
    check_op(
        lambda weight: embedding(indices, weight),
        (ROWS, CHANNELS),
        theirs=partial(torch.nn.functional.embedding, torch.tensor(indices)),
        may_be_zero=True,
    )


def test_a_repeated_token_collects_every_gradient() -> None:
    _, backward = embedding.rule(np.array([1, 1, 0, 1]), np.zeros((3, 2)))
    dout = np.arange(8.0).reshape(4, 2)
    nothing, dweight = backward(dout)
    assert nothing is None
    np.testing.assert_array_equal(dweight, [[4, 5], [0 + 2 + 6, 1 + 3 + 7], [0, 0]])


def test_dweight_over_rows_equals_dout_over_tokens() -> None:
    indices = ids(2, 5)
    dout = np.random.default_rng(0).normal(size=(2, 5, CHANNELS))
    _, backward = embedding.rule(indices, np.zeros((ROWS, CHANNELS)))
    dweight = backward(dout)[1]
    np.testing.assert_allclose(dweight.sum(axis=0), dout.sum(axis=(0, 1)))
    onehot = np.eye(ROWS)[indices.reshape(-1)]
    np.testing.assert_allclose(dweight, onehot.T @ dout.reshape(-1, CHANNELS))


def test_the_result_is_a_copy_of_the_rows() -> None:
    weight = np.zeros((3, 2))
    out, _ = embedding.rule(np.array([0, 2]), weight)
    out += 1
    assert not weight.any()


@pytest.mark.parametrize(
    ("indices", "weight", "message"),
    [
        ([0, 9, 7], (ROWS, 3), r"index 9 is outside the table of 7 rows \(weight \(7, 3\)\)"),
        ([7], (ROWS, 3), "index 7 is outside the table of 7 rows"),
        ([0, -1, -2, 9], (ROWS, 3), "index -2 is outside .*another vocabulary"),
        ([0.0, 1.0], (ROWS, 3), "indices are float64, expected integers"),
        ([True, False], (ROWS, 3), "indices are bool, expected integers"),
        ([0], (ROWS,), r"weight has shape \(7,\), expected \(rows, channels\)"),
    ],
)
def test_what_does_not_fit_is_named(indices: list[Any], weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^embedding: {message}"):
        embedding(np.array(indices), Tensor(np.ones(weight)))
