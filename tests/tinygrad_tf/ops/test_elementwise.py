from collections.abc import Callable

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops import elementwise

Check = Callable[..., None]
SHAPE = (3, 5, 7)


def positive(x: np.ndarray) -> np.ndarray:
    return np.abs(x) + 0.1


def bounded(x: np.ndarray) -> np.ndarray:
    """Within what exp can take in float32, also thirtyfold."""
    return np.clip(x, -2.5, 2.5)


OPS = {
    "exp": (torch.exp, bounded),
    "log": (torch.log, positive),
    "sqrt": (torch.sqrt, positive),
    "sin": (torch.sin, None),
    "cos": (torch.cos, None),
    "tanh": (torch.tanh, None),
    "sigmoid": (torch.sigmoid, None),
    "erf": (torch.erf, None),
    "abs": (torch.abs, None),
}


@pytest.mark.parametrize("shape", [SHAPE, (), (1,)])
@pytest.mark.parametrize("name", OPS)
def test_values_and_gradients(name: str, shape: tuple[int, ...], check_op: Check) -> None:
    theirs, domain = OPS[name]
    scales = (1.0, 1e-3, 30.0) if shape == SHAPE else (1.0,)
    check_op(vars(elementwise)[name], shape, theirs=theirs, domain=domain, scales=scales)


@pytest.mark.parametrize("name", OPS)
def test_extreme_values(name: str, check_values: Check) -> None:
    x = np.array([0.0, -0.0, 1e4, -1e4, 1e-30, np.inf, -np.inf, np.nan, 1.0])
    if name == "abs":
        x = x[x == x]  # the sign of NaN is a matter of taste
    check_values(vars(elementwise)[name], x, theirs=OPS[name][0])


@pytest.mark.parametrize("name", OPS)
def test_nothing_in_nothing_out(name: str, check_op: Check) -> None:
    check_op(vars(elementwise)[name], (0, 3), theirs=OPS[name][0], may_be_zero=True)


@pytest.mark.parametrize("name", ["sin", "tanh", "erf"])
def test_odd_functions_have_even_slopes(name: str) -> None:
    x = np.random.default_rng(0).normal(size=9)
    (_, forth), (_, back) = (vars(elementwise)[name].rule(sign * x) for sign in (1, -1))
    even = back(np.ones(9))[0]
    if name == "sin":
        np.testing.assert_allclose(even, np.cos(x))
    np.testing.assert_allclose(forth(np.ones(9))[0], even)


@pytest.mark.parametrize(("source", "target"), [("f4", "f8"), ("f8", "f4")])
def test_cast_goes_there_and_its_gradient_comes_back(source: str, target: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(source)
    dout = np.random.default_rng(1).normal(size=(2, 3)).astype(target)
    ours = Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    out = elementwise.cast(ours, dtype=np.dtype(target))
    expected = theirs.to(torch.tensor(dout).dtype)
    out.backward(Tensor(dout))
    expected.backward(torch.tensor(dout))
    assert out.dtype == target
    assert ours.grad is not None
    assert ours.grad.dtype == source
    np.testing.assert_array_equal(out.data, expected.detach().numpy())
    np.testing.assert_array_equal(ours.grad.data, theirs.grad.numpy())
