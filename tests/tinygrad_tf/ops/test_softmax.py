from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.softmax import log_softmax, softmax

Check = Callable[..., None]
BOTH = pytest.mark.parametrize(
    ("ours", "theirs"), [(softmax, torch.softmax), (log_softmax, torch.log_softmax)]
)
NONE = -np.inf
SCORES = np.array(
    [
        [1e4, -1e4, 0.0, 1e4],
        [-1e4, -1e4 + 1, -1e4 - 1, -1e4],
        [NONE, 1.0, NONE, 2.0],
        [NONE, NONE, 3.0, NONE],
        [NONE, NONE, NONE, NONE],
        [np.nan, 1.0, 2.0, 3.0],
        [np.inf, 1.0, 2.0, 3.0],
    ]
)


@BOTH
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_values_and_gradients(ours: Any, theirs: Any, dim: int, check_op: Check) -> None:
    check_op(partial(ours, dim=dim), (3, 4, 5), theirs=partial(theirs, dim=dim))


@BOTH
def test_one_axis_and_an_axis_of_one(ours: Any, theirs: Any, check_op: Check) -> None:
    check_op(partial(ours, dim=0), (5,), theirs=partial(theirs, dim=0))
    check_op(partial(ours, dim=1), (3, 1), theirs=partial(theirs, dim=1), may_be_zero=True)


@BOTH
@pytest.mark.parametrize("dim", [0, 1])
def test_axes_of_size_zero(ours: Any, theirs: Any, dim: int, check_values: Check) -> None:
    check_values(partial(ours, dim=dim), np.zeros((0, 3)), theirs=partial(theirs, dim=dim))


@BOTH
@pytest.mark.parametrize("row", range(len(SCORES)))
def test_extreme_scores(ours: Any, theirs: Any, row: int, check_values: Check) -> None:
    check_values(partial(ours, dim=-1), SCORES[row : row + 1], theirs=partial(theirs, dim=-1))


@BOTH
def test_lines_at_very_different_heights(ours: Any, theirs: Any, check_values: Check) -> None:
    check_values(partial(ours, dim=1), SCORES[:4], theirs=partial(theirs, dim=1))
    check_values(partial(ours, dim=0), SCORES[:4].T, theirs=partial(theirs, dim=0))


@BOTH
def test_the_gradient_sums_to_zero(ours: Any, theirs: Any) -> None:
    x, dout = np.random.default_rng(0).normal(size=(2, 3, 4))
    _, backward = ours.rule(x, dim=1)
    np.testing.assert_allclose(backward(dout)[0].sum(axis=1), 0, atol=1e-15)


@BOTH
def test_a_shift_of_all_scores_changes_nothing(ours: Any, theirs: Any) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(ours.rule(x + 1e3, dim=1)[0], ours.rule(x, dim=1)[0], rtol=1e-11)


def test_probabilities_sum_to_one() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)) * 100
    np.testing.assert_allclose(softmax.rule(x, dim=0)[0].sum(axis=0), 1.0)


def test_the_gradient_of_a_plain_sum_is_zero() -> None:
    x = Tensor(np.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
    softmax(x, dim=1).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.data, 0, atol=1e-15)


def test_a_one_hot_dout_gives_onehot_minus_probs() -> None:
    x = np.random.default_rng(0).normal(size=(1, 5))
    _, backward = log_softmax.rule(x, dim=1)
    onehot = np.eye(5)[[2]]
    np.testing.assert_allclose(backward(onehot)[0], onehot - softmax.rule(x, dim=1)[0], rtol=1e-14)


@pytest.mark.parametrize(("shape", "dim"), [((3, 4), 2), ((3, 4), -3), ((), 0), ((), -1)])
@BOTH
def test_an_axis_that_is_not_there(ours: Any, theirs: Any, shape: Any, dim: int) -> None:
    name = ours.__name__
    message = rf"^{name}: dim {dim} is not an axis of x \({', '.join(map(str, shape))}"
    with pytest.raises(ValueError, match=message):
        ours(Tensor(np.ones(shape)), dim=dim)
