"""Sums in float32 over many numbers: how far they are off beside PyTorch's, against float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.nn import functional as F

Array = npt.NDArray[Any]
ROWS = 100_000
TIMES_PYTORCH = 8.0  # how much larger our error may be
ALWAYS = 2e-7  # and what it may be in any case: three roundings


def errors(function: Callable[..., Any], kind: str, *arrays: Array) -> list[float]:
    """Return how far out and each gradient are off, by the largest entry of the right one."""
    found = []
    for library, dtype in ((kind, "f4"), ("torch", "f8")):
        given = [a.astype(dtype) for a in arrays]
        leaves: list[Any] = [
            torch.tensor(a, requires_grad=True)
            if library == "torch"
            else Tensor(a, requires_grad=True)
            for a in given
        ]
        functional = torch.nn.functional if library == "torch" else F
        out = function(functional, *leaves)
        dout = np.full(tuple(out.shape), 0.1, "f4").astype(dtype)
        out.backward(torch.tensor(dout) if library == "torch" else Tensor(dout))
        entries = [out, *(leaf.grad for leaf in leaves)]
        found.append(
            [np.asarray(x.detach() if x.requires_grad else x, np.float64) for x in entries]
        )
    return [float(abs(a - b).max() / abs(b).max()) for a, b in zip(*found, strict=True)]


def drawn(*shape: int, around: float = 0.0) -> Array:
    return np.random.default_rng(0).normal(around, size=shape).astype("f4")


SUMS = {
    "linear": (lambda f, x, w, b: f.linear(x, w, b), drawn(ROWS, 16), drawn(8, 16), drawn(8)),
    "layer_norm": (
        lambda f, x, w, b: f.layer_norm(x, (16,), w, b),
        drawn(ROWS, 16),
        drawn(16),
        drawn(16),
    ),
    "add": (lambda f, x, b: x + b, drawn(ROWS, 16), drawn(16)),
    "sum of rows": (lambda f, x: x.sum(0), drawn(ROWS, 4, around=1.0)),
    "mean of rows": (lambda f, x: x.mean(0), drawn(ROWS, 4, around=1000.0)),
    "var of rows": (lambda f, x: x.var(0), drawn(ROWS, 4, around=1000.0)),
    "var of columns": (lambda f, x: x.var(1), drawn(4, ROWS, around=1000.0)),
}


@pytest.mark.parametrize("name", SUMS)
def test_many_terms_are_added_as_well_as_by_pytorch(name: str) -> None:
    function, *arrays = SUMS[name]
    ours, theirs = (errors(function, kind, *arrays) for kind in ("ours", "torch"))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine <= max(TIMES_PYTORCH * other, ALWAYS)


@pytest.mark.parametrize("channels", [1, 2, 5, 64, 768, 1000, 5000])
@pytest.mark.parametrize("value", [3.0, 1000.1, -1e6, 1e-3])
def test_layer_norm_of_equal_channels(value: float, channels: int) -> None:
    """x_hat is 0, so out is the bias, and dx_hat only loses its mean, over the root of eps."""
    weight, bias = drawn(2, channels)
    x = Tensor(np.full((3, channels), value, "f4"), requires_grad=True)
    out = F.layer_norm(x, (channels,), Tensor(weight), Tensor(bias), eps=1e-5)
    np.testing.assert_array_equal(out.data, np.tile(bias, (3, 1)))
    dout = np.random.default_rng(1).normal(size=(3, channels))
    out.backward(Tensor(dout.astype("f4")))
    dx_hat = dout.astype("f4").astype("f8") * weight
    right = (dx_hat - dx_hat.mean(axis=-1, keepdims=True)) / np.sqrt(1e-5)
    assert x.grad is not None
    np.testing.assert_allclose(
        x.grad.data, right, rtol=0, atol=1e-6 * abs(dx_hat).max() / 1e-5**0.5
    )


@pytest.mark.parametrize("around", [0.0, 3.0, 10.0, 1000.1])
def test_layer_norm_far_from_zero_is_as_exact_as_pytorch(around: float) -> None:
    for spread in (1.0, 1e-3):
        x = (around + spread * drawn(16, 1000)).astype("f4")
        normed = lambda f, x: f.layer_norm(x, (1000,))  # noqa: E731
        ours, theirs = (errors(normed, kind, x)[0] for kind in ("ours", "torch"))
        assert ours <= max(4.0 * theirs, ALWAYS)
