"""Code in NumPy by hand, in the ways that people write it; PyTorch is the oracle."""

from __future__ import annotations

import functools
import types
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import Batch, ForeignModel
from crosscheck.brought import as_model
from crosscheck.runs import COTANGENT, run

pytestmark = pytest.mark.usefixtures("no_other_tracer")

B, I, H, O = 3, 4, 5, 2  # noqa: E741
RNG = np.random.default_rng(0)
X = RNG.standard_normal((B, I))
VALUES = {
    "W1": RNG.standard_normal((I, H)), "b1": RNG.standard_normal(H),
    "W2": RNG.standard_normal((H, O)), "b2": RNG.standard_normal(O),
}  # fmt: skip


def net(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:  # noqa: N803
    hidden = np.tanh(x @ W1 + b1)
    return hidden @ W2 + b2, (x, hidden)


def net_back(dout: Any, kept: Any, W1: Any, W2: Any) -> Any:  # noqa: N803
    x, hidden = kept
    dpre = (dout @ W2.T) * (1 - hidden**2)
    return dpre @ W1.T, x.T @ dpre, dpre.sum(0), hidden.T @ dout, dout.sum(0)


def with_dict(x: Any, params: Any) -> Any:
    out, kept = net(x, **params)
    return out, (kept, params)


def dict_back(dout: Any, cache: Any) -> Any:
    kept, p = cache
    dx, *rest = net_back(dout, kept, p["W1"], p["W2"])
    return dx, dict(zip(VALUES, rest, strict=True))


def marked_back(cache: Any, dout: Any) -> Any:
    dx, grads = dict_back(dout, cache)
    return {"d" + name: g for name, g in grads.items()}, dx


def only_out(params: Any, x: Any) -> Any:
    return net(x, **params)[0]


def recomputes(d_out: Any, x: Any, params: Any) -> Any:
    return dict_back(d_out, with_dict(x, params)[1])


def closure(x: Any, p: Any) -> Any:
    out, cache = with_dict(x, p)
    return out, lambda dout: dict_back(dout, cache)


def both_ways(x: Any, params: Any, dout: Any = None) -> Any:
    out, cache = with_dict(x, params)
    if dout is None:
        return out
    return out, dict_back(dout, cache)


def in_place(x: Any, params: Any) -> Any:
    out, cache = with_dict(x.copy(), params)
    x *= 0
    params["W1"] += 1
    return out, (cache[0], {**params, "W1": params["W1"] - 1})


def lists(x: Any, layers: Any) -> Any:
    flat = [array for pair in layers for array in pair]
    out, kept = net(x, *flat)
    return out, (kept, flat)


def lists_back(dout: Any, cache: Any) -> Any:
    kept, flat = cache
    dx, *g = net_back(dout, kept, flat[0], flat[2])
    return dx, [(g[0], g[1]), (g[2], g[3])]


NESTED = [(VALUES["W1"], VALUES["b1"]), (VALUES["W2"], VALUES["b2"])]


class Linear:
    def __init__(self, weight: Any, bias: Any, style: str) -> None:
        self.W, self.b, self.style = weight.copy(), bias.copy(), style
        self.cache: Any = None
        if style == "sums":
            self.dW, self.db = np.ones_like(weight), np.ones_like(bias)  # of an earlier pass

    def __call__(self, x: Any) -> Any:
        self.cache = x
        return x @ self.W + self.b

    def backward(self, dy: Any) -> Any:
        dW, db = self.cache.T @ dy, dy.sum(0)
        if self.style == "sums":
            self.dW += dW
            self.db += db
        elif self.style == "marks":
            self.grad_W, self.grad_b = dW, db
        elif self.style == "grads":
            self.grads = {"W": dW, "b": db}
        return dy @ self.W.T


class Net:
    def __init__(self, style: str) -> None:
        self.layers = [
            Linear(VALUES["W1"], VALUES["b1"], style),
            Linear(VALUES["W2"], VALUES["b2"], style),
        ]
        self.causal_mask = np.full((2, 2), -np.inf)

    def forward(self, x: Any) -> Any:
        self.hidden = np.tanh(self.layers[0](x))
        return self.layers[1](self.hidden)

    def backward(self, dout: Any) -> Any:
        dhidden = self.layers[1].backward(dout)
        return self.layers[0].backward(dhidden * (1 - self.hidden**2))


class OneDictionary:
    def __init__(self) -> None:
        self.params = {name: array.copy() for name, array in VALUES.items()}
        self.grads: dict[str, Any] = {}

    def forward(self, x: Any) -> Any:
        out, self.cache = with_dict(x, self.params)
        return out

    def backward(self, dout: Any) -> None:
        self.dx, grads = dict_back(dout, self.cache)
        self.grads.update(grads)


WAYS: dict[str, Any] = {
    "separate arguments": lambda: as_model((net, net_back), parameters=VALUES),
    "a dictionary": lambda: as_model((with_dict, dict_back), parameters=VALUES),
    "the pair in the other order": lambda: as_model([dict_back, with_dict], parameters=VALUES),
    "arguments and results in the other order": lambda: as_model(
        (with_dict, marked_back), parameters=lambda: VALUES
    ),
    "no cache": lambda: as_model((only_out, recomputes), parameters=VALUES),
    "a closure": lambda: as_model(closure, parameters=VALUES),
    "one function": lambda: as_model(both_ways, parameters=VALUES),
    "changed in place": lambda: as_model((in_place, dict_back), parameters=VALUES),
    "lists of tuples": lambda: as_model((lists, lists_back), parameters=NESTED),
    "attributes that add up": lambda: as_model(Net("sums")),
    "attributes with a mark": lambda: as_model(Net("marks")),
    "attributes in dictionaries": lambda: as_model(Net("grads")),
    "an object with one dictionary": lambda: as_model(OneDictionary()),
    "a module": lambda: as_model(
        types.SimpleNamespace(forward=with_dict, backward=dict_back), parameters=VALUES
    ),
    "a partial function": lambda: as_model(functools.partial(both_ways), parameters=VALUES),
}


def torch_gradients(dout: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients by PyTorch, in the order W1, b1, W2, b2, and of the input."""
    x = torch.tensor(X, requires_grad=True)
    w = {name: torch.tensor(array, requires_grad=True) for name, array in VALUES.items()}
    out = torch.tanh(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]
    out.backward(torch.tensor(dout))
    leaves = {**w, "input": x}
    return {name: leaf.grad.numpy() for name, leaf in leaves.items() if leaf.grad is not None}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_it(way: str) -> None:
    before = {name: array.copy() for name, array in VALUES.items()}
    model = WAYS[way]()
    assert isinstance(model, ForeignModel)
    assert model.engine == "NumPy by hand"
    names = list(model.state_dict())
    expected = list(VALUES.values())
    assert [model.state_dict()[name].shape for name in names] == [w.shape for w in expected]
    inputs = X.copy()
    for _ in range(2):  # nothing is left of a run
        output, back = model.linearize(inputs, "float64")
        assert output == pytest.approx(net(X, **before)[0])
        dout = np.random.default_rng(1).standard_normal(output.shape)
        gradients = back(dout)
        wanted = torch_gradients(dout)
        for name, theirs in zip((*names, "input"), (*VALUES, "input"), strict=True):
            assert gradients[name] == pytest.approx(wanted[theirs]), name
    assert np.array_equal(inputs, X)
    assert all(np.array_equal(VALUES[name], before[name]) for name in VALUES)
    single, _ = model.linearize(X.astype("float32"), "float32")
    assert single.dtype == "float32"


@pytest.mark.parametrize("way", WAYS)
def test_a_trace_has_what_was_given_and_what_was_made(way: str) -> None:
    model = WAYS[way]()
    whole = run(model, Batch(X), dtype="float64", loss=COTANGENT)
    trace = model.trace(X, FixedLoss())
    assert set(trace.given) == {"input", *model.state_dict()}
    assert np.array_equal(trace.array(trace.given["input"]), X)
    assert trace.output is not None
    assert trace.dout is not None
    assert trace.array(trace.output) == pytest.approx(whole.output)
    held = [trace.array(record.index) for record in trace.records if record.backward]
    _, back = model.linearize(X, "float64")
    for name, gradient in back(FixedLoss().of_array(whole.output)[1]).items():
        found = [x for x in held if x.shape == gradient.shape and np.allclose(x, gradient)]
        assert found, name
    assert all(source < record.index for record in trace.records for source in record.sources)
    assert trace.notes == ()
    few = model.trace(X, FixedLoss(), [trace.output])
    assert list(few.arrays) == [trace.output]
    assert [r.place for r in few.records] == [r.place for r in trace.records]


class FixedLoss:
    def of_array(self, output: Any) -> Any:
        dout = np.random.default_rng(1).standard_normal(output.shape)
        return (output * dout).sum(), dout

    def of_tensor(self, side: Any, output: Any) -> Any:
        raise AssertionError


def test_names_and_values() -> None:
    model = as_model(Net("sums"))
    assert list(model.state_dict()) == ["layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b"]
    moved = {name: array + 1 for name, array in model.state_dict().items()}
    model.load_state_dict(moved)
    assert model.linearize(X, "float64")[0] == pytest.approx(
        net(X, *(array + 1 for array in VALUES.values()))[0]
    )
    nested = as_model((lists, lists_back), parameters=NESTED)
    assert list(nested.state_dict()) == ["0.0", "0.1", "1.0", "1.1"]
    nested.load_state_dict({name: 2 * w for name, w in nested.state_dict().items()})
    assert np.array_equal(nested.state_dict()["0.0"], 2 * VALUES["W1"])


def test_all_arrays_that_functions_are_given_are_parameters() -> None:
    model = as_model(lambda x, p: x * p["gb"] + p["b"], parameters={"b": X[0], "gb": X[1]})
    assert list(model.state_dict()) == ["b", "gb"]
    assert list(as_model(Net("sums"), parameters=["layers.0.b"]).state_dict()) == ["layers.0.b"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda w: {**w, "W3": w["W1"]}, r"no parameter 'W3'"),
        (lambda w: {n: x for n, x in w.items() if n != "b1"}, "lack 'b1'"),
        (lambda w: {**w, "b1": w["b2"]}, r"'b1' of shape \(2,\), expected \(5,\)"),
    ],
)
def test_weights_are_exact(change: Any, match: str) -> None:
    model = as_model((with_dict, dict_back), parameters=VALUES)
    with pytest.raises(ValueError, match=f"^compare: .*{match}"):
        model.load_state_dict(change(model.state_dict()))


def test_a_run_that_raises_is_traced_as_far_as_it_came() -> None:
    def backward(dout: Any, cache: Any) -> Any:
        dhidden = dout @ VALUES["W2"].T
        raise KeyError("W3", dhidden.shape)

    model = as_model((with_dict, backward), parameters=VALUES)
    with pytest.raises(KeyError):
        model.linearize(X, "float64")[1](np.ones((B, O)))
    trace = model.trace(X, FixedLoss())
    assert trace.output is not None
    assert trace.records[-1].name == "dhidden"
    assert trace.notes == ("The traced run ended with KeyError: ('W3', (3, 5))",)


def test_forward_only() -> None:
    model = as_model(only_out, parameters=VALUES)
    output, back = model.linearize(X, "float64")
    assert back is None
    done = run(model, Batch(X), dtype="float64", loss=COTANGENT)
    assert np.array_equal(done.output, output)
    assert done.gradients == {}
    assert model.trace(X, FixedLoss()).dout is None


def test_tokens_have_no_gradient() -> None:
    def forward(tokens: Any, table: Any) -> Any:
        return table[tokens], tokens

    def backward(dout: Any, tokens: Any, table: Any) -> Any:
        dtable = np.zeros_like(table)
        np.add.at(dtable, tokens, dout)
        return {"table": dtable}

    model = as_model((forward, backward), parameters={"table": RNG.standard_normal((7, 3))})
    ids = np.array([[1, 1, 6], [0, 1, 2]])
    output, back = model.linearize(ids, "float64")
    gradients = back(np.ones_like(output))
    assert set(gradients) == {"table"}
    assert gradients["table"][:, 0].tolist() == [1, 3, 1, 0, 0, 0, 1]
    trace = model.trace(ids, FixedLoss())
    assert [record.name for record in trace.records if record.changed] == ["dtable"]


def test_a_gradient_of_another_shape_is_given_back_as_it_is() -> None:
    def backward(dout: Any, cache: Any) -> Any:
        dx, grads = dict_back(dout, cache)
        return dx, {**grads, "W1": grads["W1"].T}

    _, back = as_model((with_dict, backward), parameters=VALUES).linearize(X, "float64")
    assert back(np.ones((B, O)))["W1"].shape == (H, I)


class NoForward:
    weight = 1


def lacks(x: Any, weights: Any, size: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: as_model(Net), r"got the class Net, expected an object, such as Net\("),
        (lambda: as_model(NoForward()), "NoForward, expected a module"),
        (lambda: as_model((net, net_back, net)), "expected a module"),
        (lambda: as_model((net, dict_back)), "takes x, W1, b1, W2, b2, and its parameters are not"),
        (lambda: as_model((net, dict_back), parameters=3), "must be arrays of floats"),
        (
            lambda: as_model(Net("sums"), parameters=["layers.0.w"]),
            "no parameter .layers.0.w. .did you mean",
        ),
        (lambda: as_model(lacks, parameters=VALUES).linearize(X, "float64"), "takes 'size'"),
        (
            lambda: as_model(lambda x, params: {"out": x}, parameters=VALUES).linearize(
                X, "float64"
            ),
            "a dict with 'out' from its forward, expected the output as an array",
        ),
        (
            lambda: as_model((with_dict, lambda dout, cache: None), parameters=VALUES).linearize(
                X, "float64"
            )[1](np.ones((B, O))),
            "was found after the backward",
        ),
    ],
)
def test_mistakes_are_told(make: Any, match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^compare: .*{match}"):
        make()


def test_what_is_known_comes_back_as_it_is() -> None:
    layer = torch.nn.Linear(2, 3)
    assert as_model(layer) is layer
    model = as_model((with_dict, dict_back), parameters=VALUES)
    assert as_model(model) is model


class _Cell:
    """An array and its gradient, as the tape of a small engine has them."""

    def __init__(self, value: Any) -> None:
        self.value, self.grad = value, None


class _Scale:
    def __init__(self) -> None:
        self.cells = {"scale": _Cell(np.arange(1.0, 5.0)), "shift": _Cell(np.ones(4))}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.cells["scale"].value + self.cells["shift"].value

    def backward(self, dout: Any) -> Any:
        self.cells["scale"].grad = (dout * self.x).sum(0)
        self.cells["shift"].grad = dout.sum(0)
        return dout * self.cells["scale"].value


def test_a_gradient_may_stand_beside_its_array() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4))
    model = as_model(_Scale())
    assert list(model.state_dict()) == ["cells.scale.value", "cells.shift.value"]
    _, way_back = model.linearize(x, "float64")
    given = way_back(np.ones((3, 4)))
    np.testing.assert_allclose(given["cells.scale.value"], x.sum(0))
    np.testing.assert_allclose(given["cells.shift.value"], 3.0)
