from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops import extreme

Check = Callable[..., None]
TIES = np.array([[2.0, 7.0, 7.0], [2.0, 7.0, -1.0], [0.0, -np.inf, 3.0], [2.0, 2.0, 2.0]])


@pytest.mark.parametrize("dim", [(), 0, -1, (0, 2)])
def test_amin(dim: Any, check_op: Check) -> None:
    check_op(lambda x: x.amin(None if dim == () else dim), (3, 4, 5), theirs=lambda x: x.amin(dim))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", ["max", "min"])
def test_along_an_axis(name: str, dim: int, keepdim: bool, check_op: Check) -> None:
    check_op(lambda x: getattr(x, name)(dim, keepdim=keepdim).values, (3, 4, 5))
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    found, expected = (getattr(t, name)(dim, keepdim) for t in (Tensor(x), torch.tensor(x)))
    np.testing.assert_array_equal(found.indices.data, expected.indices.numpy())
    values, indices = found
    assert indices.dtype == np.int64
    assert values.shape == indices.shape


@pytest.mark.parametrize("name", ["max", "min"])
def test_over_everything_and_beside_another(name: str, check_op: Check) -> None:
    check_op(lambda x: getattr(x, name)(), (3, 4))
    check_op(lambda x: getattr(x, name)(), ())
    check_op(lambda x, y: getattr(x, name)(y), (3, 4), (4,))


@pytest.mark.parametrize("name", ["max", "min", "amax", "amin"])
def test_who_of_the_equal_ones_gets_the_gradient(name: str, check_values: Check) -> None:
    """Along an axis the one that is named, and otherwise all alike."""

    def along(x: Any) -> Any:
        found = getattr(x, name)(1)
        return found if name.startswith("a") else found[0]

    check_values(along, TIES)
    check_values(lambda x: getattr(x, name)(), TIES)


def test_the_gradients_sum_to_dout() -> None:
    x, dout = np.round(np.random.default_rng(0).normal(size=(2, 4, 5)))
    for op in (extreme.amin, extreme.max, extreme.min):
        _, backward = op.rule(x, dim=1)
        np.testing.assert_allclose(backward(dout[:, 0])[0].sum(axis=1), dout[:, 0])


@pytest.mark.parametrize("data", [[3, -4, 9], [True, False], [2.0, np.nan, 1.0]])
def test_integers_masks_and_nan(data: list[Any]) -> None:
    ours, theirs = Tensor(data), torch.tensor(data)
    for name in ("max", "min"):
        found, expected = getattr(ours, name)(0), getattr(theirs, name)(0)
        np.testing.assert_equal(found.values.item(), expected.values.item())
        assert found.indices.item() == expected.indices.item()


@pytest.mark.parametrize("dim", [None, 0, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_where_they_stand(name: str, dim: Any) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    found, expected = getattr(Tensor(x), name)(dim), getattr(torch.tensor(x), name)(dim)
    assert found.dtype == np.int64
    assert found.tolist() == expected.tolist()
    kept = getattr(Tensor(x), name)(1, keepdim=True)
    assert kept.shape == (3, 1)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
@pytest.mark.parametrize("dim", [2, -3, (0, 1), "x"])
def test_no_such_axis(name: str, dim: Any) -> None:
    with pytest.raises((ValueError, IndexError, TypeError), match=rf"^{name}: .*\(2, 3\) float64"):
        getattr(Tensor(np.ones((2, 3))), name)(dim)


@pytest.mark.parametrize("name", ["max", "min", "amin", "argmax"])
def test_nothing_has_no_extreme(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .*\(0, 3\) float64"):
        getattr(Tensor(np.zeros((0, 3))), name)(0)
