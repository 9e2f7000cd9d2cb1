from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.fast_forms import fast_form

from tinygrad_tf.ops.layer_norm import layer_norm

Check = Callable[..., None]


@pytest.mark.parametrize("affine", [(), (None, None), ((64,),), (None, (64,)), ((64,), (64,))])
@pytest.mark.parametrize("leading", [(), (3,), (2, 5), (4, 300)])
def test_the_fast_form_is_the_page(leading: Any, affine: Any, check_kernel: Check) -> None:
    check_kernel(layer_norm, (*leading, 64), *affine, eps=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 30.0, 1e4])
def test_at_every_scale(scale: float, check_kernel: Check) -> None:
    check_kernel(layer_norm, (4, 300, 64), (64,), (64,), scale=scale, eps=1e-5)


@pytest.mark.parametrize("eps", [1e-3, 0.5])
def test_the_eps_is_the_callers(eps: float, check_kernel: Check) -> None:
    check_kernel(layer_norm, (4, 7), (7,), (7,), scale=0.1, eps=eps)


def test_around_two_and_constant_rows(check_kernel: Check) -> None:
    x = np.random.default_rng(0).normal(size=(5, 64)) + 2.0
    x[2] = 0.0
    check_kernel(layer_norm, x, (64,), (64,), eps=1e-5)


@pytest.mark.parametrize("shapes", [[(0, 7)], [(6, 5)], [(4, 7), (6,)], [(4, 7), (7,), (4,)], [()]])
def test_what_it_leaves_to_the_page(shapes: list[Any]) -> None:
    arrays = [np.ones(shape, dtype="f4") for shape in shapes]
    if shapes == [()]:
        arrays = [np.ones(0, dtype="f4")]
    assert fast_form(layer_norm)(*arrays, eps=1e-5) is NotImplemented  # type: ignore[misc]


def test_a_mean_whose_square_overflows_is_left_to_the_page_without_a_warning() -> None:
    x = np.full((2, 8), 1e20, np.float32)
    assert fast_form(layer_norm)(x, eps=1e-5) is NotImplemented
    np.testing.assert_array_equal(layer_norm.rule(x, eps=1e-5)[0], np.zeros_like(x))
