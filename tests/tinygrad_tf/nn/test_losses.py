"""The losses as modules, and the mean of squared differences."""

from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, nn

TARGETS = np.array([0, 3, -1, 1, 2])


@pytest.mark.parametrize(
    "options",
    [{}, {"ignore_index": -1}, {"reduction": "sum"}, {"reduction": "none", "label_smoothing": 0.2}],
)
def test_cross_entropy_loss(options: dict[str, Any]) -> None:
    options = {"ignore_index": -1, **options}
    agree("CrossEntropyLoss", options, np.random.default_rng(0).normal(size=(5, 4)), TARGETS)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss(reduction: str) -> None:
    x, target = np.random.default_rng(0).normal(size=(2, 5, 4))
    agree("MSELoss", {"reduction": reduction}, x, target)


@pytest.mark.parametrize("name", ["Tanh", "Sigmoid"])
def test_functions_as_modules(name: str) -> None:
    agree(name, {}, np.random.default_rng(0).normal(size=(5, 4)))


def agree(name: str, options: dict[str, Any], x: np.ndarray, *more: np.ndarray) -> None:
    given, reference = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ours = getattr(nn, name)(**options)(given, *map(Tensor, more))
    theirs = getattr(torch.nn, name)(**options)(reference, *map(torch.tensor, more))
    dout = np.random.default_rng(1).normal(size=ours.shape)
    ours.backward(Tensor(dout))
    theirs.backward(torch.tensor(dout))
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(given.grad.data, reference.grad.numpy(), rtol=1e-12)


def test_squared_differences_of_unlike_shapes_are_refused() -> None:
    x = Tensor(np.ones((5, 4)))
    with pytest.raises(ValueError, match=r"^mse_loss: input \(5, 4\) and target \(5, 1\) differ"):
        nn.functional.mse_loss(x, Tensor(np.ones((5, 1))))
    with pytest.raises(ValueError, match=r"^mse_loss: reduction is 'max'"):
        nn.functional.mse_loss(x, x, reduction="max")
