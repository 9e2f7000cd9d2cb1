"""What a model gives back: one floating tensor, and gradients by name; all else is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY, TORCH, each_engine

import torch
from crosscheck import Batch, Verdict, compare, localise, randomize

C, F = 6, 5
X = np.random.default_rng(0).standard_normal((3, 4, C))


def same(out: Any) -> Any:
    return out


def layers(make_pair: Any, engine: Any, answer: Any) -> Any:
    """A linear layer on both sides; on one of them it returns `answer` of its output."""

    def build(side: Any) -> Any:
        class Layer(side.library.nn.Linear):  # type: ignore[misc, name-defined]
            def forward(self, x: Any) -> Any:
                out = super().forward(x)
                return answer(out) if side is engine else out

        return Layer(C, F)

    return make_pair(build)


@each_engine
@pytest.mark.parametrize(
    "answer",
    [
        lambda out: (out, None),
        lambda out: [None, out],
        lambda out: (out, (out * out).mean()),
        lambda out: (out.mean(), out, [out, out], {"cache": out}),
    ],
)
def test_the_only_tensor_of_a_tuple_is_the_output(make_pair: Any, engine: Any, answer: Any) -> None:
    models = layers(make_pair, engine, answer)
    assert compare(*models, Batch(X)) == compare(*layers(make_pair, engine, same), Batch(X))
    assert localise(*models, X).findings == ()


@each_engine
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda out: None, "returned None from its forward, expected one .* is a return missing"),
        (lambda out: (out, out * 2), r"a tuple of 2 .* super\(\).forward\(.*\)\[0\]"),
        (lambda out: {"logits": out, "loss": 1}, r"'logits', 'loss' .*forward\(.*\)\['logits'\]"),
        (lambda out: (), "returned a tuple of 0"),
        (lambda out: 1.0, "returned float from its forward"),
        (lambda out: out.detach().numpy(), "numpy.ndarray .* return the tensor and not its .data"),
        (lambda out: out.detach() > 0, r"returned bool \(3, 4, 5\), expected floats"),
    ],
)
def test_what_is_not_one_floating_tensor_is_named(
    make_pair: Any, engine: Any, answer: Any, said: str
) -> None:
    models = layers(make_pair, engine, answer)
    for call in (compare, localise):
        with pytest.raises(TypeError, match=f"^compare: the {engine.name} model Layer .*{said}"):
            call(*models, X)  # type: ignore[operator]


def test_the_advice_about_a_tuple_helps(make_pair: Any) -> None:
    ours, theirs = layers(make_pair, TORCH, lambda out: (out, out.sum()))

    class First(type(theirs)):  # type: ignore[misc]
        def forward(self, *inputs: Any, **options: Any) -> Any:
            return super().forward(*inputs, **options)[0]

    theirs.__class__ = First
    assert compare(ours, theirs, X).agrees


def test_complex_outputs_are_refused(make_pair: Any) -> None:
    models = layers(make_pair, TORCH, lambda out: torch.complex(out, out))
    with pytest.raises(TypeError, match=r"^compare: .* complex128 .* real and imaginary parts"):
        compare(*models, X)


@each_engine
def test_what_the_models_own_code_raises_is_its_own(make_pair: Any, engine: Any) -> None:
    def fails(out: Any) -> Any:
        raise KeyError("heads")

    with pytest.raises(KeyError, match="heads"):
        compare(*layers(make_pair, engine, fails), X)


def test_where_nothing_requires_grad_there_is_no_gradient(make_pair: Any) -> None:
    ours, theirs = make_pair(lambda engine: engine.library.nn.Embedding(7, F))
    for model in (ours, theirs):
        model.requires_grad_(False)
    report = compare(ours, theirs, np.arange(6).reshape(2, 3))
    rows = {row.name: row for row in report.comparisons[0].rows}
    assert rows["output"].verdict == Verdict.AGREE
    assert rows["weight"].norm is rows["weight"].norm_reference is None


class ByHand:
    """x @ weight.T + bias, whose answers are spoilt."""

    engine = "by hand"

    def __init__(self, answer: Any = same, output: Any = same, gradients: Any = same) -> None:
        self.layer = torch.nn.Linear(C, F)
        randomize(self.layer)
        self.answer, self.output, self.gradients = answer, output, gradients

    def state_dict(self) -> Any:
        return self.layer.state_dict()  # tensors of PyTorch

    def linearize(self, inputs: np.ndarray, dtype: str) -> Any:
        weight, bias = (w.detach().numpy().astype(dtype) for w in self.layer.parameters())

        def back(dout: np.ndarray) -> Any:
            rows = dout.reshape(-1, F)
            dweight, dinput = rows.T @ inputs.reshape(-1, C), dout @ weight
            return self.gradients({"weight": dweight, "bias": rows.sum(0), "input": dinput})

        return self.answer((self.output(inputs @ weight.T + bias), back))


def each(change: Any) -> Any:
    return lambda gradients: {name: change(g) for name, g in gradients.items()}


@pytest.mark.parametrize(
    "kinds",
    [
        {"gradients": each(np.ndarray.tolist), "output": np.ndarray.tolist},
        {"gradients": each(torch.tensor), "output": torch.tensor},
        {"gradients": each(lambda g: torch.tensor(g, requires_grad=True))},
        {"gradients": each(NUMPY.tensor), "output": NUMPY.tensor, "answer": list},
    ],
)
def test_another_engine_may_answer_in_lists_and_tensors(kinds: Any) -> None:
    model = ByHand(**kinds)
    report = compare(model, model.layer, X)
    assert report.agrees, str(report)


def renamed(old: str, new: str) -> Any:
    return lambda gradients: {new if n == old else n: g for n, g in gradients.items()}


def changed(name: str, value: Any) -> Any:
    return lambda gradients: {**gradients, name: value}


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"answer": lambda a: None}, "linearize of .* returned None, expected the output and"),
        ({"answer": lambda a: a[0]}, "linearize of .* returned numpy.ndarray .* way back"),
        ({"answer": lambda a: (*a, 1)}, "linearize of .* returned a tuple of 3"),
        ({"answer": lambda a: a[::-1]}, "linearize of .* returned a tuple of 2"),
        ({"output": lambda out: None}, "the output of .* got None"),
        ({"output": lambda out: (out, None)}, "the output of .* got a tuple of 2"),
        ({"output": lambda out: out * 1j}, "the output of .* of complex128"),
        ({"output": lambda out: out.astype(int)}, "returned int64 .* expected floats"),
        ({"gradients": lambda g: None}, "way back of .* returned None, expected a mapping"),
        ({"gradients": lambda g: list(g.values())}, "way back of .* returned a list of 3"),
        ({"gradients": renamed("weight", "weights")}, r"'weights' \(did you mean 'weight'\?\)"),
        ({"gradients": changed("momentum", 0.0)}, "'momentum', which its state_dict does not"),
        ({"gradients": changed("bias", "text")}, "the gradient of 'bias' by .* got str"),
        ({"gradients": changed("bias", [[1.0], [2.0, 3.0]])}, "gradient of 'bias' .* a list of 2"),
        ({"gradients": changed("bias", 1j * np.ones(F))}, "gradient of 'bias' .* of complex128"),
    ],
)
def test_answers_of_another_engine_that_make_no_sense_are_named(kinds: Any, said: str) -> None:
    model = ByHand(**kinds)
    with pytest.raises((TypeError, ValueError), match=r"^compare: .*the by hand model ByHand") as e:
        compare(model, model.layer, X)
    assert e.match(said)


def test_a_state_dict_is_a_mapping() -> None:
    model = ByHand()
    model.state_dict = lambda: ["weight"]  # type: ignore[method-assign]
    with pytest.raises(TypeError, match=r"^compare: state_dict of .* a list of 1 \(str\)"):
        compare(model, model.layer, X)
