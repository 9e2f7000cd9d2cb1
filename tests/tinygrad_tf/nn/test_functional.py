import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.nn import functional as F

Check = Callable[..., None]
TF = torch.nn.functional
WRAPPERS = ["softmax", "log_softmax", "layer_norm", "dropout", "cross_entropy"]


@pytest.mark.parametrize("name", WRAPPERS)
def test_arguments_have_pytorchs_names_order_and_defaults(name: str) -> None:
    """All but the arguments that we do not have, and the generator, which only we have."""
    ours = inspect.signature(vars(F)[name]).parameters
    theirs = inspect.signature(getattr(TF, name)).parameters
    assert [n for n in theirs if n in ours] == [n for n in ours if n != "generator"]
    for argument, parameter in ours.items():
        if argument != "generator" and parameter.default is not inspect.Parameter.empty:
            assert parameter.default == theirs[argument].default


def test_everything_public_is_there_and_in_pytorch_too() -> None:
    for name in F.__all__:
        assert callable(vars(F)[name])
        assert callable(getattr(TF, name))


QKV = [(2, 4, 3), (2, 5, 3), (2, 5, 6)]
CALLS: list[Any] = [
    (lambda f, x: f.softmax(x, 1), [(2, 3, 4)]),
    (lambda f, x: f.softmax(input=x, dim=-1), [(2, 3, 4)]),
    (lambda f, x: f.log_softmax(x, dim=0), [(2, 3, 4)]),
    (lambda f, x: f.gelu(x), [(2, 3)]),
    (lambda f, x: f.gelu(x, approximate="tanh"), [(2, 3)]),
    (lambda f, x: f.relu(x), [(2, 3)]),
    (lambda f, x: f.tanh(x), [(4, 3)]),
    (lambda f, x: f.sigmoid(x), [(2, 3)]),
    (lambda f, x, w: f.linear(x, w), [(2, 3), (4, 3)]),
    (lambda f, x, w, b: f.linear(x, w, b), [(2, 3), (4, 3), (4,)]),
    (lambda f, x: f.dropout(x, 0.5, False), [(2, 3)]),
    (lambda f, x: f.dropout(x, p=0.0), [(2, 3)]),
    (lambda f, q, k, v: f.scaled_dot_product_attention(q, k, v), QKV),
    (
        lambda f, q, k, v, m: f.scaled_dot_product_attention(q, k, v, m, 0.0, False, scale=0.3),
        [*QKV, (4, 5)],
    ),
    (
        lambda f, q, k, v, m: f.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=m),
        [*QKV, (4, 5)],
    ),
    (
        lambda f, q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True),
        QKV,
    ),
]


@pytest.mark.parametrize(("call", "shapes"), CALLS)
def test_values_and_gradients(call: Any, shapes: Any, check_op: Check) -> None:
    check_op(partial(call, F), *shapes, theirs=partial(call, TF))


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 4, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("affine", ["both", "weight", "bias", "none"])
def test_layer_norm_over_several_axes(shape: Any, affine: str, check_op: Check) -> None:
    def call(lib: Any, x: Any, a: Any = None, b: Any = None) -> Any:
        weight, bias = (None, a) if affine == "bias" else (a, b)
        return lib.layer_norm(x, shape, weight, bias, 1e-4)

    parameters = [shape] * {"both": 2, "none": 0}.get(affine, 1)
    x = shape if len(shape) == 4 else (2, 3, 4, 5)
    check_op(partial(call, F), x, *parameters, theirs=partial(call, TF))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("others", [None, (), (4,), (4, 3, 2)])
def test_cross_entropy_with_more_axes_and_with_fewer(
    others: Any, reduction: str, check_op: Check
) -> None:
    batch = () if others is None else (6,)  # None: neither batch nor other axes
    places = (*batch, *(others or ()))
    target = np.random.default_rng(0).integers(0, 5, places)
    if others:
        target[0, 1] = -7

    def call(lib: Any, target: Any, x: Any) -> Any:
        return lib.cross_entropy(
            x, target, ignore_index=-7, reduction=reduction, label_smoothing=0.1
        )

    check_op(
        partial(call, F, Tensor(target)),
        (*batch, 5, *(others or ())),
        theirs=partial(call, TF, torch.tensor(target)),
    )


def test_dropout_in_training_draws_from_the_generator() -> None:
    x = Tensor(np.ones(50))
    first, again = (
        F.dropout(x, 0.5, True, generator=np.random.default_rng(0)).tolist() for _ in range(2)
    )
    assert first == again
    assert set(first) == {0.0, 2.0}
    assert set(F.dropout(x).tolist()) == {0.0, 2.0}  # one half, and training
    assert F.dropout(x, 1.0).tolist() == [0.0] * 50


def test_attention_drops_with_the_generator() -> None:
    q, k, v = (Tensor(np.random.default_rng(i).normal(size=(4, 3))) for i in range(3))
    kept = (np.random.default_rng(9).random((4, 4)) >= 0.5) * 2.0
    out = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5, generator=np.random.default_rng(9))
    probs = F.softmax(q @ k.T / 3**0.5, -1)
    np.testing.assert_allclose(out.data, (probs * kept @ v).data, rtol=1e-13)


X = Tensor(np.ones((2, 3, 4)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: F.layer_norm(X, (3,)),
            r"^layer_norm: normalized_shape is \(3,\), but the last axes of x \(2, 3, 4\) differ",
        ),
        (lambda: F.layer_norm(X, ()), r"^layer_norm: normalized_shape is \(\), but"),
        (lambda: F.layer_norm(X, (9, 2, 3, 4)), r"^layer_norm: normalized_shape is \(9, 2, 3, 4\)"),
        (
            lambda: F.layer_norm(X, (3, 4), X[0, 0]),
            r"^layer_norm: weight has shape \(4,\), expected \(3, 4\)",
        ),
        (
            lambda: F.layer_norm(X, (3, 4), None, X),
            r"^layer_norm: bias has shape \(2, 3, 4\), expected \(3, 4\)",
        ),
        (lambda: F.gelu(X, "erf"), "^gelu: approximate is 'erf', expected 'none' or 'tanh'"),
        (
            lambda: F.cross_entropy(X, Tensor(np.zeros((2, 3), dtype=int))),
            r"^cross_entropy: target \(2, 3\) does not fit input \(2, 3, 4\), whose axis 1 is the",
        ),
        (
            lambda: F.cross_entropy(X[0], Tensor([0, 1, 4])),
            "^cross_entropy: target 4 is outside the 4 classes",
        ),
        (lambda: F.softmax(X, 3), r"^softmax: dim 3 is not an axis of x \(2, 3, 4\)"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
