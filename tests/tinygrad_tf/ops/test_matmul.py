from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.matmul import matmul

SHAPES = [
    ((2, 3), (3, 4)),
    ((2, 5, 3), (2, 3, 4)),
    ((2, 5, 3), (3, 4)),
    ((5, 3), (2, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 1)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((5, 2, 3), (3,)),
]


@pytest.mark.parametrize(("x", "y"), SHAPES)
def test_values_and_gradients(x: Any, y: Any, check_op: Callable[..., None]) -> None:
    check_op(matmul, x, y, theirs=torch.matmul)


@pytest.mark.parametrize(("x", "y"), [((0, 3), (3, 4)), ((2, 0), (0, 4)), ((0, 2, 3), (3, 4))])
def test_axes_of_size_zero(x: Any, y: Any, check_op: Callable[..., None]) -> None:
    check_op(matmul, x, y, theirs=torch.matmul, may_be_zero=True)


@pytest.mark.parametrize(
    ("x", "y"), [((2, 3), (4, 5)), ((3,), (4,)), ((), (3,)), ((2, 3), ()), ((2, 3), (2, 4, 5))]
)
def test_inner_axes_that_differ_are_named(x: Any, y: Any) -> None:
    with pytest.raises(ValueError, match=r"^matmul: x .* @ y .*: the last axis of x") as error:
        matmul(Tensor(np.ones(x)), Tensor(np.ones(y)))
    assert f"x {x} @ y {y}" in str(error.value)


def test_leading_axes_that_do_not_broadcast_are_named() -> None:
    with pytest.raises(ValueError, match=r"^matmul: .*\(2, 5, 3\) float64, \(7, 3, 4\) float64"):
        matmul(Tensor(np.ones((2, 5, 3))), Tensor(np.ones((7, 3, 4))))


@pytest.mark.parametrize(("x", "y"), SHAPES)
def test_linear_in_each_factor(x: Any, y: Any) -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=x), generator.normal(size=y)
    out, backward = matmul.rule(a, b)
    dout = generator.normal(size=out.shape)
    da, db = backward(dout)
    np.testing.assert_allclose(np.sum(da * a), np.sum(dout * out))
    np.testing.assert_allclose(np.sum(db * b), np.sum(dout * out))
