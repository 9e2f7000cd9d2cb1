from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.selection import masked_fill, tril, triu, where

Check = Callable[..., None]


def mask(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).random(shape) < 0.5


@pytest.mark.parametrize(
    ("condition", "x", "y"),
    [
        ((3, 4), (3, 4), (3, 4)),
        ((3, 4), (4,), (3, 1)),
        ((5, 1, 4), (3, 1), ()),
        ((4,), (2, 3, 4), (3, 4)),
    ],
)
def test_where(condition: Any, x: Any, y: Any, check_op: Check) -> None:
    chosen = mask(*condition)
    check_op(
        lambda x, y: where(chosen, x, y), x, y, theirs=partial(torch.where, torch.tensor(chosen))
    )


def test_where_between_a_tensor_and_a_number(check_op: Check) -> None:
    chosen = mask(3, 4)
    condition = torch.tensor(chosen)
    check_op(
        lambda x: where(chosen, x, 2.5), (3, 4), theirs=lambda x: torch.where(condition, x, 2.5)
    )
    check_op(lambda x: where(chosen, -1, x), (3, 4), theirs=lambda x: torch.where(condition, -1, x))


def test_where_keeps_the_nan_of_the_other_branch_out() -> None:
    x = Tensor(np.array([np.nan, 2.0]), requires_grad=True)
    out = where(np.array([False, True]), x, 0.0)
    out.backward(Tensor(np.array([5.0, 7.0])))
    assert out.tolist() == [0.0, 2.0]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 7.0]


@pytest.mark.parametrize("shape", [(3, 4), (4,), (3, 1), (2, 3, 4), (2, 1, 4), ()])
def test_masked_fill_with_masks_that_broadcast(shape: Any, check_op: Check) -> None:
    filled = mask(*shape) if shape else np.array(False)
    check_op(
        lambda x: masked_fill(x, filled, value=-2.0),
        (3, 4),
        theirs=lambda x: x.masked_fill(torch.tensor(filled), -2.0),
    )


@pytest.mark.parametrize("value", [-np.inf, np.inf, np.nan, -1e9, 0, np.float64(3.0)])
def test_masked_fill_with_any_value(value: float, check_values: Check) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    check_values(
        lambda x: masked_fill(x, mask(3, 4), value=value),
        x,
        theirs=lambda x: x.masked_fill(torch.tensor(mask(3, 4)), float(value)),
    )


@pytest.mark.parametrize("shape", [(3, 4), (4,), (2, 3, 4), ()])
def test_masked_fill_with_a_tensor_that_gets_a_gradient(shape: Any, check_op: Check) -> None:
    filled = mask(*shape) if shape else np.array(True)
    check_op(
        lambda x, value: x.masked_fill(Tensor(filled), value),
        (3, 4),
        (),
        theirs=lambda x, value: x.masked_fill(torch.tensor(filled), value),
        may_be_zero=True,
    )


def test_a_tensor_that_fills_takes_the_dtype_of_what_is_filled() -> None:
    for x, value in (([1.0, 2.0], np.array(0.1)), ([1, 2], np.array(2.7)), ([True, True], 0)):
        found = Tensor(x).masked_fill(Tensor([True, False]), Tensor(value))
        expected = torch.tensor(x).masked_fill(torch.tensor([True, False]), torch.tensor(value))
        assert found.tolist() == expected.tolist()
        assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")


def test_the_diagonal_of_a_triangle_may_be_given_by_position(check_op: Check) -> None:
    for name in ("tril", "triu"):
        for diagonal in (1, -1):
            check_op(
                lambda x, name=name, k=diagonal: getattr(tinygrad_tf, name)(x, k),
                (3, 4),
                theirs=lambda x, name=name, k=diagonal: getattr(torch, name)(x, k),
            )


@pytest.mark.parametrize("diagonal", [0, 1, -1, 3, -2, 9])
@pytest.mark.parametrize("shape", [(3, 4), (5, 2), (2, 3, 4)])
@pytest.mark.parametrize(("ours", "theirs"), [(tril, torch.tril), (triu, torch.triu)])
def test_triangles(ours: Any, theirs: Any, shape: Any, diagonal: int, check_op: Check) -> None:
    check_op(
        partial(ours, diagonal=diagonal),
        shape,
        theirs=partial(theirs, diagonal=diagonal),
        may_be_zero=True,
        scales=[1.0],
    )


def test_the_two_triangles_make_the_whole() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_array_equal(tril.rule(x)[0] + triu.rule(x, diagonal=1)[0], x)
    np.testing.assert_array_equal(tril.rule(x, diagonal=-1)[0] + triu.rule(x)[0], x)


def test_masked_fill_and_where_tell_the_same_story() -> None:
    x, dout = np.random.default_rng(0).normal(size=(2, 3, 4))
    filled, fill_backward = masked_fill.rule(x, mask(3, 4), value=0.0)
    chosen, where_backward = where.rule(mask(3, 4), np.zeros(()), x)
    np.testing.assert_array_equal(filled, chosen)
    np.testing.assert_array_equal(fill_backward(dout)[0], where_backward(dout)[2])


X = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: where(np.ones((2, 3)), X, X), "^where: condition is float64, expected bool"),
        (lambda: where(np.array([1, 0, 1]), X, X), "^where: condition is int64, expected bool"),
        (lambda: where(np.array([True] * 4), X, X), r"^where: .*\(4,\) bool, \(2, 3\) float64"),
        (lambda: masked_fill(X, np.ones(3), value=0.0), "^masked_fill: mask is float64, expected"),
        (
            lambda: masked_fill(X, np.array([True] * 4), value=0.0),
            r"^masked_fill: .*\(2, 3\) float64, \(4,\) bool",
        ),
        (lambda: X.masked_fill(X > 0, X[0]), r"^masked_fill: value has shape \(3,\), expected a n"),
        (
            lambda: X.masked_fill(Tensor([1, 0, 1]), X.sum()),
            "^masked_fill: mask is int64, expected",
        ),
        (lambda: tril(X.sum(dim=0)), r"^tril: x has shape \(3,\), expected two axes at least"),
        (lambda: triu(X.sum()), r"^triu: x has shape \(\), expected two axes at least"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", [None, "1", np.ones(3), 1j])
def test_only_a_number_or_a_tensor_fills(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^masked_fill: value is \w+, expected a number"):
        X.masked_fill(X > 0, value)


def test_what_integers_cannot_hold_is_refused() -> None:
    with pytest.raises(OverflowError, match=r"^masked_fill: cannot convert float infinity"):
        Tensor([1, 2]).masked_fill(Tensor([True, False]), float("inf"))
