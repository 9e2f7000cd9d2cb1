from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.dropout import dropout

Check = Callable[..., None]


def keep(shape: tuple[int, ...], p: float, seed: int) -> np.ndarray:
    """The same draws as the rule's: an entry is kept where the uniform number is p or more."""
    return (np.random.default_rng(seed).random(shape) >= p) / (1 - p)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, np.float64(0.3)])
def test_values_and_gradients(p: float, check_op: Check) -> None:
    kept = torch.tensor(keep((3, 4, 5), p, seed=2))
    check_op(
        lambda x: dropout(x, p=p, generator=np.random.default_rng(2)),
        (3, 4, 5),
        theirs=lambda x: x * kept.to(x.dtype),
    )


def test_everything_dropped(check_values: Check) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4))
    check_values(
        lambda x: dropout(x, p=1.0), x, theirs=lambda x: torch.nn.functional.dropout(x, p=1.0)
    )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_share_that_is_dropped_and_the_expectation(p: float) -> None:
    x = Tensor(np.ones((500, 400)))
    out = dropout(x, p=p, generator=np.random.default_rng(0)).data
    assert abs((out == 0).mean() - p) < 5e-3
    assert abs(out.mean() - 1) < 5e-3 / (1 - p)
    np.testing.assert_allclose(out[out != 0], 1 / (1 - p))


def test_the_gradient_is_scaled_as_the_value_was() -> None:
    x, dout = np.random.default_rng(0).normal(size=(2, 50))
    out, backward = dropout.rule(x, p=0.4, generator=np.random.default_rng(0))
    np.testing.assert_allclose(backward(dout)[0] / dout, out / x)
    np.testing.assert_array_equal(backward(dout)[0], backward(dout)[0])  # no new draw


def test_the_randomness_is_the_generators_alone() -> None:
    x = Tensor(np.ones(100))
    np.random.seed(0)
    first, again = (dropout(x, p=0.5, generator=np.random.default_rng(5)).data for _ in range(2))
    np.testing.assert_array_equal(first, again)
    generator = np.random.default_rng(5)
    first, second = (dropout(x, p=0.5, generator=generator).data for _ in range(2))
    assert (first != second).any()
    assert (dropout(x, p=0.5).data != dropout(x, p=0.5).data).any()  # a fresh one each time


def test_a_number(check_op: Check) -> None:
    check_op(
        lambda x: dropout(x, p=0.5, generator=np.random.default_rng(0)),
        (),
        theirs=lambda x: x * float(keep((), 0.5, seed=0)),
    )


@pytest.mark.parametrize("p", [-0.1, 1.5, np.nan])
def test_no_probability(p: Any) -> None:
    with pytest.raises(ValueError, match=f"^dropout: p is {p}, expected a probability between"):
        dropout(Tensor(np.ones(3)), p=p)
