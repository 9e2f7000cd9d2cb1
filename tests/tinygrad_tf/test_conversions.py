"""Another dtype, another place, a copy; and methods as functions."""

from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor

X = np.array([[-1.7, 0.0, 2.2], [0.5, 3.9, -0.2]])


@pytest.mark.parametrize("method", ["float", "double", "long", "int", "bool"])
@pytest.mark.parametrize("data", [X, X.astype("f4"), X.astype("i8"), X > 0], ids=lambda x: x.dtype)
def test_each_says_what_it_does(method: str, data: Any) -> None:
    ours, theirs = getattr(Tensor(data), method)(), getattr(torch.tensor(data), method)()
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    assert ours.tolist() == theirs.tolist()


def test_the_place_is_the_cpu() -> None:
    x = Tensor(X)
    assert x.device == tinygrad_tf.device("cpu") == "cpu"
    assert (x.device.type, str(x.device)) == ("cpu", "cpu")
    assert repr(x.device) == repr(torch.device("cpu"))
    assert x.cpu() is x.to("cpu") is x.to(x.device) is x.to(device="cpu") is x
    assert tinygrad_tf.zeros(2, device=x.device).device == x.device
    assert x.to("cpu", tinygrad_tf.float32).dtype == x.to(dtype="float32").dtype == np.float32


@pytest.mark.parametrize("place", ["cuda", "cuda:0", "mps", "meta"])
def test_another_place_is_refused_in_words(place: str) -> None:
    with pytest.raises(RuntimeError, match=f"^to: device is '{place}', but .* the CPU alone"):
        Tensor(X).to(place)
    with pytest.raises(RuntimeError, match=f"^to: device is '{place}'"):
        tinygrad_tf.nn.Linear(2, 3).to(place)
    with pytest.raises(RuntimeError, match=f"^to: device is '{place}'"):
        Tensor(X).to(device=place)
    with pytest.raises(RuntimeError, match=f"^device: device is '{place}'"):
        tinygrad_tf.device(place)


def test_a_clone_is_a_copy_that_gradients_pass() -> None:
    x = Tensor(X, requires_grad=True)
    y = x.clone()
    assert not np.shares_memory(x.data, y.data)
    dout = np.random.default_rng(0).normal(size=X.shape)
    (y * 2).backward(Tensor(dout))
    np.testing.assert_array_equal(x.grad.data, 2 * dout)
    assert type(tinygrad_tf.nn.Parameter(X).clone()) is Tensor


def test_contiguous() -> None:
    x = Tensor(X, requires_grad=True)
    assert x.contiguous() is x
    turned = x.transpose(0, 1)
    y = turned.contiguous()
    assert turned.is_contiguous() is False
    assert y.is_contiguous() is True
    assert y.tolist() == turned.tolist()
    dout = np.random.default_rng(0).normal(size=(3, 2))
    y.backward(Tensor(dout))
    np.testing.assert_array_equal(x.grad.data, dout.T)


FUNCTIONS: dict[str, Any] = {
    "pow": lambda e, x: e.pow(x, 2) + e.pow(2, x) + x.pow(3.0) + x.pow(x * 0 + 2),
    "softmax": lambda e, x: e.softmax(x, dim=-1) + x.softmax(0) + x.log_softmax(1),
    "transpose": lambda e, x: e.transpose(x, 0, 1) + e.permute(x, (1, 0)),
    "sums": lambda e, x: e.sum(x, dim=1) + e.mean(x, 1) + e.var(x, dim=1) + e.std(x, dim=1),
    "extremes": lambda e, x: e.max(x, dim=1)[0] + e.min(x, 1).values + e.amax(x, 1) + e.max(x),
    "shapes": lambda e, x: e.flatten(e.unsqueeze(x, 1)) + e.reshape(x, (-1,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_methods_as_functions(name: str) -> None:
    x, reference = Tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    ours, theirs = FUNCTIONS[name](tinygrad_tf, x), FUNCTIONS[name](torch, reference)
    dout = np.random.default_rng(0).normal(size=ours.shape)
    ours.backward(Tensor(dout))
    theirs.backward(torch.tensor(dout))
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(x.grad.data, reference.grad.numpy(), rtol=1e-12, atol=1e-13)


def test_a_power_needs_a_tensor() -> None:
    with pytest.raises(TypeError, match=r"^pow: expected a Tensor"):
        tinygrad_tf.pow(2, 3)


@pytest.mark.parametrize("spec", ["", ".2f", "8.3e"])
def test_one_number_is_written_as_a_number(spec: str) -> None:
    for value in (2.5, 3.0):
        ours, theirs = Tensor(value), torch.tensor(value)
        assert format(ours, spec) == format(theirs, spec)
        assert int(ours) == int(theirs)
    assert f"{Tensor([1.0])}" == "tensor([1.])"
    with pytest.raises(TypeError, match="format"):
        f"{Tensor([1.0]):.2f}"
    with pytest.raises(ValueError, match=r"^item: "):
        int(Tensor([1.0, 2.0]))
