from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.layer_norm import layer_norm

Check = Callable[..., None]


def theirs(x: torch.Tensor, *affine: torch.Tensor | None, eps: float) -> torch.Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], *affine, eps=eps)


@pytest.mark.parametrize("eps", [1e-5, 1e-6, 0.3])
@pytest.mark.parametrize("shape", [(7,), (4, 7), (2, 4, 7)])
def test_values_and_gradients(shape: tuple[int, ...], eps: float, check_op: Check) -> None:
    ours = partial(layer_norm, eps=eps)
    check_op(ours, shape, (7,), (7,), theirs=partial(theirs, eps=eps))


@pytest.mark.parametrize("affine", [(None, None), ((7,), None), (None, (7,)), ((7,),), ()])
def test_weight_and_bias_are_optional(affine: Any, check_op: Check) -> None:
    ours = partial(layer_norm, eps=1e-5)
    check_op(ours, (2, 4, 7), *affine, theirs=partial(theirs, eps=1e-5))


def test_far_from_zero_and_constant_rows(check_values: Check) -> None:
    drawn = np.random.default_rng(0).normal(size=(3, 8))
    shifted = np.round(drawn * 64) / 64 + 1024.0  # exact in both precisions
    sides = {"theirs": partial(theirs, eps=1e-5)}
    ours = partial(layer_norm, eps=1e-5)
    check_values(ours, np.full((2, 8), 3.0), np.arange(8.0), np.ones(8), **sides)
    check_values(ours, shifted, np.arange(8.0), np.ones(8), **sides, dtypes=["f8"])


def test_no_tokens(check_op: Check) -> None:
    ours = partial(layer_norm, eps=1e-5)
    check_op(ours, (0, 7), (7,), (7,), theirs=partial(theirs, eps=1e-5), may_be_zero=True)


def test_the_variance_is_the_biased_one() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5))
    out, _ = layer_norm.rule(x, eps=0.0)
    np.testing.assert_allclose((out**2).mean(axis=-1), 1.0)


@pytest.mark.parametrize("scale", [1.0, 0.02, 30.0])
def test_dx_is_orthogonal_to_ones_and_nearly_to_x_hat(scale: float) -> None:
    generator = np.random.default_rng(0)
    x, weight = scale * generator.normal(size=(4, 6)), generator.normal(size=6)
    dout = generator.normal(size=(4, 6))
    x_hat, _ = layer_norm.rule(x, eps=1e-5)
    _, backward = layer_norm.rule(x, weight, eps=1e-5)
    dx = backward(dout)[0]
    inv_std = 1.0 / np.sqrt(x.var(axis=-1) + 1e-5)
    np.testing.assert_allclose(dx.sum(axis=-1) / inv_std, 0, atol=1e-14)
    left = 1e-5 / (x.var(axis=-1) + 1e-5)  # how far x_hat is from unit variance
    along = (dout * weight * x_hat).sum(axis=-1)
    np.testing.assert_allclose((dx * x_hat).sum(axis=-1), inv_std * left * along, rtol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(2, 8, 64), (65,), (64,)],
            r"weight has shape \(65,\), expected \(64,\), the last axis of x \(2, 8, 64\)",
        ),
        ([(4, 7), (7,), (4,)], r"bias has shape \(4,\), expected \(7,\), the last axis of x \(4,"),
        ([(4, 7), (4, 7)], r"weight has shape \(4, 7\), expected \(7,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(shapes: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^layer_norm: {message}"):
        layer_norm(*(Tensor(np.ones(shape)) for shape in shapes), eps=1e-5)


def test_no_axis_to_normalise() -> None:
    with pytest.raises(IndexError, match=r"^layer_norm: .*\(inputs: \(\) float64"):
        layer_norm(Tensor(np.ones(())), eps=1e-5)
