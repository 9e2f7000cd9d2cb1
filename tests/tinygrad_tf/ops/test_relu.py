from collections.abc import Callable

import numpy as np

import torch
from tinygrad_tf.ops.relu import relu


def test_values_and_gradients(check_op: Callable[..., None]) -> None:
    check_op(relu, (2, 3, 5), theirs=torch.relu)
    check_op(relu, (0, 3), theirs=torch.relu, may_be_zero=True)


def test_the_kink_and_extremes(check_values: Callable[..., None]) -> None:
    x = np.array([0.0, -0.0, 1e4, -1e4, np.inf, -np.inf, 1e-30, -1e-30])
    check_values(relu, x, theirs=torch.relu)


def test_nan_stays_nan() -> None:
    out, _ = relu.rule(np.array([np.nan, -1.0]))
    assert np.isnan(out[0])
    assert out[1] == 0


def test_where_the_gradient_is_cut_the_output_is_zero() -> None:
    x, dout = np.random.default_rng(0).normal(size=(2, 40))
    out, backward = relu.rule(x)
    (dx,) = backward(dout)
    np.testing.assert_array_equal(out * dx, out * dout)
    assert (dx[x < 0] == 0).all()
    assert (x < 0).any()
