from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops import reductions

Check = Callable[..., None]
NAMES = ["sum", "mean", "var", "std", "amax"]


def both(name: str, **options: Any) -> tuple[Any, Any]:
    """The same reduction on both sides: on our rule, and as PyTorch's method."""
    theirs = dict(options)
    if name == "amax" and theirs["dim"] is None:
        theirs["dim"] = ()  # PyTorch's word for all axes here
    ours = partial(vars(reductions)[name], **options)
    return ours, lambda x: getattr(x, name)(**theirs)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1, (0, 2), (-1, 1), (0, 1, 2), (2,)])
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients(name: str, dim: Any, keepdim: bool, check_op: Check) -> None:
    ours, theirs = both(name, dim=dim, keepdim=keepdim)
    check_op(ours, (3, 4, 5), theirs=theirs)


@pytest.mark.parametrize("correction", [0, 1, 2, 3])
def test_corrections_of_the_variance(correction: int, check_op: Check) -> None:
    ours, theirs = both("var", dim=1, correction=correction)
    check_op(ours, (3, 4), theirs=theirs)


@pytest.mark.parametrize("dim", [None, 0, -1])
@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_with_one_axis(name: str, dim: Any, check_op: Check) -> None:
    ours, theirs = both(name, dim=dim)
    check_op(ours, (5,), theirs=theirs)


@pytest.mark.parametrize("dim", [None, 0, -1])
@pytest.mark.parametrize("name", ["sum", "mean", "amax"])
def test_a_tensor_without_axes(name: str, dim: Any, check_op: Check) -> None:
    ours, theirs = both(name, dim=dim)
    check_op(ours, (), theirs=theirs)


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_axes_of_size_zero(name: str, dim: Any, check_values: Check) -> None:
    ours, theirs = both(name, dim=dim)
    check_values(ours, np.zeros((0, 3)), theirs=theirs)


@pytest.mark.parametrize("data", [[True, False, True], [3, -4, 9]])
def test_sums_of_masks_and_integers_count(data: list[Any]) -> None:
    found = Tensor(data).sum()
    assert found.item() == torch.tensor(data).sum().item()
    assert found.dtype == np.int64


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [(), [], [0], [0, -1]])
@pytest.mark.parametrize("name", NAMES)
def test_dims_in_a_list_and_none_at_all(
    name: str, dim: Any, keepdim: bool, check_op: Check
) -> None:
    # PyTorch's own gradient of var(dim=()) and std divides by the wrong number, and is infinite.
    theirs = dim or None if name in ("var", "std") else dim
    check_op(
        lambda x: getattr(x, name)(dim=dim, keepdim=keepdim),
        (3, 4),
        theirs=lambda x: getattr(x, name)(dim=theirs, keepdim=keepdim),
    )


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [(), [0], [0, -1]])
@pytest.mark.parametrize("name", ["all", "any"])
def test_dims_of_all_and_any(name: str, dim: Any, keepdim: bool) -> None:
    x = np.array([[True, False, True], [True, False, False]])
    found = getattr(Tensor(x), name)(dim=dim, keepdim=keepdim)
    assert found.tolist() == getattr(torch.tensor(x), name)(dim=dim, keepdim=keepdim).tolist()


def test_the_mean_of_nothing_is_nan_without_a_warning() -> None:
    assert np.isnan(Tensor(np.zeros((0, 3))).mean().item())


def test_the_largest_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^amax: zero-size .*\(0, 3\) float64"):
        reductions.amax(Tensor(np.zeros((0, 3))), dim=0)


@pytest.mark.parametrize("dim", [None, 0, 1, (0, 1)])
def test_equal_maxima_share(dim: Any, check_values: Check) -> None:
    x = np.array([[2.0, 7.0, 7.0], [2.0, 7.0, -1.0], [0.0, -np.inf, 3.0], [2.0, 2.0, 2.0]])
    ours, theirs = both("amax", dim=dim)
    check_values(ours, x, theirs=theirs)


def test_the_gradient_of_the_variance_sums_to_zero() -> None:
    x, dout = np.random.default_rng(0).normal(size=(2, 7))
    _, backward = reductions.var.rule(x)
    assert abs(backward(dout[0])[0].sum()) < 1e-15


def test_the_gradients_of_sum_and_amax_sum_to_dout() -> None:
    x = np.random.default_rng(0).normal(size=(4, 5))
    for op in (reductions.sum, reductions.amax):
        out, backward = op.rule(x, dim=1)
        dout = np.random.default_rng(1).normal(size=out.shape)
        total = backward(dout)[0].sum(axis=1)
        np.testing.assert_allclose(total, 5 * dout if op is reductions.sum else dout)


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")
@pytest.mark.parametrize(
    ("shape", "correction"), [((3, 1), 1), ((3, 0), 1), ((3, 2), 2), ((3, 2), 3)]
)
def test_a_variance_without_degrees_of_freedom(shape: Any, correction: int) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found, expected = (side.var(dim=1, correction=correction) for side in (ours, theirs))
    found.backward(Tensor(np.array([1.0, -2.0, 3.0])))
    expected.backward(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    np.testing.assert_array_equal(found.data, expected.detach())
    np.testing.assert_allclose(ours.grad.data, theirs.grad, rtol=1e-12)


@pytest.mark.parametrize("dim", [2, -3, (0, 5)])
@pytest.mark.parametrize("name", NAMES)
def test_an_axis_that_is_not_there(name: str, dim: Any) -> None:
    with pytest.raises((ValueError, IndexError), match=rf"^{name}: .*\(inputs: \(2, 3\) float64"):
        vars(reductions)[name](Tensor(np.ones((2, 3))), dim=dim)


def test_a_long_sum_in_float32_is_as_accurate_as_pytorch() -> None:
    x = np.random.default_rng(0).random(1_000_003, dtype=np.float32)
    exact = x.astype("f8").sum()
    found = Tensor(x).sum()
    assert found.dtype == np.float32
    assert abs(found.item() / exact - 1) < 1e-6


def test_equal_entries_have_a_deviation_of_zero_and_no_gradient(check_values: Check) -> None:
    x = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    ours, theirs = both("std", dim=1)
    check_values(ours, x, theirs=theirs)
