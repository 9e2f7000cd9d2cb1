"""Forms that an op is confused with, and terms that it lacks, made here without PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.hints import RIGHT, B, C, H, K, T, drawn

from crosscheck.tape.other_forms import other_form

X = drawn(B, T, C, seed=5)
WEIGHT, BIAS = 1 + 0.3 * drawn(C, seed=6), drawn(C, seed=7)
EPS = 0.1


def layer_norm(x: np.ndarray, ddof: int = 0, eps: Any = EPS, outside: float = 0.0) -> np.ndarray:
    deviation = np.sqrt(x.var(-1, ddof=ddof, keepdims=True) + eps) + outside
    normal: np.ndarray = (x - x.mean(-1, keepdims=True)) / deviation * WEIGHT + BIAS
    return normal


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ddof": 1}, "out fits this: a variance with correction 1, divided by C - 1 and not by C"),
        ({"eps": 0.0, "outside": EPS}, "out fits this: eps outside of the root"),
        ({"eps": 0.0}, "out fits this: no eps at all"),
        ({"eps": 0.5}, ""),
        ({}, ""),
    ],
)
def test_the_forms_of_layer_norm(options: dict[str, Any], words: str) -> None:
    given = {"x": X, "weight": WEIGHT, "bias": BIAS, "dout": None, "constants": (EPS,)}
    wrong = layer_norm(X, **options)
    assert other_form("layer_norm", "out", wrong, layer_norm(X), given) == (
        words if options else other_form("layer_norm", "out", wrong, wrong, given)
    )


def test_the_forms_of_gelu() -> None:
    cdf = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(X)
    tanh = np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))
    given = {"x": X, "dout": RIGHT, "constants": ()}
    assert "the tanh form of GELU" in other_form("gelu", "out", X * (1 + tanh) / 2, X * cdf, given)
    pdf = np.exp(-X * X / 2) / math.sqrt(2 * math.pi)
    assert "in dx the term x * pdf(x) is missing" in other_form(
        "gelu", "dx", RIGHT * cdf, RIGHT * (cdf + X * pdf), given
    )


def test_the_softmax_with_a_diagonal_only() -> None:
    probs = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
    right = probs * (RIGHT - (RIGHT * probs).sum(-1, keepdims=True))
    wrong = RIGHT * probs * (1 - probs)
    given = {"x": X, "dout": RIGHT, "constants": ()}
    assert "only the diagonal of the Jacobian" in other_form("softmax", "dx", wrong, right, given)
    assert other_form("softmax", "dx", 2 * right, right, given) == ""
    assert other_form("softmax", "dx", None, right, given) == ""


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    exponential = np.exp(x - x.max(axis, keepdims=True))
    normal: np.ndarray = exponential / exponential.sum(axis, keepdims=True)
    return normal


def test_a_softmax_along_another_axis_or_of_other_scores() -> None:
    given, right = {"x": X, "constants": ()}, softmax(X)

    def said(wrong: np.ndarray) -> str:
        return other_form("softmax", "out", wrong, right, given)

    assert said(softmax(X, 1)) == "out fits this: softmax along axis -2"
    assert said(right / right.sum(1, keepdims=True)).startswith("out sums to 1 along axis 1, not")
    assert said(softmax(0.5 * X)) == "out fits this: the softmax of 0.5 times the scores"
    assert said(np.exp(X)) == "out does not sum to 1 along axis 2: is it divided by its total?"
    assert said(right) == ""


def layer_norm_dx(mean: float = 1.0, along: float = 1.0) -> np.ndarray:
    inv_std = 1 / np.sqrt(X.var(-1, keepdims=True) + EPS)
    x_hat, dx_hat = (X - X.mean(-1, keepdims=True)) * inv_std, RIGHT * WEIGHT
    term = x_hat * (dx_hat * x_hat).mean(-1, keepdims=True)
    return inv_std * (dx_hat - mean * dx_hat.mean(-1, keepdims=True) - along * term)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mean": 0.0}, "the term mean(dx_hat) is missing"),
        ({"mean": -1.0}, "the term mean(dx_hat) has the wrong sign"),
        ({"along": C / (C - 1)}, "and that is n / (n - 1) for n = 28"),
        ({"along": 0.7}, "the term x_hat * mean(dx_hat * x_hat) is 0.7 times what it should be"),
        ({"along": 1 + 1e-7}, "is off by the factor 1 +1.0e-07: has a constant too few digits?"),
        ({"mean": 0.5, "along": 0.5}, ""),  # two terms at once are not one
    ],
)
def test_the_terms_of_layer_norm(options: dict[str, float], words: str) -> None:
    given = {"x": X, "weight": WEIGHT, "bias": BIAS, "dout": RIGHT, "constants": (EPS,)}
    found = other_form("layer_norm", "dx", layer_norm_dx(**options), layer_norm_dx(), given)
    assert words in found if words else found == ""


def test_the_slopes_of_gelu() -> None:
    cdf = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(X)
    pdf = np.exp(-X * X / 2) / math.sqrt(2 * math.pi)
    s = 1 / (1 + np.exp(-1.702 * X))
    given = {"x": X, "dout": RIGHT, "constants": ()}

    def said(slope: np.ndarray) -> str:
        return other_form("gelu", "dx", RIGHT * slope, RIGHT * (cdf + X * pdf), given)

    assert "1.41421x too large, and that is sqrt(2)" in said(cdf + X * math.sqrt(2) * pdf)
    assert "x * sigmoid(1.702 x)" in said(s + X * 1.702 * s * (1 - s))
    assert said(cdf + X * pdf) == ""
    assert other_form("gelu", "out", X * s, X * cdf, given).endswith("not the exact one")


Q, KEYS, V, DOUT = (drawn(B, H, T, K, seed=seed) for seed in (11, 12, 13, 14))


def attention(axis: int = -1, scale: float = K**-0.5) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities, and what reaches the scores on the way back, under a causal mask."""
    hidden = np.triu(np.ones((T, T), bool), 1)
    probs = softmax(np.where(hidden, -np.inf, Q @ KEYS.swapaxes(-1, -2) * scale), axis)
    dprobs = DOUT @ V.swapaxes(-1, -2)
    return probs, probs * (dprobs - (dprobs * probs).sum(-1, keepdims=True))


@pytest.mark.parametrize(
    ("argument", "wrong", "words"),
    [
        ("dk", lambda p, ds: ds @ Q * K**-0.5, "dscores where its transpose belongs"),
        ("dv", lambda p, ds: p @ DOUT, "the probabilities where their transpose belongs"),
        ("out", lambda p, ds: attention(-2)[0] @ V, "the softmax over the queries"),
        ("out", lambda p, ds: attention(scale=1 / K)[0] @ V, "scores divided by K, not by sqrt(K)"),
        ("out", lambda p, ds: attention(scale=C**-0.5)[0] @ V, "divided by sqrt(C)"),
        ("out", lambda p, ds: softmax(Q @ KEYS.swapaxes(-1, -2) * K**-0.5) @ V, "no causal mask"),
    ],
)
def test_the_forms_of_attention(argument: str, wrong: Any, words: str) -> None:
    probs, dscores = attention()
    right = {
        "dk": dscores.swapaxes(-1, -2) @ Q * K**-0.5,
        "dv": probs.swapaxes(-1, -2) @ DOUT,
        "out": probs @ V,
    }[argument]
    given = {"q": Q, "k": KEYS, "v": V, "dout": DOUT, "options": {"is_causal": True}}
    op = "scaled_dot_product_attention"
    assert words in other_form(op, argument, wrong(probs, dscores), right, given)
    assert other_form(op, argument, right, right, given) == ""


def test_one_sample_of_a_batch_is_summed() -> None:
    x, dout = drawn(B, T, 6, seed=1), drawn(B, T, 4, seed=2)
    right = np.einsum("bto,bti->oi", dout, x)
    given = {"x": x, "weight": drawn(4, 6), "bias": drawn(4), "dout": dout, "constants": ()}
    for words, wrong in {
        "the last entry of axis 0 only": dout[-1].T @ x[-1],
        "the first entry of axis 1 only": dout[:, 0].T @ x[:, 0],
    }.items():
        assert words in other_form("linear", "dweight", wrong, right, given)


def test_an_op_that_is_called_in_another_way_has_no_form() -> None:
    """Without a bias, the forms of layer norm do not apply; T is not S in a cross-attention."""
    without = {"x": X, "dout": RIGHT, "constants": (EPS,)}
    assert other_form("layer_norm", "out", 1.1 * X, X, without) == ""
    assert other_form("layer_norm", "dx", 1.1 * X, X, without) == ""
    given = {"q": Q, "k": KEYS[:, :, :3], "v": V[:, :, :3], "dout": DOUT}
    noise = drawn(B, H, T, K, seed=20)
    for argument in ("out", "dq", "dk", "dv", "dmask"):
        assert other_form("scaled_dot_product_attention", argument, noise, DOUT, given) == ""
