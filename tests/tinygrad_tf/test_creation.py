"""Functions that make tensors, beside PyTorch's of the same names."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor

MADE: dict[str, Callable[[Any], Any]] = {
    "full of floats": lambda e: e.full((2, 3), 0.5),
    "full of integers": lambda e: e.full((2,), 7),
    "full of masks": lambda e: e.full((2,), True),
    "full, another dtype": lambda e: e.full((2, 1), 1, dtype=e.float64),
    "full, a gradient": lambda e: e.full((2,), 1.5, requires_grad=True),
    "eye": lambda e: e.eye(3),
    "eye, two sizes": lambda e: e.eye(2, 4, dtype=e.int64),
    "linspace": lambda e: e.linspace(-1, 1, 5),
    "linspace, float64": lambda e: e.linspace(0.0, 3.0, steps=4, dtype=e.float64),
    "zeros": lambda e: e.zeros(2, 3, dtype=e.long, device="cpu"),
    "ones": lambda e: e.ones((2, 3), requires_grad=True),
    "arange": lambda e: e.arange(2, 5, dtype=e.int32, device=e.device("cpu")),
    "arange of floats": lambda e: e.arange(0, 1, 0.25, requires_grad=True),
    "zeros_like": lambda e: e.zeros_like(e.full((2,), 3)),
    "ones_like": lambda e: e.ones_like(e.zeros(2, 3), dtype=e.bool),
    "full_like": lambda e: e.full_like(e.zeros(2, 3, dtype=e.double), 0.5, requires_grad=True),
}


@pytest.mark.parametrize("name", MADE)
def test_as_pytorch_makes_them(name: str) -> None:
    ours, theirs = MADE[name](tinygrad_tf), MADE[name](torch)
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    assert ours.tolist() == theirs.tolist()
    assert ours.shape == tuple(theirs.shape)
    assert ours.requires_grad == theirs.requires_grad


def test_dtypes_have_pytorchs_names() -> None:
    for name in ("float", "double", "long", "int", "bool", "uint8", "float32", "int64", "int32"):
        ours, theirs = getattr(tinygrad_tf, name), getattr(torch, name)
        assert f"torch.{tinygrad_tf.zeros(1, dtype=ours).dtype}" == str(theirs)


DRAWN: dict[str, Callable[..., Tensor]] = {
    "randn": lambda **options: tinygrad_tf.randn(50, 40, **options),
    "rand": lambda **options: tinygrad_tf.rand((50, 40), **options),
    "randint": lambda **options: tinygrad_tf.randint(3, 8, (50, 40), **options),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_comes_from_the_generator(name: str) -> None:
    once, again = (DRAWN[name](generator=np.random.default_rng(0)) for _ in range(2))
    assert once.shape == (50, 40)
    assert once.dtype == ("int64" if name == "randint" else "float32")
    np.testing.assert_array_equal(once.data, again.data)
    mean, spread = {"randn": (0, 1), "rand": (0.5, 12**-0.5), "randint": (5, 2**0.5)}[name]
    assert abs(once.data.mean() - mean) < 4 * spread / 2000**0.5
    assert abs(once.data.std() - spread) < 0.1 * spread


def test_the_limits_of_what_is_drawn() -> None:
    generator = np.random.default_rng(0)
    assert set(tinygrad_tf.randint(3, (200,), generator=generator).tolist()) == {0, 1, 2}
    drawn = tinygrad_tf.rand(1000, generator=generator, dtype=tinygrad_tf.float64)
    assert drawn.dtype == np.float64
    assert 0 <= drawn.min().item() < drawn.max().item() < 1
    assert tinygrad_tf.randn(2, generator=generator, requires_grad=True).requires_grad
    with pytest.raises(ValueError, match=r"^randint: low is 4 and high 4"):
        tinygrad_tf.randint(4, 4, (2,), generator=generator)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("generator", [None, 0, np.random])
def test_a_generator_is_asked_for_in_words(name: str, generator: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name}: generator is .* there is no global seed"):
        DRAWN[name](generator=generator)


@pytest.mark.parametrize("name", ["zeros", "ones", "empty", "eye", "arange", "randn"])
def test_another_device_is_refused_in_words(name: str) -> None:
    options: dict[str, Any] = {"generator": np.random.default_rng(0)} if name == "randn" else {}
    with pytest.raises(RuntimeError, match=rf"^{name}: device is 'cuda:1', but .* the CPU alone"):
        getattr(tinygrad_tf, name)(3, device="cuda:1", **options)


def test_what_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"^arange: step is 0"):
        tinygrad_tf.arange(0, 5, 0)
    with pytest.raises(TypeError, match=r"^full_like: expected a Tensor, got list"):
        tinygrad_tf.zeros_like([1.0])
    with pytest.raises(TypeError, match=r"^randint: expected \(high, size\)"):
        tinygrad_tf.randint(3, generator=np.random.default_rng(0))
