"""Arguments of a wrong kind: what PyTorch refuses is refused here too, with the function's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch

ENGINES = (tinygrad_tf, torch)
FLOATS = np.arange(24.0, dtype="f4").reshape(2, 3, 4)


class Kit:
    """What a case is written with: one engine's modules and tensors."""

    def __init__(self, engine: Any) -> None:
        self.t, self.nn, self.optim, self.F = engine, engine.nn, engine.optim, engine.nn.functional
        self.x = engine.tensor(FLOATS)
        self.rows = engine.ones(2, 3)
        self.i = engine.tensor(np.arange(6).reshape(2, 3))
        self.mask = self.i > 2
        self.p = engine.ones(2, requires_grad=True)


REFUSED: dict[str, tuple[str, Callable[[Kit], Any]]] = {
    "keepdim is 1": ("sum", lambda k: k.x.sum(1, keepdim=1)),
    "keepdim of the mean": ("mean", lambda k: k.x.mean(1, "yes")),
    "keepdim of max": ("max", lambda k: k.x.max(1, 1)),
    "keepdim of all": ("all", lambda k: k.x.all(1, keepdim=1)),
    "keepdim of argmax": ("argmax", lambda k: k.x.argmax(1, keepdim="a")),
    "a fractional diagonal": ("triu", lambda k: k.x.triu(1.5)),
    "a diagonal that is a bool": ("tril", lambda k: k.t.tril(k.x, diagonal=True)),
    "a whole float": ("tril", lambda k: k.x.tril(1.0)),
    "an axis that is a bool": ("transpose", lambda k: k.x.transpose(0, True)),
    "unsqueeze": ("unsqueeze", lambda k: k.x.unsqueeze(True)),
    "squeeze": ("squeeze", lambda k: k.x.squeeze(0.0)),
    "flatten": ("flatten", lambda k: k.x.flatten(True)),
    "size": ("size", lambda k: k.x.size(True)),
    "unbind": ("unbind", lambda k: k.x.unbind(True)),
    "split of a bool": ("split", lambda k: k.x.split(True)),
    "split along a bool": ("split", lambda k: k.x.split(2, dim=True)),
    "chunk": ("chunk", lambda k: k.x.chunk(2.0)),
    "the mean of integers": ("mean", lambda k: k.i.mean()),
    "the mean of a mask": ("mean", lambda k: k.mask.mean()),
    "the variance of integers": ("var", lambda k: k.i.var()),
    "the largest of a mask": ("argmax", lambda k: k.mask.argmax()),
    "relu of a mask": ("relu", lambda k: k.F.relu(k.mask)),
    "abs of a mask": ("abs", lambda k: k.mask.abs()),
    "a product of masks": ("matmul", lambda k: k.mask @ k.mask.T),
    "a mask times a matrix": ("matmul", lambda k: k.mask @ k.rows.T),
    "a mask through a layer": ("linear", lambda k: k.nn.Linear(3, 2)(k.mask)),
    "a mask for a bias": ("linear", lambda k: k.F.linear(k.rows, k.rows, k.t.ones(2) > 0)),
    "a mask for a scale": ("layer_norm", lambda k: k.F.layer_norm(k.rows, (3,), k.t.ones(3) > 0)),
    "masks for values": (
        "scaled_dot_product_attention",
        lambda k: k.F.scaled_dot_product_attention(k.rows, k.rows, k.mask),
    ),
    "causal by a word": (
        "scaled_dot_product_attention",
        lambda k: k.F.scaled_dot_product_attention(k.x, k.x, k.x, is_causal="False"),
    ),
    "squares of integers": ("mse_loss", lambda k: k.F.mse_loss(k.i, k.i)),
    "an ignored fraction": (
        "cross_entropy",
        lambda k: k.F.cross_entropy(k.rows, k.t.tensor([0, 1]), ignore_index=0.5),
    ),
    "weight is the third": (
        "cross_entropy",
        lambda k: k.F.cross_entropy(k.rows, k.t.tensor([0, 1]), 1),
    ),
    "no weight": ("CrossEntropyLoss", lambda k: k.nn.CrossEntropyLoss("sum")),
    "p while not training": ("dropout", lambda k: k.F.dropout(k.x, 1.5, training=False)),
    "p changed later": ("dropout", lambda k: changed(k.nn.Dropout(0.5).eval(), p=-1.0)(k.x)),
    "a shape of floats": ("layer_norm", lambda k: k.F.layer_norm(k.x, (4.0,))),
    "no eps": ("layer_norm", lambda k: k.F.layer_norm(k.x, (4,), eps=None)),
    "a fill of several": ("full", lambda k: k.t.full((2,), [1, 2])),
    "a fill that has axes": ("full_like", lambda k: k.t.full_like(k.x, k.t.ones(4))),
    "infinity as an integer": ("full", lambda k: k.t.full((2,), float("inf"), dtype=k.t.long)),
    "no way down": ("arange", lambda k: k.t.arange(5, 0)),
    "no way up": ("arange", lambda k: k.t.arange(0, 5, -1)),
    "half of a step": ("linspace", lambda k: k.t.linspace(0, 1, True)),
    "beyond int64": ("tensor", lambda k: k.t.tensor([2**63])),
    "a constant with axes": ("constant_", lambda k: k.nn.init.constant_(k.x, k.t.ones(4))),
    "a seed for a generator": ("normal_", lambda k: k.nn.init.normal_(k.x, generator=5)),
    "std is NaN": ("normal_", lambda k: k.nn.init.normal_(k.x, std=float("nan"))),
    "nothing to call": ("apply", lambda k: k.nn.Linear(2, 2).apply(5)),
    "a set of parameters": ("SGD", lambda k: k.optim.SGD([{"params": {k.p}}], lr=0.1)),
}


def changed(thing: Any, **fields: Any) -> Any:
    vars(thing).update(fields)
    return thing


@pytest.mark.parametrize(("name", "call"), REFUSED.values(), ids=REFUSED)
def test_what_pytorch_refuses_is_refused_in_words(name: str, call: Callable[[Kit], Any]) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011, PyTorch has many kinds
        call(Kit(torch))
    with pytest.raises((TypeError, ValueError, OverflowError), match=rf"^{name}: "):
        call(Kit(tinygrad_tf))


SAME: dict[str, Callable[[Kit], Any]] = {
    "an end that is no integer": lambda k: k.t.arange(5.5, dtype=k.t.long),
    "a start that is no integer": lambda k: k.t.arange(0.5, 5.5, dtype=k.t.long),
    "nothing between": lambda k: k.t.arange(3, 3),
    "down": lambda k: k.t.arange(5, 0, -2),
    "float64 in a list": lambda k: k.t.tensor([1.0, np.float64(0.1)]),
    "arrays in a list": lambda k: k.t.tensor([np.zeros(2), np.ones(2)]),
    "Python floats": lambda k: k.t.tensor([[1, 2.5]]),
    "float32 in a list": lambda k: k.t.tensor([np.float32(0.1), 1]),
    "filled by a tensor": lambda k: k.t.full((2,), k.t.tensor(3.5, dtype=k.t.float64)),
    "filled by a bool": lambda k: k.t.full((2,), True),
    "the sum of uint8": lambda k: k.i.to(k.t.uint8).sum(0),
    "the largest of masks": lambda k: k.mask.max(0)[0],
    "where it stands": lambda k: k.mask.max(0)[1],
    "no weight": lambda k: k.F.cross_entropy(k.rows, k.t.tensor([0, 1]), None),
    "not in place": lambda k: k.nn.Dropout(1.0, False)(k.x),
}


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list")
@pytest.mark.parametrize("call", SAME.values(), ids=SAME)
def test_what_pytorch_computes_is_computed_in_its_dtype(call: Callable[[Kit], Any]) -> None:
    ours, theirs = (call(Kit(engine)) for engine in ENGINES)
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_options_that_pytorch_has_elsewhere_are_given_by_name() -> None:
    """PyTorch takes "sum" in that place for size_average, and gives the mean."""
    kit = Kit(tinygrad_tf)
    with pytest.raises(TypeError, match=r"^MSELoss: .*positional"):
        kit.nn.MSELoss("sum")
    with pytest.raises(TypeError, match=r"^mse_loss: .*positional"):
        kit.F.mse_loss(kit.rows, kit.rows, "sum")
    with pytest.raises(ValueError, match=r"^Dropout: inplace=True is not supported"):
        kit.nn.Dropout(0.5, True)
    with pytest.raises(ValueError, match=r"^dropout: inplace=True is not supported"):
        kit.F.dropout(kit.x, 0.5, True, True)
    with pytest.raises(TypeError, match=r"^Dropout: generator is int, expected"):
        kit.nn.Dropout(0.5, generator=0)
