"""Files and dictionaries of weights: small floats widen exactly, and what is refused is named."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from support.engines import NUMPY, TORCH, each_engine

import torch
from crosscheck import copy_weights, load_weights, save_weights
from crosscheck.weights import get_weights, set_weights

SMALL = [
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
]
each_small_type = pytest.mark.parametrize("dtype", SMALL, ids=str)


def every_bit_pattern(dtype: torch.dtype) -> torch.Tensor:
    """All numbers of an 8-bit type, (16, 16), or as many of bfloat16."""
    if dtype.itemsize == 1:
        return torch.arange(256, dtype=torch.uint8).view(dtype).reshape(16, 16)
    return torch.arange(0, 1 << 16, 256).to(torch.uint16).view(dtype).reshape(16, 16)


def layer(engine: Any) -> Any:
    return engine.library.nn.Linear(16, 16, bias=False)


@each_engine
@each_small_type
def test_small_floats_widen_as_pytorch_widens_them(
    engine: Any, dtype: torch.dtype, tmp_path: Path
) -> None:
    state, source = {"weight": every_bit_pattern(dtype)}, layer(TORCH)
    source.weight = torch.nn.Parameter(state["weight"], requires_grad=False)
    safetensors.torch.save_file(state, tmp_path / "small")
    for bring in (
        lambda target: load_weights(target, str(tmp_path / "small")),
        lambda target: copy_weights(state, target),
        lambda target: copy_weights(source, target),
        lambda target: target.load_state_dict(state),
    ):
        bring(target := layer(engine))
        np.testing.assert_array_equal(
            get_weights(target)["weight"], state["weight"].to(torch.float32).numpy()
        )


@each_small_type
def test_a_small_target_takes_back_its_own_numbers_and_no_others(dtype: torch.dtype) -> None:
    target, weight = layer(TORCH), every_bit_pattern(dtype)
    target.weight = torch.nn.Parameter(torch.zeros_like(weight), requires_grad=False)
    weight = weight.float().nan_to_num(1.0, 1.0, 1.0).to(dtype)
    copy_weights({"weight": weight.float()}, target)
    np.testing.assert_array_equal(get_weights(target)["weight"], weight.float().numpy())
    with pytest.raises(RuntimeError, match=r"copy_weights: .*\n.*would be rounded to torch"):
        copy_weights({"weight": weight.float() + 1e-3}, target)


def test_small_floats_of_jax_widen_too() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.linspace(-3, 3, 256, dtype=np.float32).reshape(16, 16)
    for name in ("bfloat16", "float8_e5m2"):
        given = values.astype(getattr(ml_dtypes, name))
        expected = torch.tensor(values).to(getattr(torch, name)).float().numpy()
        for load in (layer(NUMPY).load_state_dict, lambda w: copy_weights(w, layer(TORCH))):
            load({"weight": given})
        copy_weights({"weight": given}, target := layer(NUMPY))
        np.testing.assert_array_equal(target.weight.data, expected)


@each_engine
def test_a_dictionary_of_parameters_is_loaded(engine: Any) -> None:
    for source in (layer(NUMPY), layer(TORCH)):
        copy_weights(dict(source.named_parameters()), target := layer(engine))
        np.testing.assert_array_equal(get_weights(target)["weight"], get_weights(source)["weight"])
        if engine is NUMPY:
            target = layer(NUMPY)
            target.load_state_dict(dict(source.named_parameters()))
            np.testing.assert_array_equal(target.weight.data, get_weights(source)["weight"])


@each_engine
@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool], ids=str)
def test_integers_and_bools_are_no_weights(engine: Any, dtype: Any, tmp_path: Path) -> None:
    target, state = layer(engine), {"weight": torch.ones(16, 16).to(dtype)}
    before = get_weights(target)["weight"]
    safetensors.torch.save_file(state, path := tmp_path / "codes")
    loads: dict[str, Callable[[], object]] = {
        "copy_weights: the values do not": lambda: copy_weights(state, target),
        f"load_weights: the values in {path} do not": lambda: load_weights(target, path),
    }
    if engine is NUMPY:
        loads["load_state_dict: the values do not"] = lambda: target.load_state_dict(state)
    for start, load in loads.items():
        with pytest.raises(RuntimeError, match="integers are no weights until") as caught:
            load()
        assert str(caught.value).startswith(f"{start} fit Linear:\n  dtype of weight: got ")
    np.testing.assert_array_equal(get_weights(target)["weight"], before)


# What is no file of weights


def torch_saved(**options: Any) -> bytes:
    torch.save({"weight": torch.ones(3)}, file := io.BytesIO(), **options)
    return file.getvalue()


WHOLE = safetensors.torch.save({"weight": torch.ones(16, 16)})
NO_FILES = {
    "empty": (b"", "is empty, expected a file of safetensors"),
    "start": (WHOLE[:5], "probably cut short"),
    "header": (WHOLE[:30], "probably cut short"),
    "body": (WHOLE[:-3], "probably cut short"),
    "text": (b"weights of a layer", "is not a safetensors file: "),
    "pt": (torch_saved(), r"torch.save: read it with torch.load\(path, weights_only=True\)"),
    "old.pt": (torch_saved(_use_new_zipfile_serialization=False), "looks like one of torch.save"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_of_weights_is_named_with_its_likely_cause(
    name: str, tmp_path: Path
) -> None:
    content, cause = NO_FILES[name]
    (path := tmp_path / name).write_bytes(content)
    for given in (path, str(path)):
        with pytest.raises(ValueError, match=cause) as caught:
            load_weights(layer(NUMPY), given)
        assert str(caught.value).startswith(f"load_weights: {path} ")


def test_numbers_of_an_unknown_kind_are_refused_with_the_files_name(tmp_path: Path) -> None:
    header = b'{"weight":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}'
    path = tmp_path / "four-bit"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\1\2")
    with pytest.raises(ValueError, match=rf"^load_weights: {path} "):
        load_weights(layer(NUMPY), path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^load_weights: .*/none: no such file \(seen"):
        load_weights(layer(NUMPY), tmp_path / "none")


def test_errors_name_the_function_that_was_called(tmp_path: Path) -> None:
    stranger: Any = object()
    calls: dict[str, Callable[[], object]] = {
        "copy_weights": lambda: copy_weights(stranger, layer(NUMPY)),
        "copy_weights: ": lambda: copy_weights(layer(NUMPY), {}),
        "copy_weights: weight": lambda: copy_weights({"weight": "text"}, layer(NUMPY)),
        "load_weights": lambda: load_weights(stranger, tmp_path / "none"),
        "save_weights": lambda: save_weights(stranger, tmp_path / "none"),
        "set_weights": lambda: set_weights(stranger, {}),
    }
    for start, call in calls.items():
        with pytest.raises(TypeError, match=f"^{start}"):
            call()


# All or nothing, in PyTorch too


class WithBuffers(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(2, 2)
        self.register_buffer("position_ids", torch.arange(4))
        self.register_buffer("spread", torch.ones(1).expand(4))  # four entries in one place


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("position_ids", torch.arange(5), r"shape of the buffer position_ids: got \(5,\)"),
        ("position_ids", torch.ones(4) / 2, "float32 would be rounded to int64"),
        ("spread", torch.arange(4.0), "single memory location"),  # only PyTorch can tell
    ],
)
def test_a_refused_file_leaves_a_torch_model_as_it_was(
    name: str, value: torch.Tensor, said: str, tmp_path: Path
) -> None:
    model = WithBuffers()
    before = {n: x.clone() for n, x in model.state_dict().items()}
    changed = {n: x + 1 for n, x in model.state_dict().items()}
    del changed["spread"]
    safetensors.torch.save_file({**changed, name: value}, path := tmp_path / "file")
    with pytest.raises(RuntimeError, match=said) as caught:
        load_weights(model, path)
    assert str(caught.value).startswith(f"load_weights: the values in {path} do not fit")
    for n, x in model.state_dict().items():
        assert torch.equal(x, before[n])


def test_a_buffer_of_integers_loads_where_there_is_one() -> None:
    model = WithBuffers()
    state = {n: x.clone() for n, x in model.first.state_dict(prefix="first.").items()}
    copy_weights({**state, "position_ids": torch.arange(4).flip(0).int()}, model)
    assert model.position_ids.tolist() == [3, 2, 1, 0]
