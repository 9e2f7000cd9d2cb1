"""Weights into and out of a module, PyTorch's own among them."""

from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import nn


def build(nn: Any) -> Any:
    """The same model on either side, with a tied weight."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(6, 4)
            self.blocks = nn.ModuleList([nn.LayerNorm(4), nn.Linear(4, 4, bias=False)])
            self.head = nn.Linear(4, 6)
            self.head.weight = self.embed.weight
            self.scale = nn.Parameter(nn.Linear(2, 1).weight)

    return Model()


@pytest.fixture
def ours() -> Any:
    return build(nn)


@pytest.fixture
def theirs() -> Any:
    return build(torch.nn)


def parameters(module: Any) -> dict[str, Any]:
    return {name: p.data.copy() for name, p in module.named_parameters()}


def test_pytorchs_state_dict_loads_as_it_is(ours: Any, theirs: Any) -> None:
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].data, value.numpy())


def test_weights_go_back_to_pytorch(ours: Any, theirs: Any) -> None:
    theirs.load_state_dict({n: torch.tensor(p.data) for n, p in ours.state_dict().items()})
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(theirs.state_dict()[name].numpy(), value.data)


def test_loading_copies_and_keeps_ties(ours: Any) -> None:
    source = {name: value.data + 1.0 for name, value in ours.state_dict().items()}
    ours.load_state_dict(source)
    source["embed.weight"][:] = 0.0
    assert ours.embed.weight.data.any()
    assert ours.head.weight is ours.embed.weight


def test_the_state_dict_shares_memory_and_has_no_gradient(ours: Any) -> None:
    state = ours.state_dict()
    state["head.bias"].data[:] = 7.0
    assert ours.head.bias.tolist() == [7.0] * 6
    assert not any(value.requires_grad for value in state.values())


def test_everything_that_is_wrong_is_in_one_message_and_nothing_is_copied(ours: Any) -> None:
    before = parameters(ours)
    state = {name: value.data + 1.0 for name, value in ours.state_dict().items()}
    del state["scale"], state["blocks.0.bias"]
    state["head.bias"] = np.zeros((6, 1), dtype=np.float32)
    state["embed.weight"] = state["embed.weight"].astype(np.float64)
    state["tail"] = state["blocks.7.bias"] = np.zeros(1)
    with pytest.raises(RuntimeError) as error:
        ours.load_state_dict(state)
    lines = str(error.value).split("\n  ")
    assert lines[0] == "load_state_dict: the values do not fit Model:"
    assert set(lines[1:]) == {
        "missing: scale",
        "missing: blocks.0.bias",
        "unexpected: tail",
        "unexpected: blocks.7.bias",
        "shape of head.bias: got (6, 1), expected (6,)",
        "dtype of embed.weight: got float64, expected float32; convert the model with .double(), "
        "or the values to the model's precision",
    }
    assert_same(before, parameters(ours))


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert list(before) == list(after)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


def test_not_strict_forgives_names_but_no_shapes(ours: Any) -> None:
    state = {"scale": np.ones((1, 2), dtype=np.float32), "tail": np.ones(1)}
    missing, unexpected = ours.load_state_dict(state, strict=False)
    assert ours.scale.tolist() == [[1.0, 1.0]]
    assert unexpected == ["tail"]
    assert set(missing) == set(ours.state_dict()) - {"scale"}
    before = parameters(ours)
    with pytest.raises(RuntimeError, match=r"shape of scale: got \(3,\), expected \(1, 2\)"):
        ours.load_state_dict({"scale": np.ones(3, dtype=np.float32)}, strict=False)
    assert_same(before, parameters(ours))


def test_float32_values_fit_a_float64_model() -> None:
    layer = nn.Linear(2, 3).double()
    layer.load_state_dict(torch.nn.Linear(2, 3).state_dict())
    assert layer.weight.dtype == np.float64


def test_bfloat16_values_are_widened_as_pytorch_widens_them(ours: Any, theirs: Any) -> None:
    narrow = theirs.bfloat16().state_dict()
    ours.load_state_dict(narrow)
    wide = build(torch.nn)
    wide.load_state_dict(narrow)
    for name, value in wide.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].data, value.numpy())
