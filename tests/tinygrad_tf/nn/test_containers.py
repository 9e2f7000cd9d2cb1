from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, nn


def sequence(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.LayerNorm(5), nn.Linear(5, 2, bias=False))


def test_sequential_applies_one_after_the_other() -> None:
    ours, theirs = sequence(nn).double(), sequence(torch.nn).double()
    ours.load_state_dict(theirs.state_dict())
    generator = np.random.default_rng(0)
    x, dout = generator.normal(size=(4, 3)), generator.normal(size=(4, 2))
    given, reference = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, expected = ours(given), theirs(reference)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12)
    out.backward(Tensor(dout))
    expected.backward(torch.tensor(dout))
    np.testing.assert_allclose(given.grad.data, reference.grad.numpy(), rtol=1e-11)
    for (name, p), (other, q) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert name == other
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-11)


def test_an_empty_sequence_changes_nothing() -> None:
    x = Tensor([1.0])
    assert nn.Sequential()(x) is x


def test_the_same_module_may_come_twice() -> None:
    relu = nn.ReLU()
    layer = nn.Linear(2, 2)
    ours = nn.Sequential(layer, relu, layer)
    layer.weight.data[:] = [[2.0, 0.0], [0.0, 3.0]]
    layer.bias.data[:] = 0.0
    assert ours(Tensor([1.0, 1.0])).tolist() == [4.0, 9.0]
    theirs_layer = torch.nn.Linear(2, 2)
    theirs = torch.nn.Sequential(theirs_layer, torch.nn.ReLU(), theirs_layer)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_a_list_is_a_list() -> None:
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)
    modules = nn.ModuleList([a, b])
    assert modules.append(c) is modules
    assert len(modules) == 3
    assert list(modules) == [a, b, c]
    assert modules.training
    assert modules[0] is a
    assert modules[-1] is c
    with pytest.raises(IndexError):
        modules[3]
    assert [name for name, _ in modules.named_children()] == ["0", "1", "2"]
    assert list(modules.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(nn.ModuleList()) == 0


LISTS: list[Any] = [
    lambda nn: [],
    lambda nn: [nn.Linear(2, 3)],
    lambda nn: [nn.Linear(2, 3), nn.Linear(2, 3), nn.Linear(2, 3)],
    lambda nn: [nn.ReLU(), nn.ReLU(), nn.Linear(2, 3), nn.ReLU()],
    lambda nn: [sequence(nn), sequence(nn), nn.Dropout(0.1)],
]


@pytest.mark.parametrize("modules", LISTS)
@pytest.mark.parametrize("kind", ["ModuleList", "Sequential"])
def test_the_text_is_pytorchs(kind: str, modules: Any) -> None:
    written = []
    for side in (nn, torch.nn):
        container = getattr(side, kind)
        given = modules(side)
        nested = side.Sequential(container(given) if kind == "ModuleList" else container(*given))
        written.append(repr(nested))
    assert written[0] == written[1]


@pytest.mark.parametrize("kind", ["ModuleList", "Sequential"])
def test_rows_grow_and_shrink_as_pytorchs_do(kind: str) -> None:
    written = []
    for side in (nn, torch.nn):
        row = getattr(side, kind)()
        row.append(side.Linear(1, 2))
        row.extend([side.ReLU(), side.Tanh()])
        row.insert(1, side.Sigmoid())
        row[3] = side.Identity()
        row[-2] = side.GELU()
        written.append([repr(row), repr(row[1:3]), [name for name, _ in row.named_children()]])
    assert written[0] == written[1]
    with pytest.raises(TypeError, match=f"^{kind}: expected a Module, got int"):
        getattr(nn, kind)().append(3)


def test_a_sequence_may_have_names() -> None:
    sides = (
        side.Sequential(OrderedDict(a=side.Linear(3, 2), b=side.Tanh())) for side in (nn, torch.nn)
    )
    ours, theirs = sides
    assert repr(ours) == repr(theirs)
    assert repr(ours[1:]) == repr(theirs[1:])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert (
        ours(Tensor([1.0, 2.0, 3.0])).tolist() == ours.b(ours.a(Tensor([1.0, 2.0, 3.0]))).tolist()
    )


def build_dict(nn: Any) -> Any:
    return nn.ModuleDict({"first": nn.Linear(1, 2), "act": nn.ReLU(), "last": nn.Linear(2, 1)})


def test_a_dictionary_is_a_dictionary() -> None:
    seen = []
    for side in (nn, torch.nn):
        modules = build_dict(side)
        assert modules["first"] is modules.first
        modules["act"] = side.Tanh()
        modules.update({"more": side.Sigmoid()})
        modules.update([("pair", side.Identity())])
        popped = modules.pop("pair")
        del modules["more"]
        assert "act" in modules
        assert "more" not in modules
        keys = [list(modules), list(modules.keys()), [name for name, _ in modules.items()]]
        kinds = [repr(popped), repr(list(modules.values())), repr(modules), len(modules)]
        seen.append([keys, kinds, list(modules.state_dict())])
        with pytest.raises(KeyError):
            modules["nothing"]
    assert seen[0] == seen[1]
    copied = nn.ModuleDict(build_dict(nn))
    assert list(copied) == ["first", "act", "last"]


@pytest.mark.parametrize("name", ["a.b", "", "items", "training"])
def test_names_that_a_dictionary_refuses(name: str) -> None:
    for side in (nn, torch.nn):
        with pytest.raises(KeyError):
            side.ModuleDict({name: side.ReLU()})
    with pytest.raises(TypeError, match=r"^ModuleDict: expected a Module, got int"):
        nn.ModuleDict({"a": 3})
