from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf.ops.gelu import gelu, gelu_tanh

FORMS = [pytest.param(gelu, "none", id="exact"), pytest.param(gelu_tanh, "tanh", id="tanh")]


@pytest.mark.parametrize(("ours", "approximate"), FORMS)
def test_values_and_gradients(ours: Any, approximate: str, check_op: Callable[..., None]) -> None:
    def theirs(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(x, approximate=approximate)

    check_op(ours, (3, 5, 7), theirs=theirs)
    check_op(ours, (), theirs=theirs, scales=[1.0])
    check_op(ours, (0, 3), theirs=theirs, may_be_zero=True)


@pytest.mark.parametrize(("ours", "approximate"), FORMS)
def test_extreme_values(ours: Any, approximate: str, check_values: Callable[..., None]) -> None:
    x = np.array([0.0, -0.0, 1e4, -1e4, 1e-30, np.nan, -0.7518])
    check_values(ours, x, theirs=lambda x: torch.nn.functional.gelu(x, approximate=approximate))


@pytest.mark.parametrize(("ours", "approximate"), FORMS)
def test_the_slopes_at_x_and_minus_x_sum_to_one(ours: Any, approximate: str) -> None:
    x = np.random.default_rng(0).normal(size=50) * 3
    slopes = [ours.rule(sign * x)[1](np.ones(50))[0] for sign in (1, -1)]
    np.testing.assert_allclose(slopes[0] + slopes[1], 1.0, rtol=1e-13)


def test_the_minimum_is_where_the_page_says() -> None:
    _, backward = gelu.rule(np.array([-0.7519, -0.7517]))
    before, after = backward(np.ones(2))[0]
    assert before < 0 < after


def test_the_two_forms_are_different_functions() -> None:
    x = np.linspace(-5, 5, 10_001)
    distance = np.abs(gelu.rule(x)[0] - gelu_tanh.rule(x)[0]).max()
    assert 4e-4 < distance < 4.8e-4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_the_cube_overflows_the_tanh_form_is_flat(dtype: Any) -> None:
    largest = 0.1 * np.finfo(dtype).max
    x = np.array([-largest, -21.0, -20.0, 20.0, 21.0, largest], dtype)
    out, backward = gelu_tanh.rule(x)
    np.testing.assert_array_equal(out, np.where(x > 0, x, 0.0))
    (dx,) = backward(np.full_like(x, largest))
    np.testing.assert_array_equal(dx, np.where(x > 0, x.dtype.type(largest), 0))
