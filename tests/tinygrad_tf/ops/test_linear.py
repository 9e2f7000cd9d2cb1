from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.linear import linear

Check = Callable[..., None]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("leading", [(), (4,), (2, 4), (1, 2, 4)])
def test_values_and_gradients(leading: tuple[int, ...], bias: bool, check_op: Check) -> None:
    check_op(
        linear, (*leading, 3), (5, 3), (5,) if bias else None, theirs=torch.nn.functional.linear
    )


def test_the_bias_may_be_left_out(check_op: Check) -> None:
    check_op(linear, (2, 4, 3), (5, 3), theirs=torch.nn.functional.linear)


@pytest.mark.parametrize(
    ("x", "weight"), [((0, 3), (5, 3)), ((2, 0, 3), (5, 3)), ((4, 3), (0, 3)), ((4, 0), (5, 0))]
)
def test_axes_of_size_zero(x: Any, weight: Any, check_op: Check) -> None:
    theirs = torch.nn.functional.linear
    check_op(linear, x, weight, (weight[0],), theirs=theirs, may_be_zero=True)


def test_with_ones_as_input_each_column_of_dweight_is_dbias() -> None:
    dout = np.random.default_rng(0).normal(size=(2, 4, 5))
    _, backward = linear.rule(np.ones((2, 4, 3)), np.ones((5, 3)), np.ones(5))
    _, dweight, dbias = backward(dout)
    np.testing.assert_allclose(dweight, np.stack([dbias] * 3, axis=1))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(2, 4, 7), (5, 3)],
            r"weight has shape \(5, 3\) \(out, in\), but the last axis of x \(2, 4, 7\) is not 3$",
        ),
        ([(2, 5), (5, 3)], r"x \(2, 5\) is not 3; is the weight transposed\?"),
        ([(), (5, 3)], r"the last axis of x \(\) is not 3$"),
        ([(2, 3), (3,)], r"weight has shape \(3,\), expected \(out, in\)"),
        ([(2, 3), (5, 3), (3,)], r"bias has shape \(3,\), expected \(5,\), the first axis of we"),
        ([(2, 3), (5, 3), (5, 1)], r"bias has shape \(5, 1\), expected \(5,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^linear: .*{message}"):
        linear(*(Tensor(np.ones(shape)) for shape in shapes))


def test_a_bias_by_keyword_would_get_no_gradient() -> None:
    x, weight, bias = (Tensor(np.ones(shape)) for shape in ((2, 3), (5, 3), (5,)))
    with pytest.raises(TypeError, match=r"^linear: bias is a Tensor given by keyword"):
        linear(x, weight, bias=bias)
