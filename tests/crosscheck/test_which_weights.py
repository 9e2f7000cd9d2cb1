"""Which tensors are weights: parameters, frozen and tied ones too, in any precision; no buffers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file
from support.engines import NUMPY, TORCH, each_engine

import torch
from crosscheck import copy_weights, load_weights, randomize, save_weights
from crosscheck.weights import get_weights
from tinygrad_tf import nn


def assert_equal(a: Any, b: Any) -> None:
    ours, theirs = get_weights(a), get_weights(b)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


# Buffers, frozen and tied parameters


class Masked(torch.nn.Module):
    """A layer whose causal mask, positions and running variance are buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.key = torch.nn.Linear(3, 2)
        self.register_buffer("tril", torch.tril(torch.ones(4, 4)))
        self.register_buffer("position_ids", torch.arange(4))
        self.register_buffer("spread", torch.ones(1).expand(4))  # four entries in one place
        self.norm = torch.nn.BatchNorm1d(2)


class Unmasked(nn.Module):
    """The same weights, without buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(3, 2)
        self.norm = nn.LayerNorm(2)


def buffers(model: Any) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in model.named_buffers()}


def assert_same_buffers(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], err_msg=name)


def test_to_randomize_leaves_buffers_alone() -> None:
    model = Masked()
    before = buffers(model)
    randomize(model)
    assert_same_buffers(buffers(model), before)
    assert set(get_weights(model)) == {"key.weight", "key.bias", "norm.weight", "norm.bias"}
    assert (model.norm.weight != 1).all()


@pytest.mark.parametrize(
    ("source", "target"), [(Masked, Unmasked), (Unmasked, Masked), (Masked, Masked)]
)
def test_weights_are_copied_past_buffers(source: Any, target: Any, tmp_path: Path) -> None:
    a, b = source(), target()
    randomize(a, 4)
    if source is Masked:
        a.norm.running_var.fill_(7.0)  # state of the source alone
    before = buffers(b) if target is Masked else {}
    copy_weights(a, b)
    assert_equal(a, b)
    save_weights(a, tmp_path / "weights.safetensors")
    load_weights(b, tmp_path / "weights.safetensors")
    if target is Masked:
        assert_same_buffers(buffers(b), before)


def test_a_buffer_in_a_file_is_loaded_where_there_is_one(tmp_path: Path) -> None:
    source, target, path = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2), tmp_path / "w"
    source.running_var.fill_(7.0)  # type: ignore[union-attr, operator]
    save_file(source.state_dict(), path)
    load_weights(target, path)
    np.testing.assert_array_equal(target.running_var, [7.0, 7.0])
    with pytest.raises(RuntimeError, match="unexpected: running_mean"):
        load_weights(nn.LayerNorm(2), path)


def tied(engine: Any, tie: bool = True) -> Any:
    class Tied(engine.library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.table = engine.library.nn.Embedding(7, 3)
            self.head = engine.library.nn.Linear(3, 7, bias=False)
            self.last = engine.library.nn.Linear(3, 3)
            if tie:
                self.head.weight = self.table.weight

    return Tied()


@each_engine
def test_a_tied_parameter_has_two_names_and_is_drawn_once(engine: Any) -> None:
    other_engine = TORCH if engine is NUMPY else NUMPY
    model, other, alone = tied(engine), tied(other_engine), engine.library.nn.Embedding(7, 3)
    randomize(model, 2)
    randomize(alone, 2)
    weights = get_weights(model)
    assert list(weights) == list(model.state_dict())
    np.testing.assert_array_equal(weights["table.weight"], get_weights(alone)["weight"])
    np.testing.assert_array_equal(weights["head.weight"], weights["table.weight"])
    randomize(other, 2)
    assert_equal(model, other)
    copy_weights(model, again := tied(other_engine))
    assert_equal(model, again)
    assert again.head.weight is again.table.weight


@each_engine
def test_one_parameter_cannot_hold_two_values(engine: Any) -> None:
    source, target = tied(TORCH, tie=False), tied(engine)
    before = get_weights(target)
    said = r"table\.weight and head\.weight are one parameter here, and are given different values"
    with pytest.raises(RuntimeError, match=said):
        copy_weights(source, target)
    np.testing.assert_array_equal(get_weights(target)["last.weight"], before["last.weight"])


@each_engine
def test_frozen_parameters_are_weights(engine: Any) -> None:
    model, other = (e.library.nn.Linear(3, 2) for e in (engine, TORCH))
    model.weight.requires_grad_(False)
    before = get_weights(model)["weight"]
    randomize(model)
    assert (get_weights(model)["weight"] != before).all()
    copy_weights(model, other)
    assert_equal(model, other)
    assert not model.weight.requires_grad


# Other precisions


@each_engine
def test_bfloat16_is_widened_exactly(engine: Any, tmp_path: Path) -> None:
    source, target, path = torch.nn.Linear(3, 2).bfloat16(), engine.library.nn.Linear(3, 2), "w"
    save_file(source.state_dict(), tmp_path / path)
    for bring in (
        lambda: copy_weights(source, target),
        lambda: load_weights(target, tmp_path / path),
    ):
        randomize(target)
        bring()
        np.testing.assert_array_equal(
            get_weights(target)["weight"], source.weight.detach().float().numpy()
        )


def test_bfloat16_takes_only_what_it_can_hold() -> None:
    small, single = torch.nn.Linear(3, 2).bfloat16(), torch.nn.Linear(3, 2)
    randomize(small, 1)
    assert (small.weight != 0).all()
    copy_weights(small, again := torch.nn.Linear(3, 2).bfloat16())
    assert torch.equal(small.weight, again.weight)
    single.weight.data.fill_(1 + 2.0**-20)
    with pytest.raises(RuntimeError, match=r"weight: float32 would be rounded to torch.bfloat16"):
        copy_weights(single, small)


@each_engine
def test_half_precision_fits_and_integers_do_not(engine: Any, tmp_path: Path) -> None:
    source, target = torch.nn.Linear(3, 2), engine.library.nn.Linear(3, 2)
    save_file(source.half().state_dict(), tmp_path / "half")
    load_weights(target, tmp_path / "half")
    np.testing.assert_array_equal(get_weights(target)["bias"], source.bias.detach().float())
    codes = {name: (100 * x).to(torch.int8) for name, x in source.state_dict().items()}
    save_file(codes, tmp_path / "int8")
    with pytest.raises(RuntimeError, match=r"dtype of weight: got int8, expected float32"):
        load_weights(target, tmp_path / "int8")


def test_integer_parameters_are_not_redrawn() -> None:
    model = torch.nn.Linear(3, 2)
    model.codes = torch.nn.Parameter(torch.tensor([2**30 + 1]), requires_grad=False)
    randomize(model)
    assert model.codes.item() == 2**30 + 1


def test_a_folder_is_no_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder, expected a file of safetensors"):
        load_weights(nn.Linear(3, 2), tmp_path)
