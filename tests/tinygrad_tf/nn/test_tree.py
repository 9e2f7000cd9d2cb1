"""Buffers, which are state and no weights; `apply`; and the walks with PyTorch's arguments."""

import copy
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import torch
from crosscheck import Batch, compare, copy_weights, randomize
from crosscheck.weights import get_weights, set_weights
from tinygrad_tf import Tensor, nn
from tinygrad_tf.nn import Module

SIDES = (tinygrad_tf, torch)


def build(e: Any) -> Any:
    """A layer of attention with a causal mask, positions and something that is not kept."""

    class Inner(e.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", e.zeros(3, dtype=e.long))
            self.key = e.nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.key(x)

    class Model(e.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", e.tril(e.ones(4, 4)))
            self.inner = Inner()
            self.register_buffer("scale", e.full((1,), 2.0), persistent=False)
            self.register_buffer("nothing", None)
            self.proj = e.nn.Linear(2, 2, bias=False)
            self.shift = e.nn.Parameter(e.zeros(2))

        def forward(self, x: Any) -> Any:
            k = self.inner(x) * self.scale
            scores = k @ k.transpose(-2, -1)
            tokens = x.shape[-2]
            scores = scores.masked_fill(self.mask[:tokens, :tokens] == 0, float("-inf"))
            return self.proj(scores.softmax(-1) @ k) + self.shift

    return Model()


def test_names_and_order_are_pytorchs() -> None:
    ours, theirs = map(build, SIDES)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert list(ours.state_dict())[:3] == ["shift", "mask", "inner.seen"]
    for walk in ("named_buffers", "named_parameters"):
        for options in ({}, {"recurse": False}, {"prefix": "model"}):
            found, expected = ([n for n, _ in getattr(m, walk)(**options)] for m in (ours, theirs))
            assert found == expected
    assert len(list(ours.buffers())) == len(list(theirs.buffers())) == 3
    assert len(list(ours.parameters(recurse=False))) == 1


def test_state_moves_both_ways() -> None:
    ours, theirs = map(build, SIDES)
    theirs.inner.seen += 5
    theirs.mask[:] = 3
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    assert ours.inner.seen.tolist() == [5, 5, 5]
    assert ours.mask.tolist() == theirs.mask.tolist()
    ours.inner.seen.data[:] = 7
    theirs.load_state_dict({n: torch.tensor(x.data) for n, x in ours.state_dict().items()})
    assert theirs.inner.seen.tolist() == [7, 7, 7]
    assert ours.state_dict()["mask"].data is ours.mask.data
    with pytest.raises(RuntimeError, match="missing: mask"):
        ours.load_state_dict({n: x for n, x in ours.state_dict().items() if n != "mask"})


def test_a_precision_is_for_floats_alone() -> None:
    ours, theirs = (build(e).double() for e in SIDES)
    for name, buffer in ours.named_buffers():
        assert f"torch.{buffer.dtype}" == str(dict(theirs.named_buffers())[name].dtype)
    assert ours.to("cpu").to(tinygrad_tf.device("cpu")).cpu().mask.dtype == np.float64
    assert ours.to("cpu", dtype=tinygrad_tf.float32).mask.dtype == np.float32
    assert [n for n, _ in ours.named_buffers()] == ["mask", "scale", "inner.seen"]


def test_what_is_assigned_to_a_buffer_is_one() -> None:
    for e in SIDES:
        model = build(e)
        model.mask = e.zeros(1)
        model.nothing = e.ones(2)
        names = [name for name, _ in model.named_buffers()]
        assert names == ["mask", "scale", "nothing", "inner.seen"]
        assert "nothing" in model.state_dict()
        with pytest.raises(TypeError, match="mask"):
            model.mask = 3
        model.mask = None
        assert "mask" not in model.state_dict()
    copied = copy.deepcopy(model)
    assert [name for name, _ in copied.named_buffers()] == ["scale", "nothing", "inner.seen"]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("a.b", KeyError, "dot"),
        ("", KeyError, "empty"),
        ("inner", KeyError, "already exists"),
        ("shift", KeyError, "already exists"),
        ("forward", KeyError, "already exists"),
        (3, TypeError, "name is int"),
    ],
)
def test_names_that_are_refused(name: Any, kind: type[Exception], message: str) -> None:
    for e in SIDES:
        model, value = build(e), e.zeros(1)
        with pytest.raises(kind, match=message if e is tinygrad_tf else None):
            model.register_buffer(name, value)


def test_what_is_no_buffer() -> None:
    with pytest.raises(TypeError, match="expected a Tensor or None, got list"):
        Module().register_buffer("mask", [1.0])
    with pytest.raises(TypeError, match="is a Parameter, which is a weight"):
        Module().register_buffer("mask", nn.Parameter([1.0]))


def test_a_comparison_asks_for_no_buffer() -> None:
    """Nor draws one: both masks stay as they were built, and all rows agree."""
    ours, theirs = map(build, SIDES)
    randomize(theirs, seed=0)
    copy_weights(theirs, ours)
    randomize(ours, seed=1)
    assert ours.mask.tolist() == np.tril(np.ones((4, 4))).tolist()
    copy_weights(theirs, ours)
    for model in (ours, theirs):  # of any precision, as long as no number changes
        set_weights(model, {**get_weights(model), "mask": np.tril(np.ones((4, 4)))})
    report = compare(ours, theirs, Batch(np.random.default_rng(0).standard_normal((2, 4, 3))))
    assert report.agrees, str(report)
    assert "mask" not in str(report)


def test_apply_visits_children_first_and_returns_the_module() -> None:
    visited = []
    for e in SIDES:
        model, seen = build(e), []
        assert model.apply(lambda m, seen=seen: seen.append(type(m).__name__)) is model
        visited.append(seen)
    assert visited[0] == visited[1] == ["Linear", "Inner", "Linear", "Model"]


@pytest.mark.parametrize("by_model", [True, False])
def test_zero_grad_fills_with_zeros_where_it_is_asked_to(by_model: bool) -> None:
    for e in SIDES:
        layer = e.nn.Linear(2, 1)
        optimiser = e.optim.SGD(list(layer.parameters()), lr=0.1)
        layer.weight.grad = kept = e.ones(1, 2)
        (layer if by_model else optimiser).zero_grad(set_to_none=False)
        assert layer.weight.grad is kept
        assert kept.tolist() == [[0.0, 0.0]]
        assert layer.bias.grad is None
        (layer if by_model else optimiser).zero_grad()
        assert layer.weight.grad is None


def test_a_buffer_takes_part_as_a_constant() -> None:
    model = build(tinygrad_tf)
    model(Tensor(np.ones((4, 3), "f4"))).backward(Tensor(np.ones((4, 2), "f4")))
    assert model.mask.grad is None
    assert model.inner.key.weight.grad is not None
