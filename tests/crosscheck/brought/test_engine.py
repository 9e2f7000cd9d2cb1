"""Models on small tensor engines, in the ways that people write these; PyTorch is the oracle."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import ForeignModel
from crosscheck.brought import as_model
from crosscheck.runs import InnerProduct

pytestmark = pytest.mark.usefixtures("no_other_tracer")

RNG = np.random.default_rng(0)
X, W, V = (RNG.standard_normal(shape) for shape in ((3, 4), (4, 5), (5, 2)))


class Tensor:
    """With closures, as micrograd has them; backward starts from ones."""

    def __init__(self, data: Any, parents: Any = ()) -> None:
        self.data = np.asarray(data)
        self.grad = np.zeros_like(self.data)
        self._prev = set(parents)
        self._backward: Any = lambda: None

    def __matmul__(self, other: Any) -> Any:
        out = type(self)(self.data @ other.data, (self, other))

        def _backward() -> None:
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad

        out._backward = _backward
        return out

    def __mul__(self, other: Any) -> Any:
        out = type(self)(self.data * other.data, (self, other))

        def _backward() -> None:
            self.accumulate(out.grad * other.data)
            other.accumulate(out.grad * self.data)

        out._backward = _backward
        return out

    def accumulate(self, gradient: Any) -> None:
        self.grad = self.grad + gradient

    def square(self) -> Any:
        return self * self

    def sum(self) -> Any:
        out = type(self)(self.data.sum(keepdims=True), (self,))

        def _backward() -> None:
            self.grad += out.grad

        out._backward = _backward
        return out

    def backward(self) -> None:
        self.grad = np.ones_like(self.data)
        self._walk()

    def _walk(self) -> None:
        order: list[Any] = []

        def visit(v: Any) -> None:
            if v not in order:
                for parent in sorted(v._prev, key=id):
                    visit(parent)
                order.append(v)

        visit(self)
        for v in reversed(order):
            v._backward()


class TakesArray(Tensor):
    def backward(self, gradient: Any = None) -> None:
        self.grad = np.ones_like(self.data) if gradient is None else gradient
        self._walk()


class TakesTensor(Tensor):
    def backward(self, gradient: Any = None) -> None:
        self.grad = np.ones_like(self.data) if gradient is None else gradient.data.copy()
        self._walk()


class KeepsGrad(Tensor):
    def backward(self) -> None:
        if not self.grad.any():
            self.grad = np.ones_like(self.data)
        self._walk()


WAYS = {
    Tensor: "(output * Tensor(dout)).sum().backward()",
    TakesArray: "output.backward(dout)",
    TakesTensor: "output.backward(TakesTensor(dout))",
    KeepsGrad: "output.grad = dout; output.backward()",
}


class Model:
    def __init__(self, kind: Any) -> None:
        self.layers = [{"weight": kind(W.copy())}, {"weight": kind(V.copy())}]

    def __call__(self, x: Any) -> Any:
        hidden = x @ self.layers[0]["weight"]
        return hidden.square() @ self.layers[1]["weight"]


def function(x: Any, params: Any) -> Any:
    return (x @ params["w"]).square() @ params["v"], None


def expected(dout: np.ndarray) -> list[np.ndarray]:
    leaves = [torch.tensor(array, requires_grad=True) for array in (W, V, X)]
    w, v, x = leaves
    (((x @ w) ** 2) @ v).backward(torch.tensor(dout))
    return [leaf.grad.numpy() for leaf in leaves if leaf.grad is not None]


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("shape", ["object", "function"])
def test_gradients(kind: Any, shape: str) -> None:
    if shape == "object":
        user = Model(kind)
        model, names = as_model(user), ["layers.0.weight", "layers.1.weight"]
    else:
        tensors = {"w": kind(W), "v": kind(V)}
        model, names = as_model(function, parameters=tensors), ["w", "v"]
    assert isinstance(model, ForeignModel)
    assert model.engine == "tensor engine"
    assert list(model.state_dict()) == names
    for _ in range(2):
        output, back = model.linearize(X.copy(), "float64")
        assert output == pytest.approx(((X @ W) ** 2) @ V)
        dout = np.random.default_rng(1).standard_normal(output.shape)
        gradients = back(dout)
        for name, theirs in zip((*names, "input"), expected(dout), strict=True):
            assert gradients[name] == pytest.approx(theirs), name
    assert model.linearize(X.astype("float32"), "float32")[0].dtype == "float32"
    model.load_state_dict({name: 2 * w for name, w in model.state_dict().items()})
    assert model.linearize(X, "float64")[0] == pytest.approx(8 * ((X @ W) ** 2) @ V)
    if shape == "object":
        assert np.array_equal(user.layers[0]["weight"].data, W)
        assert not user.layers[0]["weight"].grad.any()


def line_of(code: Any, text: str) -> int:
    lines, first = inspect.getsourcelines(code)
    return first + next(i for i, line in enumerate(lines) if text in line)


@pytest.mark.parametrize("kind", WAYS)
def test_a_trace_names_op_call_site_and_operand(kind: Any) -> None:
    trace = as_model(Model(kind)).trace(X, InnerProduct(0))
    assert trace.notes == (f"dL/d(output) is sent in by {WAYS[kind]}.",)
    assert set(trace.given) == {"input", "layers.0.weight", "layers.1.weight"}
    assert trace.output is not None
    back = {(r.name, r.place.line): r for r in trace.records if r.backward and r.place is not None}
    first, second = (line_of(Model.__call__, text) for text in ("hidden = x", "return hidden"))
    dw = back["matmul.other.grad", first]
    assert dw.op == "matmul"
    assert dw.value == trace.given["layers.0.weight"]
    assert dw.callers[0].line == line_of(Tensor.__matmul__, "other.grad +=")
    _, dout = InnerProduct(0).of_array(trace.array(trace.output))
    assert trace.array(dw.index) == pytest.approx(expected(dout)[0])
    # The gradient of an operand that a helper of the engine adds up is that operand's too.
    square = back["mul.self.grad", second]
    assert square.callers[0].line == line_of(Tensor.accumulate, "self.grad =")
    assert trace.records[square.value or 0].name == "matmul.out.data"
    forward = [r for r in trace.records if r.name == "mul.out.data" and not r.backward]
    assert [r.place.line for r in forward if r.place is not None] == [second]


class NoWay(Tensor):
    def backward(self, gradient: Any, retain: Any) -> None:
        raise NotImplementedError

    def sum(self) -> Any:
        raise NotImplementedError


def test_an_engine_without_a_way_back_is_told() -> None:
    _, back = as_model(Model(NoWay)).linearize(X, "float64")
    with pytest.raises(TypeError, match=r"^compare: no way was found to send a gradient into"):
        back(np.ones((3, 2)))


def test_an_output_of_another_kind_is_told() -> None:
    model = as_model(lambda x, params: x.data, parameters={"w": Tensor(W)})
    with pytest.raises(TypeError, match=r"^compare: .* expected a Tensor, alone or first in a tup"):
        model.linearize(X, "float64")


class Context:
    kept: Any


class MatMul:
    """An op as a class: forward and backward on arrays, with a context between them."""

    @classmethod
    def apply(cls, *operands: Any) -> Any:
        context = Context()
        out = OfFunctions(cls.forward(context, *(operand.data for operand in operands)))
        out.made_by = cls, context, operands
        return out

    @staticmethod
    def forward(context: Any, a: Any, b: Any) -> Any:
        context.kept = a, b
        return a @ b

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        a, b = context.kept
        return gradient @ b.T, a.T @ gradient


class OfFunctions:
    """Its `.grad` is a tensor too, and is None at first."""

    def __init__(self, data: Any) -> None:
        self.data, self.grad, self.made_by = data, None, None

    def __matmul__(self, other: Any) -> Any:
        return MatMul.apply(self, other)

    def backward(self, gradient: Any = None) -> None:
        self.grad: Any = OfFunctions(np.ones_like(self.data)) if gradient is None else gradient
        if self.made_by is None:
            return
        function, context, operands = self.made_by
        gradients = function.backward(context, self.grad.data)
        for operand, arrived in zip(operands, gradients, strict=True):
            operand.backward(OfFunctions(arrived))


class TwoLayers:
    def __init__(self) -> None:
        self.w, self.v = OfFunctions(W), OfFunctions(V)

    def forward(self, x: Any) -> Any:
        hidden = x @ self.w
        return hidden @ self.v


def test_an_op_that_is_a_class_is_tied_to_its_call_site() -> None:
    model = as_model(TwoLayers())
    output, back = model.linearize(X, "float64")
    gradients = back(output)
    assert gradients["w"] == pytest.approx(X.T @ output @ V.T)
    assert gradients["v"] == pytest.approx((X @ W).T @ output)
    trace = model.trace(X, InnerProduct(0))
    first, second = (line_of(TwoLayers.forward, text) for text in ("hidden = x", "return hidden"))
    dw, dv = (
        next(
            r for r in trace.records if r.name == "matmul.backward.a.T @ gradient" and at(r) == line
        )
        for line in (first, second)
    )
    assert (dw.shape, dv.shape) == (W.shape, V.shape)
    assert dw.op == "matmul"


def at(record: Any) -> int | None:
    return record.place.line if record.place else None
