"""A model of any other engine, by the protocol's two methods: here a linear layer, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import Batch, ForeignModel, Verdict, compare, randomize
from crosscheck.runs import COTANGENT, run

I, O = 6, 4  # noqa: E741
X = np.random.default_rng(0).standard_normal((3, 5, I))


class ByHand:
    """x @ weight.T + bias, and its gradients in closed form; `bend` may spoil them."""

    engine = "by hand"

    def __init__(self, layer: torch.nn.Linear, bend: Any = lambda gradients: gradients) -> None:
        self.weights = {n: w.detach().numpy().copy() for n, w in layer.state_dict().items()}
        self.bend = bend
        self.dtypes: list[str] = []

    def state_dict(self) -> dict[str, np.ndarray]:
        return self.weights

    def linearize(self, inputs: np.ndarray, dtype: str, **options: Any) -> Any:
        self.dtypes.append(dtype)
        weight, bias = (self.weights[name].astype(dtype) for name in ("weight", "bias"))

        def back(dout: np.ndarray) -> dict[str, np.ndarray]:
            rows = dout.reshape(-1, O)
            return self.bend(  # type: ignore[no-any-return]
                {
                    "weight": rows.T @ inputs.reshape(-1, I),
                    "bias": rows.sum(axis=0),
                    "input": dout @ weight,
                }
            )

        return inputs @ weight.T + bias, back


@pytest.fixture
def layer() -> torch.nn.Linear:
    layer = torch.nn.Linear(I, O)
    randomize(layer)
    return layer


def verdicts(report: Any) -> dict[str, Verdict]:
    return {row.name: row.verdict for row in report.comparisons[-1].rows}


def test_it_is_a_foreign_model(layer: torch.nn.Linear) -> None:
    assert isinstance(ByHand(layer), ForeignModel)
    assert not isinstance(layer, ForeignModel)


@pytest.mark.parametrize("dtype", ["both", "float64", "float32"])
def test_an_honest_one_agrees_in_every_row(layer: torch.nn.Linear, dtype: str) -> None:
    model = ByHand(layer)
    report = compare(model, layer, Batch(X), dtype=dtype)
    assert report.agrees, str(report)
    assert set(verdicts(report)) == {"output", "weight", "bias", "input"}
    expected = {"both": ["float64", "float32"], "float64": ["float64"], "float32": ["float32"]}
    # The runs before them show how the model behaves.
    assert model.dtypes[-len(expected[dtype]) :] == expected[dtype]


def test_cross_entropy_goes_back_from_the_output(layer: torch.nn.Linear) -> None:
    targets = np.random.default_rng(1).integers(0, O, X.shape[:-1])
    report = compare(ByHand(layer), layer, Batch(X, targets))
    assert report.agrees, str(report)
    assert [c.loss for c in report.comparisons] == ["cross-entropy", "random cotangent"]
    assert report.comparisons[0].value == pytest.approx(report.comparisons[0].value_reference)


def spoil(name: str, change: Any) -> Any:
    return lambda gradients: {**gradients, name: change(gradients[name])}


def without(name: str) -> Any:
    return lambda gradients: {n: g for n, g in gradients.items() if n != name}


@pytest.mark.parametrize(
    ("bend", "name", "verdict"),
    [
        (spoil("weight", lambda g: g * (1 + 1e-8)), "weight", Verdict.DISAGREE),
        (spoil("bias", np.negative), "bias", Verdict.DISAGREE),
        (spoil("input", lambda g: g[..., ::-1]), "input", Verdict.DISAGREE),
        (spoil("weight", np.transpose), "weight", Verdict.SHAPE),
        (spoil("bias", lambda g: g.astype(np.float64)), "bias", Verdict.DTYPE),
        (spoil("bias", lambda g: g * np.nan), "bias", Verdict.NOT_FINITE),
        (spoil("weight", lambda g: None), "weight", Verdict.MISSING),
        (without("bias"), "bias", Verdict.MISSING),
        (without("input"), "input", Verdict.MISSING),
    ],
)
def test_a_spoilt_gradient_is_caught_and_no_other(
    layer: torch.nn.Linear, bend: Any, name: str, verdict: Verdict
) -> None:
    report = compare(ByHand(layer, bend), layer, Batch(X))
    assert not report.agrees
    bad = {n: v for n, v in verdicts(report).items() if not v.good}
    assert bad == {name: verdict}
    assert report.localisation is None  # there is no tape of another engine


def test_weights_that_differ_are_told(layer: torch.nn.Linear) -> None:
    model = ByHand(layer)
    model.weights["bias"] = model.weights["bias"] + 1
    with pytest.raises(ValueError, match="the models' weights differ in bias"):
        compare(model, layer, Batch(X))


def test_options_are_passed_on(layer: torch.nn.Linear) -> None:
    class Scaled(torch.nn.Linear):
        def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
            return super().forward(x) * scale

    seen: list[Any] = []

    class Listening(ByHand):
        def linearize(self, inputs: np.ndarray, dtype: str, **options: Any) -> Any:
            seen.append(options)
            out, back = super().linearize(inputs, dtype)
            return out * options["scale"], lambda dout: back(dout * options["scale"])

    reference = Scaled(I, O)
    reference.load_state_dict(layer.state_dict())
    report = compare(Listening(layer), reference, Batch(X, None, {"scale": 3.0}))
    assert report.agrees, str(report)
    assert seen
    assert all(options == {"scale": 3.0} for options in seen)


def test_what_it_writes_over_is_its_own(layer: torch.nn.Linear) -> None:
    class Careless(ByHand):
        def linearize(self, inputs: np.ndarray, dtype: str, **options: Any) -> Any:
            out, back = super().linearize(inputs.copy(), dtype)
            inputs[...] = 0

            def write_over_and_go_back(dout: np.ndarray) -> Any:
                out[...] = 0
                return back(dout)

            return out, write_over_and_go_back

    ids = np.arange(3 * I).reshape(3, I)
    left = run(Careless(layer), batch := Batch(ids.copy()), dtype="float64", loss=COTANGENT)
    honest = run(ByHand(layer), batch, dtype="float64", loss=COTANGENT)
    np.testing.assert_array_equal(batch.inputs, ids)
    np.testing.assert_array_equal(left.output, honest.output)
    assert np.abs(honest.output).max() > 1


class NoWayBack:
    engine = "half"

    def state_dict(self) -> dict[str, np.ndarray]:
        return {}


@pytest.mark.parametrize("thing", [object(), NoWayBack(), None, "a model"])
def test_what_is_no_model_is_told_what_is_missing(layer: torch.nn.Linear, thing: Any) -> None:
    kind = type(thing).__name__.replace("NoneType", "None")
    with pytest.raises(TypeError, match=f"^compare: the model: got .*{kind}, expected a module"):
        compare(thing, layer, Batch(X))


def test_the_reference_may_be_of_any_engine(layer: torch.nn.Linear) -> None:
    report = compare(ByHand(layer), ByHand(layer), Batch(X))
    assert report.agrees, str(report)
    wrong = ByHand(layer, lambda gradients: {**gradients, "bias": 2 * gradients["bias"]})
    report = compare(wrong, ByHand(layer), Batch(X))
    assert [row.name for _, row in report.wrong] == ["bias"]
    assert "only a reference in PyTorch shows what its values are" in str(report)


class ForwardOnly(ByHand):
    def linearize(self, inputs: np.ndarray, dtype: str, **options: Any) -> Any:
        return super().linearize(inputs, dtype, **options)[0], None


def test_a_model_without_a_way_back_has_no_gradients(layer: torch.nn.Linear) -> None:
    whole, forward = (
        run(model, Batch(X), dtype="float64", loss=COTANGENT)
        for model in (ByHand(layer), ForwardOnly(layer))
    )
    assert set(whole.gradients) == {"weight", "bias", "input"}
    assert forward.gradients == {}
    assert np.array_equal(forward.output, whole.output)
