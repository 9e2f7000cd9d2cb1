from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops import arithmetic

Check = Callable[..., None]

BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow_tensor": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
SHAPES = [
    ((3, 4), (3, 4)),
    ((2, 3, 4), (4,)),
    ((3, 1), (2, 3, 4)),
    ((2, 1, 4), (1, 3, 1)),
    ((1,), (2, 3)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
]


def away_from_zero(x: np.ndarray) -> np.ndarray:
    """Divisors, and bases of powers."""
    return np.abs(x) + 0.3


@pytest.mark.parametrize(("x", "y"), SHAPES)
@pytest.mark.parametrize("name", BINARY)
def test_binary_ops_on_shapes_that_broadcast(name: str, x: Any, y: Any, check_op: Check) -> None:
    domain = away_from_zero if name in ("div", "pow_tensor") else None
    one_side_may_win = name in ("maximum", "minimum")
    check_op(
        vars(arithmetic)[name],
        x,
        y,
        theirs=BINARY[name],
        domain=domain,
        may_be_zero=one_side_may_win,
    )


@pytest.mark.parametrize(("x", "y"), [((0, 3), (3,)), ((2, 0), (2, 1)), ((1, 0, 3), (2, 1, 1))])
@pytest.mark.parametrize("name", BINARY)
def test_binary_ops_on_axes_of_size_zero(name: str, x: Any, y: Any, check_op: Check) -> None:
    check_op(vars(arithmetic)[name], x, y, theirs=BINARY[name], may_be_zero=True)


@pytest.mark.parametrize("name", BINARY)
def test_shapes_that_do_not_broadcast_are_named(name: str) -> None:
    x, y = Tensor(np.ones((2, 3))), Tensor(np.ones((2, 4)))
    with pytest.raises(ValueError, match=rf"^{name}: .*\(2, 3\) float64, \(2, 4\) float64"):
        vars(arithmetic)[name](x, y)


def test_neg(check_op: Check) -> None:
    check_op(arithmetic.neg, (2, 3, 4), theirs=torch.neg)


@pytest.mark.parametrize("exponent", [2, 3, 1, -1, -2.5, 0.5, np.float64(1.5)])
def test_pow_of_a_constant(exponent: float, check_op: Check) -> None:
    check_op(
        lambda x: arithmetic.pow(x, exponent=exponent),
        (3, 4),
        theirs=lambda x: torch.pow(x, float(exponent)),
        domain=away_from_zero,
    )


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, -1])
def test_pow_at_zero_and_below(exponent: float, check_values: Check) -> None:
    x = np.array([0.0, 1.5 if exponent == 0.5 else -1.5, 2.0])
    check_values(
        lambda x: arithmetic.pow(x, exponent=exponent),
        x,
        theirs=lambda x: torch.pow(x, exponent),
    )


def test_pow_tensor_at_zero_and_below(check_values: Check) -> None:
    x = np.array([0.0, 0.0, 0.0, 0.0, -2.0, 3.0])
    y = np.array([0.0, 0.5, 1.0, 2.0, 2.0, 0.0])
    check_values(arithmetic.pow_tensor, x, y, theirs=torch.pow)


def test_a_negative_base_with_a_constant_exponent_is_quiet() -> None:
    x = Tensor(np.array([-2.0, 3.0]), requires_grad=True)
    (x ** np.array([3.0, 2.0])).backward(Tensor(np.array([1.0, 10.0])))
    assert x.grad is not None
    assert x.grad.tolist() == [12.0, 60.0]


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_share_the_gradient(name: str, check_values: Check) -> None:
    x = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, np.inf]])
    y = np.array([[1.0, 2.5, 3.0], [-0.0, -1.0, np.inf]])
    check_values(vars(arithmetic)[name], x, y, theirs=BINARY[name])
    check_values(vars(arithmetic)[name], x, np.array(-1.0), theirs=BINARY[name])


def test_nan_is_neither_the_larger_nor_the_smaller() -> None:
    x, y = Tensor(np.array([np.nan, 1.0])), Tensor(np.array([1.0, np.nan]))
    assert np.isnan(arithmetic.maximum(x, y).data).all()
    assert np.isnan(arithmetic.minimum(x, y).data).all()


def test_division_by_zero(check_values: Check) -> None:
    x = np.array([1.0, -1.0, 0.0, 2.0])
    check_values(arithmetic.div, x, np.array([0.0, 0.0, 0.0, np.inf]), theirs=torch.div)


def test_a_product_passes_each_factor_the_other_one() -> None:
    generator = np.random.default_rng(0)
    x, y, dout = generator.normal(size=(3, 2, 5))
    _, backward = arithmetic.mul.rule(x, y)
    dx, dy = backward(dout)
    np.testing.assert_allclose(dx * x, dy * y)


def test_the_residual_passes_the_gradient_undiminished() -> None:
    x, y, dout = np.random.default_rng(0).normal(size=(3, 2, 5))
    _, backward = arithmetic.add.rule(x, y)
    for dinput in backward(dout):
        np.testing.assert_array_equal(dinput, dout)
