"""Weights travel both ways, exactly, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file
from support.engines import NUMPY, TORCH

import torch
from crosscheck import copy_weights, load_weights, randomize, save_weights
from crosscheck.files import require_writable, write_whole
from crosscheck.weights import get_weights, set_weights

BOTH_WAYS = pytest.mark.parametrize(
    ("source", "target"), [(NUMPY, TORCH), (TORCH, NUMPY), (NUMPY, NUMPY)], ids=str
)


def block(engine: Any) -> Any:
    return engine.models.TransformerBlock(8, 2, 12)


def assert_equal(a: Any, b: Any) -> None:
    ours, theirs = get_weights(a), get_weights(b)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


@BOTH_WAYS
def test_a_copy_is_exact(source: Any, target: Any) -> None:
    a, b = block(source), block(target)
    copy_weights(a, b)
    assert_equal(a, b)


def test_a_copy_shares_no_memory() -> None:
    a, b = block(TORCH), block(NUMPY)
    copy_weights(a, b)
    before = get_weights(b)
    randomize(a, 3)
    for name, value in get_weights(b).items():
        np.testing.assert_array_equal(value, before[name])


def test_pytorchs_own_layer_gives_and_takes_without_a_map() -> None:
    layer = torch.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    ours = block(NUMPY)
    copy_weights(layer, ours)
    assert_equal(layer, ours)
    randomize(ours, 1)
    copy_weights(ours, layer)
    assert_equal(layer, ours)


@BOTH_WAYS
def test_float64_does_not_fit_into_float32(source: Any, target: Any) -> None:
    with pytest.raises(RuntimeError, match=r"linear1.weight.*float64") as caught:
        copy_weights(block(source).double(), block(target))
    assert ".double()" in str(caught.value)
    copy_weights(block(source), block(target).double())


@pytest.mark.parametrize("engine", [NUMPY, TORCH], ids=str)
def test_everything_that_does_not_fit_is_in_one_error(engine: Any) -> None:
    model = block(engine)
    weights = get_weights(model)
    weights.pop("norm1.bias")
    weights["norm3.bias"] = np.zeros(8, np.float32)
    weights["linear1.bias"] = np.zeros(11, np.float32)
    with pytest.raises(RuntimeError) as caught:
        set_weights(model, weights)
    for name in ("norm1.bias", "norm3.bias", "linear1.bias"):
        assert name in str(caught.value)


@pytest.mark.parametrize("engine", [NUMPY, TORCH], ids=str)
def test_randomized_weights_are_nowhere_special(engine: Any) -> None:
    model = block(engine)
    randomize(model, 0)
    for name, value in get_weights(model).items():
        assert value.dtype == np.float32
        if name.startswith("norm") and name.endswith("weight"):
            assert (np.abs(value - 1.0) <= 0.5).all()
            assert (value != 1.0).all()
        elif value.ndim == 1:
            assert (np.abs(value) >= 0.049).all(), name
            assert (value > 0).any()
            assert (value < 0).any()
        else:
            assert value.std() == pytest.approx(value.shape[1] ** -0.5, rel=0.25)


def test_the_seed_decides_and_the_engine_does_not() -> None:
    a, b, c = block(NUMPY), block(TORCH), block(TORCH)
    for model, seed in ((a, 5), (b, 5), (c, 6)):
        randomize(model, seed)
    assert_equal(a, b)
    assert (get_weights(c)["linear1.weight"] != get_weights(b)["linear1.weight"]).any()


@BOTH_WAYS
def test_a_file_brings_the_weights_back(source: Any, target: Any, tmp_path: Path) -> None:
    a, b = block(source), block(target)
    save_weights(a, tmp_path / "block.safetensors")
    load_weights(b, tmp_path / "block.safetensors")
    assert_equal(a, b)
    assert load_file(tmp_path / "block.safetensors")["linear1.weight"].shape == (12, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["block.safetensors"]


@pytest.mark.parametrize("engine", [NUMPY, TORCH], ids=repr)
def test_a_transposed_parameter_is_saved_as_it_is(engine: Any, tmp_path: Path) -> None:
    layer, again = engine.library.nn.Linear(2, 3), engine.library.nn.Linear(2, 3)
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    layer.weight = engine.library.nn.Parameter(engine.tensor(values).T)
    path = str(tmp_path / "layer.safetensors")
    save_weights(layer, path)
    load_weights(again, path)
    np.testing.assert_array_equal(again.weight.detach().numpy(), values.T)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"weights\.bin is not a safetensors file"):
        load_weights(block(NUMPY), path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match=r"^cannot write .*/result\.json: disk full$"):
        write_whole(path, b"new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("result.json", "old")]


@pytest.mark.parametrize(
    ("name", "reason"), [("no/x.json", "No such file or directory"), ("folder", "Is a directory")]
)
def test_what_cannot_be_written_is_named(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    for attempt in (lambda: write_whole(path, b"x"), lambda: require_writable(path)):
        with pytest.raises(OSError, match="cannot write") as caught:
            attempt()
        assert str(caught.value) == f"cannot write {path}: {reason}"


def test_to_ask_whether_a_file_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    require_writable(tmp_path / "old.json")
    require_writable(tmp_path / "new.json")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("old.json", "old")]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    require_writable(pipe)
    write_whole(pipe, b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert pipe.is_fifo()
