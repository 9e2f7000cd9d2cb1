from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, nn
from tinygrad_tf.nn import Module, Parameter


def build(nn: Any) -> Any:
    """The same model on either side: nested, with a tied weight, a shared module and a list."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(4)
            self.linear = nn.Linear(4, 3, bias=False)
            self.drop = nn.Dropout(0.2)

        def forward(self, x: Any) -> Any:
            return self.drop(self.linear(self.norm(x)))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(6, 4)
            self.blocks = nn.ModuleList([Inner(), Inner()])
            self.shared = self.blocks[1]
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


# The tree


def test_names_and_their_order(ours: Any, theirs: Any) -> None:
    for walk in ("named_parameters", "named_modules"):
        found = [name for name, _ in getattr(ours, walk)()]
        assert found == [name for name, _ in getattr(theirs, walk)()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [m for m, _ in ours.named_modules("model")][:2] == ["model", "model.embed"]


def test_the_walks_without_names_agree_with_those_with(ours: Any) -> None:
    for walk in ("parameters", "modules", "children"):
        named = [value for _, value in getattr(ours, f"named_{walk}")()]
        found = list(getattr(ours, walk)())
        assert len(found) == len(named)
        assert all(a is b for a, b in zip(found, named, strict=True))


def test_a_tied_parameter_is_listed_once_and_saved_under_each_name(ours: Any) -> None:
    names = [name for name, _ in ours.named_parameters()]
    assert "embed.weight" in names
    assert "head.weight" not in names
    assert {"embed.weight", "head.weight"} <= set(ours.state_dict())


def test_duplicates_are_listed_as_pytorch_lists_them(ours: Any, theirs: Any) -> None:
    for keep in (True, False):
        named = list(ours.named_parameters(remove_duplicate=keep))
        assert [n for n, _ in named] == [
            n for n, _ in theirs.named_parameters(remove_duplicate=keep)
        ]
    assert [n for n, _ in named] == list(ours.state_dict())
    assert dict(named)["head.weight"] is ours.embed.weight


def test_a_shared_module_is_saved_under_each_name(ours: Any) -> None:
    names = list(ours.state_dict())
    assert {"blocks.1.linear.weight", "shared.linear.weight"} <= set(names)
    assert "shared.linear.weight" not in dict(ours.named_parameters())


def test_only_parameters_are_parameters() -> None:
    module = Module()
    module.buffer = Tensor([1.0])  # type: ignore[attr-defined]
    module.nothing = None  # type: ignore[attr-defined]
    module.weight = Parameter([1.0])  # type: ignore[attr-defined]
    assert list(module.state_dict()) == ["weight"]


def test_a_parameter_wants_its_gradient_and_says_what_it_is() -> None:
    assert Parameter([1.0]).requires_grad
    assert not Parameter([1.0], requires_grad=False).requires_grad
    expected = "Parameter containing:\ntensor([1., 2.], requires_grad=True)"
    assert repr(Parameter([1.0, 2.0])) == expected
    assert repr(torch.nn.Parameter(torch.tensor([1.0, 2.0]))) == expected


# Precision, gradients and modes


def test_precision_of_the_whole_model(ours: Any) -> None:
    ours.head.bias.grad = Tensor(np.ones(6, "f4"))
    assert ours.double() is ours
    assert {str(p.dtype) for p in ours.parameters()} == {"float64"}
    assert str(ours.head.bias.grad.dtype) == "float64"  # PyTorch converts it too
    assert ours.head.bias.grad.tolist() == [1.0] * 6
    assert ours.head.weight is ours.embed.weight
    assert {str(p.dtype) for p in ours.float().parameters()} == {"float32"}
    assert {str(p.dtype) for p in ours.to("float64").parameters()} == {"float64"}


def test_zero_grad_and_requires_grad(ours: Any) -> None:
    for p in ours.parameters():
        p.grad = p.new_ones(p.shape)
    ours.zero_grad()
    assert all(p.grad is None for p in ours.parameters())
    assert ours.requires_grad_(False) is ours
    assert not any(p.requires_grad for p in ours.parameters())
    assert all(p.requires_grad for p in ours.requires_grad_().parameters())


def test_zero_grad_visits_each_module_once_also_in_a_circle() -> None:
    model = nn.Sequential(nn.Linear(2, 3))
    model.child = nn.Linear(3, 3)
    parameters = list(model.parameters())
    model.child.parent = model
    for p in parameters:
        p.grad = p.new_ones(p.shape)
    model.zero_grad()
    assert len(parameters) == 4
    assert all(p.grad is None for p in parameters)


def test_frozen_parameters_get_no_gradient() -> None:
    layer = nn.Linear(2, 3)
    layer.weight.requires_grad_(False)
    layer(Tensor(np.ones((4, 2), dtype=np.float32))).sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad.tolist() == [4.0] * 3


def test_modes_reach_every_module(ours: Any) -> None:
    assert all(m.training for m in ours.modules())
    assert ours.eval() is ours
    assert not any(m.training for m in ours.modules())
    assert ours.train() is ours
    assert all(m.training for m in ours.modules())
    assert not ours.train(False).blocks[0].drop.training


# Calling


def test_forward_must_be_defined() -> None:
    class Empty(Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines no forward"):
        Empty()(1)


def test_forward_hooks_see_the_call_and_may_replace_the_output() -> None:
    layer = nn.Linear(2, 3)
    x = Tensor(np.ones((4, 2), dtype=np.float32))
    seen: list[Any] = []
    layer.register_forward_hook(lambda *call: seen.append(call))
    handle = layer.register_forward_hook(lambda module, inputs, output: output * 0.0)
    with layer.register_forward_hook(lambda module, inputs, output: output + 5.0):
        assert (layer(x) == 5.0).all()
    assert (layer(x) == 0.0).all()
    handle.remove()
    assert layer(x).data.any()
    module, inputs, output = seen[0]
    assert module is layer
    assert inputs == (x,)
    assert output.shape == (4, 3)
    assert len(seen) == 3


def test_options_reach_forward_and_hooks_see_the_inputs() -> None:
    class Add(Module):
        def forward(self, x: int, *, times: int = 1) -> int:
            return x * times

    module = Add()
    module.register_forward_hook(lambda module, inputs, output: (inputs, output))
    assert module(2, times=5) == ((2,), 10)


# Text


def test_the_text_is_pytorchs(ours: Any, theirs: Any) -> None:
    assert repr(ours) == repr(theirs)


def test_the_text_of_a_module_with_words_and_children() -> None:
    def written(nn: Any) -> str:
        class Named(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = nn.Sequential(nn.Identity(), nn.Sequential())

            def extra_repr(self) -> str:
                return "name=x, size=3"

        return repr(Named())

    assert written(nn) == written(torch.nn)
    assert repr(nn.Module()) == repr(torch.nn.Module())
