"""Models that cannot be compared: the error names the mistake, and says what to do."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY, TORCH

import torch
from crosscheck import compare, copy_weights, localise, randomize
from crosscheck.called_rightly import tied_differently
from tinygrad_tf import nn

I, O, V = 6, 4, 7  # noqa: E741
X = np.random.default_rng(0).standard_normal((3, 5, I))
IDS = np.random.default_rng(1).integers(0, V, (3, 5))


class Foreign:
    """Weights under names, and nothing that runs."""

    engine = "by hand"

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def state_dict(self) -> Any:
        return self.weights

    def linearize(self, inputs: Any, dtype: str) -> Any:
        raise AssertionError("it is not run")


class Weights(nn.Module):
    """A layer of ours with these weights."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        for name, value in weights.items():
            setattr(self, name, nn.Parameter(value.copy()))


def layer(out: int = O) -> torch.nn.Linear:
    made = torch.nn.Linear(I, out)
    randomize(made)
    return made


def values(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def refused(model: Any, reference: Any, inputs: Any = X) -> str:
    with pytest.raises((TypeError, ValueError), match=r"^compare: ") as caught:
        compare(model, reference, inputs)
    return str(caught.value)


each_model = pytest.mark.parametrize("holding", [Weights, Foreign])


@each_model
def test_transposed_weights_are_called_so(holding: Any) -> None:
    reference = layer()
    weights = values(reference)
    weights["weight"] = weights["weight"].T
    assert (
        "weight (6, 4) in the model, (4, 6) in the reference, which is transposed (PyTorch's "
        "Linear holds (out, in))" in refused(holding(weights), reference)
    )


@each_model
def test_square_weights_too(holding: Any) -> None:
    reference = layer(I)
    weights = values(reference)
    weights["weight"] = weights["weight"].T
    said = refused(holding(weights), reference)
    assert "weights differ in weight; they are transposed" in said
    assert "copy_weights" not in said


@each_model
def test_other_shapes_are_told(holding: Any) -> None:
    said = refused(holding(values(layer(5))), layer())
    assert "weight (5, 6) in the model, (4, 6) in the reference; bias (5,)" in said
    assert "transposed" not in said


@each_model
def test_other_names_are_told_with_the_near_one(holding: Any) -> None:
    weights = values(layer())
    weights["weights"] = weights.pop("weight")
    said = refused(holding(weights), layer())
    assert "only the model has weights (did you mean 'weight'?), and only the reference" in said


def test_copy_weights_is_advised_where_it_helps() -> None:
    reference = layer()
    changed = {name: value + 1 for name, value in values(reference).items()}
    model = Weights(changed)
    assert refused(model, reference).endswith(
        "weights differ in bias, weight; call copy_weights(reference, model) first"
    )
    copy_weights(reference, model)  # as it said
    assert "copy_weights" not in refused(Foreign(changed), reference)
    assert "the reference's state_dict" in refused(Foreign(changed), reference)
    said = refused(Weights(changed), reference.double())
    assert "copy_weights(reference, model) cannot mend it: dtype of weight: got float64" in said
    assert ".double()" in said


def tied(engine: Any, tie: bool) -> Any:
    class Tied(engine.library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.table = engine.library.nn.Embedding(V, I)
            self.head = engine.library.nn.Linear(I, V, bias=False)
            if tie:
                self.head.weight = self.table.weight

        def forward(self, ids: Any) -> Any:
            return self.head(self.table(ids))

    return Tied()


@pytest.mark.parametrize("tie_ours", [True, False])
def test_a_tie_on_one_side_alone_is_called_so(tie_ours: bool) -> None:
    model, reference = tied(NUMPY, tie_ours), tied(TORCH, not tie_ours)
    this, other = ("model", "reference") if tie_ours else ("reference", "model")
    for one in (model, reference):
        randomize(one)
    said = refused(model, reference, IDS)
    assert f"the {this} ties table.weight and head.weight" in said
    assert f"the {other} does not" in said
    assert "copy_weights" not in said
    assert tied_differently(model, reference) in said


@pytest.mark.parametrize("tie", [True, False])
def test_a_tie_on_both_sides_or_on_none_is_no_mistake(tie: bool) -> None:
    model, reference = tied(NUMPY, tie), tied(TORCH, tie)
    randomize(reference)
    copy_weights(reference, model)
    assert tied_differently(model, reference) == ""
    report = compare(model, reference, IDS)
    assert report.agrees, str(report)


@pytest.mark.parametrize("thing", [nn.Linear, torch.nn.Linear, Foreign])
def test_a_class_is_no_model(thing: Any) -> None:
    said = f"got the class {thing.__name__}, expected an object, such as {thing.__name__}"
    assert "the model: " + said in refused(thing, layer())
    assert "the reference: " + said in refused(nn.Linear(I, O), thing)


def test_exchanged_arguments_are_named() -> None:
    assert "the reference: got numpy.ndarray (3, 5, 6)" in refused(nn.Linear(I, O), X, layer())


def test_only_the_two_engines_have_a_tape() -> None:
    reference, ours = layer(), nn.Linear(I, O)
    for pair, said in (
        ((Foreign(values(reference)), reference), "the model is a by hand model, expected one of"),
        ((reference, ours), "the model is a PyTorch model, expected one of NumPy"),
        ((ours, copy.deepcopy(ours)), "the reference is a NumPy model, expected one of PyTorch"),
    ):
        with pytest.raises(TypeError, match=f"^localise: {said}"):
            localise(*pair, X)
