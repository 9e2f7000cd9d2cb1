"""Which attributes of a module are parameters and modules, what may take their place, and hooks."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

import tinygrad_tf
import torch
from tinygrad_tf import Tensor, nn

ENGINES = (tinygrad_tf, torch)
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=["ours", "theirs"])


@each_engine
@pytest.mark.parametrize("value", ["tensor", 5, "module"])
def test_the_place_of_a_parameter_stays_its_place(engine: Any, value: Any) -> None:
    values = {"tensor": engine.zeros(2), "module": engine.nn.ReLU()}
    emptied = engine.nn.Linear(2, 2)
    emptied.bias = None
    bare = engine.nn.LayerNorm(2, bias=False)
    for layer in (emptied, engine.nn.Linear(2, 2, bias=False), bare):
        assert "bias" not in layer.state_dict()
        with pytest.raises(TypeError, match=r"cannot assign .* as parameter 'bias'"):
            layer.bias = values.get(value, value)
        assert layer.bias is None
        layer.bias = engine.nn.Parameter(engine.ones(2))
        assert "bias" in layer.state_dict()
    del emptied.bias  # and then it is a name like any other
    emptied.bias = values.get(value, value)
    assert "bias" not in dict(emptied.named_parameters())


@each_engine
@pytest.mark.parametrize("value", ["tensor", 5])
def test_the_place_of_a_module_stays_its_place(engine: Any, value: Any) -> None:
    model = engine.nn.Module()
    model.head = engine.nn.Linear(2, 2)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"cannot assign .* as child module 'head'"):
            model.head = engine.zeros(2) if value == "tensor" else value
        model.head = None
    model.head = engine.nn.ReLU()
    model.head = engine.nn.Parameter(engine.ones(2))
    assert list(model.state_dict()) == ["head"]
    with pytest.raises(TypeError, match=r"as parameter 'head'"):
        model.head = engine.nn.ReLU()
    model.mode = None  # no place of anything
    model.mode = 5
    assert model.mode == 5


@each_engine
def test_parameters_and_modules_are_registered_by_name(engine: Any) -> None:
    model = engine.nn.Module()
    model.register_parameter("scale", None)
    model.register_parameter("shift", engine.nn.Parameter(engine.ones(2)))
    model.add_module("head", engine.nn.Linear(2, 2))
    model.add_module("tail", None)
    assert list(model.state_dict()) == ["shift", "head.weight", "head.bias"]
    for register, value in (
        (model.register_parameter, engine.nn.Parameter(engine.ones(2))),
        (model.add_module, engine.nn.ReLU()),
    ):
        for name in ("a.b", "", "forward"):
            with pytest.raises(KeyError):
                register(name, value)
        for name, other in ((5, value), ("new", engine.ones(2)), ("new", 5)):
            with pytest.raises(TypeError):
                register(name, other)
    model.register_parameter("scale", engine.nn.Parameter(engine.ones(3)))
    assert "scale" in model.state_dict()


@pytest.mark.parametrize("name", ["a.b", "", "forward", 5])
def test_names_in_containers_are_checked(name: Any) -> None:
    for engine in ENGINES:
        with pytest.raises((KeyError, TypeError)):
            engine.nn.Sequential(OrderedDict({name: engine.nn.ReLU()}))
    with pytest.raises(TypeError, match=r"^Sequential: expected a Module, got int"):
        nn.Sequential({"a": 5})  # type: ignore[dict-item]


@each_engine
def test_a_child_that_comes_twice_is_a_child_once(engine: Any) -> None:
    """Otherwise a function that draws weights would draw them twice."""
    tied = engine.nn.Linear(2, 2)
    model = engine.nn.Sequential(tied, engine.nn.ReLU(), tied)
    seen: list[str] = []
    model.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "ReLU", "Sequential"]
    assert [name for name, _ in model.named_children()] == ["0", "1"]
    assert len(list(model.children())) == 2
    assert len(model) == len(list(model)) == 3
    assert list(model.state_dict())[2:] == ["2.weight", "2.bias"]
    assert repr(model).count("Linear") == 2
    model.append(engine.nn.Tanh())
    assert len(model) == 4
    assert model[2] is tied


@pytest.mark.parametrize("as_tuple", [True, False])
def test_a_hook_before_forward_may_give_other_inputs(as_tuple: bool) -> None:
    found = []
    for engine in ENGINES:
        model = engine.nn.ReLU()
        model.register_forward_pre_hook(lambda module, inputs: None)
        model.register_forward_pre_hook(
            lambda module, inputs: (inputs[0] * 3.0,) if as_tuple else inputs[0] * 3.0
        )
        model.register_forward_pre_hook(lambda module, inputs: inputs[0] - 1.0)
        found.append(model(engine.ones(2)).tolist())
    assert found == [[2.0, 2.0]] * 2


def test_what_cannot_be_called_is_no_hook() -> None:
    layer, x = nn.Linear(2, 2), Tensor([1.0], requires_grad=True)
    for register in (
        layer.register_forward_hook,
        layer.register_forward_pre_hook,
        x.register_hook,
        (x * 2.0).register_hook,
    ):
        with pytest.raises(TypeError, match=rf"^{register.__name__}: the hook is int"):
            register(5)  # type: ignore[arg-type]


@each_engine
def test_conversions_keep_the_gradients(engine: Any) -> None:
    layer = engine.nn.Linear(2, 2)
    weight = layer.weight
    weight.grad = engine.ones(2, 2) * 0.1
    layer.float()
    assert weight.grad.tolist() == (engine.ones(2, 2) * 0.1).tolist()
    layer.double()
    assert layer.weight is weight
    assert str(weight.grad.dtype).endswith("float64")
    assert weight.grad.tolist() == (engine.ones(2, 2) * 0.1).double().tolist()


@each_engine
def test_the_names_that_do_not_match_have_names(engine: Any) -> None:
    result = engine.nn.Linear(2, 2).load_state_dict({"x": engine.ones(1)}, strict=False)
    assert result.missing_keys == ["weight", "bias"]
    assert result.unexpected_keys == ["x"]


@each_engine
def test_the_parameters_of_a_group_may_be_one_tensor(engine: Any) -> None:
    p = engine.ones(2, requires_grad=True)
    optimizer = engine.optim.SGD(params=[{"params": p}], lr=0.5)
    p.grad = engine.ones(2)
    optimizer.step()
    assert p.tolist() == [0.5, 0.5]
