from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, nn

X = np.random.default_rng(0).normal(size=(2, 3, 5))
IDS = np.array([[3, 0, 6], [6, 6, 1]])

LAYERS: list[Any] = [
    (lambda nn: nn.Identity(), X),
    (lambda nn: nn.Linear(5, 7), X),
    (lambda nn: nn.Linear(5, 7, bias=False), X),
    (lambda nn: nn.LayerNorm(5), X),
    (lambda nn: nn.LayerNorm((3, 5), eps=1e-3), X),
    (lambda nn: nn.LayerNorm([5], elementwise_affine=False), X),
    (lambda nn: nn.LayerNorm(5, bias=False), X),
    (lambda nn: nn.Embedding(7, 4), IDS),
    (lambda nn: nn.Dropout(0.0), X),
    (lambda nn: nn.Dropout(0.4).eval(), X),
    (lambda nn: nn.GELU(), X),
    (lambda nn: nn.GELU("tanh"), X),
    (lambda nn: nn.ReLU(), X),
]
EACH = pytest.mark.parametrize(("make", "x"), LAYERS)


def same_weights(make: Any, dtype: str) -> tuple[Any, Any]:
    """The layer on both sides, with the same random weights."""
    ours, theirs = make(nn).to(dtype), make(torch.nn).to(getattr(torch, dtype))
    generator = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.tensor(generator.normal(1.0, 0.5, tuple(parameter.shape))))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def gradients(layer: Any, x: Any, dout: Any) -> list[Any]:
    """The output, then the gradients of the input, if it has one, and of each parameter."""
    out = layer(x)
    out.backward(dout)
    grads = [p.grad for _, p in layer.named_parameters()]
    return [out.detach(), *([x.grad] if x.requires_grad else []), *grads]


@EACH
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-6)])
def test_values_and_gradients(make: Any, x: np.ndarray, dtype: str, tolerance: float) -> None:
    ours, theirs = same_weights(make, dtype)
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    wanted = x.dtype.kind == "f"
    shape = theirs(torch.tensor(x)).shape
    dout = np.random.default_rng(2).normal(size=tuple(shape)).astype(dtype)
    found = gradients(ours, Tensor(x, requires_grad=wanted), Tensor(dout))
    expected = gradients(theirs, torch.tensor(x, requires_grad=wanted), torch.tensor(dout))
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a.data, b.numpy(), rtol=tolerance, atol=4 * tolerance)


@EACH
def test_the_text_and_the_names_are_pytorchs(make: Any, x: Any) -> None:
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    shapes = {name: tuple(p.shape) for name, p in theirs.state_dict().items()}
    assert {name: p.shape for name, p in ours.state_dict().items()} == shapes
    assert all(p.dtype == np.float32 for p in ours.parameters())


def test_linear_starts_as_in_pytorch() -> None:
    layer = nn.Linear(400, 300)
    bound = 1 / 20  # the square root of 400
    for parameter in layer.parameters():
        assert np.abs(parameter.data).max() <= bound
    assert layer.weight.data.std() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert layer.bias.data.std() == pytest.approx(bound / 3**0.5, rel=0.1)
    assert nn.Linear(1, 50).bias.data.std() > 0.4
    theirs = torch.nn.Linear(400, 300).weight
    assert layer.weight.data.std() == pytest.approx(theirs.std().item(), rel=0.02)


def test_embedding_starts_as_in_pytorch() -> None:
    weight = nn.Embedding(500, 400).weight.data
    assert weight.std() == pytest.approx(1.0, rel=0.02)
    assert weight.mean() == pytest.approx(0.0, abs=0.02)


def test_layer_norm_starts_as_the_plain_normalisation() -> None:
    layer = nn.LayerNorm(5)
    assert layer.weight.tolist() == [1.0] * 5
    assert layer.bias.tolist() == [0.0] * 5


def test_a_generator_repeats_the_start() -> None:
    for layer in (nn.Linear(3, 5), nn.Embedding(3, 5)):
        starts = []
        for _ in range(2):
            layer.reset_parameters(np.random.default_rng(3))
            starts.append([p.data.copy() for p in layer.parameters()])
        for a, b in zip(*starts, strict=True):
            np.testing.assert_array_equal(a, b)
    assert (nn.Linear(3, 5).weight != nn.Linear(3, 5).weight).any()


def test_a_layer_without_inputs() -> None:
    layer = nn.Linear(0, 3)
    assert layer.bias.tolist() == [0.0] * 3
    assert layer(Tensor(np.zeros((2, 0), dtype=np.float32))).tolist() == [[0.0] * 3] * 2


def test_dropout_drops_in_training_only() -> None:
    layer = nn.Dropout(0.3, generator=np.random.default_rng(0))
    x = Tensor(np.ones((400, 500), dtype=np.float32))
    out = layer(x).data
    assert out.dtype == np.float32
    assert (out == 0).mean() == pytest.approx(0.3, abs=0.005)
    assert np.unique(out).tolist() == pytest.approx([0, 1 / 0.7])
    assert (layer(x).data != out).any()  # each call draws anew
    assert layer.eval()(x) is x


def test_dropout_is_determined_by_its_generator() -> None:
    x = Tensor(np.ones(50))
    first, again = (
        nn.Dropout(0.5, generator=np.random.default_rng(4))(x).tolist() for _ in range(2)
    )
    assert first == again
    assert nn.Dropout(0.5)(x).tolist() != nn.Dropout(0.5)(x).tolist()
    assert nn.Dropout().p == torch.nn.Dropout().p
    assert nn.Dropout(1.0)(x).tolist() == [0.0] * 50


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match=f"^Dropout: p is {p}, expected a probability between 0"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match="probability"):
        torch.nn.Dropout(p)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Linear(5, 7)(Tensor([1.0])), r"^linear: weight has shape \(7, 5\)"),
        (lambda: nn.LayerNorm(5)(Tensor([1.0])), r"^layer_norm: normalized_shape is \(5,\), but"),
        (lambda: nn.Embedding(7, 4)(Tensor([7])), "^embedding: index 7 is outside the table of 7"),
        (lambda: nn.GELU("erf")(Tensor([1.0])), "^gelu: approximate is 'erf', expected"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_float64_into_a_float32_layer() -> None:
    with pytest.raises(TypeError, match=r"^linear: inputs \(2, 5\) float64, \(7, 5\) float32"):
        nn.Linear(5, 7)(Tensor(np.ones((2, 5))))
