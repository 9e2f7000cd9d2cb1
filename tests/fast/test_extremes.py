"""Numbers at the edge of float32, and axes at the edge of being there."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import erf
from support.fast_forms import fast_form

from tinygrad_tf import fast
from tinygrad_tf.ops.attention import scaled_dot_product_attention as attention
from tinygrad_tf.ops.embedding import embedding
from tinygrad_tf.ops.gelu import gelu
from tinygrad_tf.ops.layer_norm import layer_norm
from tinygrad_tf.ops.linear import linear

Array = np.ndarray[Any, Any]
TINY = np.finfo("f4").smallest_subnormal
LEAST, MOST = np.finfo("f4").tiny, np.finfo("f4").max


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype="f4")


def results(form: Any, arrays: list[Any], **options: Any) -> list[Array]:
    out, backward = form(*arrays, **options)
    gradients = backward(drawn(*out.shape, seed=9).astype(out.dtype))
    return [out, *(d for d in gradients if d is not None)]


def judge(op: Any, *arrays: Any, **options: Any) -> None:
    """Finite, and no further from float64 than 4 times the page in float32."""
    wide = [a.astype("f8") for a in arrays]
    rows = (results(fast_form(op), arrays, **options), results(op.rule, arrays, **options))
    for a, b, exact in zip(*rows, results(op.rule, wide, **options), strict=True):
        assert np.isfinite(a).all()
        error = np.linalg.norm(a - exact)
        assert error <= max(4 * np.linalg.norm(b - exact), 2e-6 * np.linalg.norm(exact))


# GELU


def test_the_polynomial_is_erf() -> None:
    """In float32, in the kernel's order; the grid is finer than the error's waves by far."""
    x = np.linspace(-12, 12, 2_000_001, dtype="f4")
    square = np.minimum(x * x, np.float32(fast.gelu.BOUND))
    series = np.full_like(x, fast.gelu.P[-1])
    for coefficient in fast.gelu.P[-2::-1]:
        series = series * square + np.float32(coefficient)
    assert series.dtype == np.float32
    error = np.abs(np.tanh(series * x) - erf(x.astype("f8") / math.sqrt(2.0)))
    assert error.max() < 2e-7


def test_gelu_entry_by_entry_up_to_where_it_is_a_line() -> None:
    x = np.concatenate([np.linspace(-9, 9, 200_001), np.geomspace(1e-6, 1e3, 10_001)])
    x = np.concatenate([x, -x]).astype("f4")
    out, backward = fast_form(gelu)(x)
    exact, exact_backward = gelu.rule(x.astype("f8"))
    error = np.abs(out - exact) / np.maximum(np.abs(x), TINY)
    assert error.max() < 2e-7  # it is x times a probability
    (slope,), (exact_slope,) = backward(np.ones_like(x)), exact_backward(np.ones(x.shape))
    assert np.abs(slope - exact_slope).max() < 4e-7


@pytest.mark.parametrize(
    ("x", "out", "slope"),
    [
        (1e3, 1e3, 1.0),
        (-1e3, 0.0, 0.0),
        (1e18, 1e18, 1.0),
        (-1e18, 0.0, 0.0),
        (0.0, 0.0, 0.5),
        (TINY, 0.0, 0.5),
        (LEAST, LEAST / 2, 0.5),
        (np.inf, np.inf, np.nan),  # inf * pdf(inf), on the page as well
        (-np.inf, np.nan, np.nan),
        (np.nan, np.nan, np.nan),
    ],
)
def test_gelu_far_out_and_near_zero(x: float, out: float, slope: float) -> None:
    array = np.array([x, 1.0], dtype="f4")
    with np.errstate(invalid="ignore"):
        found, backward = fast_form(gelu)(array)
        page, page_backward = gelu.rule(array)
    with np.errstate(invalid="ignore"):
        slopes = [f(np.ones_like(array))[0] for f in (backward, page_backward)]
    np.testing.assert_array_equal(found[0], np.float32(out))
    np.testing.assert_array_equal(slopes[0][0], np.float32(slope))
    np.testing.assert_allclose(found, page, rtol=1e-6)  # and its neighbour is not disturbed
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-6)


def test_minus_zero_keeps_its_sign() -> None:
    out, _ = fast_form(gelu)(np.array([-0.0, 0.0], dtype="f4"))
    assert np.signbit(out).tolist() == [True, False]


# Attention


@pytest.fixture(params=["whole", "tiles", "computed again"])
def _memory(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "whole":
        monkeypatch.setattr(fast.attention, "TILE", 1)
    if request.param == "computed again":
        monkeypatch.setattr(fast.attention, "KEPT", 0)


@pytest.mark.usefixtures("_memory")
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("largest", [1e2, 1e3, 1e4, 1e6])
def test_scores_of_any_size(largest: float, is_causal: bool) -> None:
    """Their differences, which is all that matters, are of the size that makes them compete."""
    q, k, v = drawn(1, 2, 70, 4), drawn(1, 2, 66, 4, seed=1), drawn(1, 2, 66, 3, seed=2)
    q[..., 0] = 1.0
    k[..., 0] = largest
    judge(attention, q, k, v, is_causal=is_causal, scale=1.0)
    q[..., 0] = np.where(np.arange(70) % 2, 1.0, -1.0)
    judge(attention, q, k, v, is_causal=is_causal, scale=1.0)


@pytest.mark.usefixtures("_memory")
def test_scores_of_plus_and_minus_ten_thousand_pick_one_key() -> None:
    k = np.full((1, 1, 70, 1), -1.0, dtype="f4")
    k[..., 37, :] = 1.0
    q, v = np.full((1, 1, 66, 1), 1e4, dtype="f4"), drawn(1, 1, 70, 5)
    out, backward = fast_form(attention)(q, k, v)
    np.testing.assert_array_equal(out, np.broadcast_to(v[:, :, 37:38], out.shape))
    dq, dk, dv, _ = backward(np.ones_like(out))
    assert not dv[:, :, :37].any()
    np.testing.assert_array_equal(dv[:, :, 37], np.full((1, 1, 5), 66.0))
    np.testing.assert_allclose(dq, 0, atol=1e-5)
    assert np.isfinite(dk).all()


@pytest.mark.usefixtures("_memory")
@pytest.mark.parametrize("size", [1e-20, 1e-30, 1e-38, 1e-40])
def test_small_and_denormal_numbers_make_an_even_average(size: float) -> None:
    q, k, v = drawn(2, 1, 70, 4), drawn(2, 1, 66, 4, seed=1), drawn(2, 1, 66, 3, seed=2)
    out, backward = fast_form(attention)(q * np.float32(size), k, v)
    np.testing.assert_allclose(out, np.broadcast_to(v.mean(2, keepdims=True), out.shape), atol=1e-6)
    assert all(np.isfinite(d).all() for d in backward(out)[:3])
    judge(attention, q, k * np.float32(size), v)
    small, _ = fast_form(attention)(q, k, v * np.float32(size))
    page, _ = attention.rule(q, k, v * np.float32(size))
    np.testing.assert_allclose(small, page, rtol=1e-5, atol=1e-6 * size + 50 * TINY)


def test_a_long_context_is_never_whole_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast.attention, "TILE", 1 << 16)
    monkeypatch.setattr(fast.attention, "KEPT", 0)
    asked: list[int] = []

    def empty(shape: tuple[int, ...], dtype: Any) -> Array:
        asked.append(math.prod(shape))
        return np.empty(shape, dtype)

    monkeypatch.setattr(fast.attention, "empty", empty)
    x = drawn(1, 1, 600, 2)
    judge(attention, x, x, x, is_causal=True)
    assert max(asked) <= 64 * 600  # rows of a tile, and all keys: not 600 * 600


# Layer norm


@pytest.mark.parametrize("offset", [1e2, 1e4, -3e3])
@pytest.mark.parametrize("channels", [64, 65, 7])
def test_layer_norm_far_from_zero_is_left_to_the_page(channels: int, offset: float) -> None:
    x = drawn(9, channels)
    x[4] += np.float32(offset)  # one token will do
    assert fast_form(layer_norm)(x, eps=1e-5) is NotImplemented
    x[4] = offset
    assert fast_form(layer_norm)(x, eps=1e-5) is NotImplemented


@pytest.mark.parametrize("size", [1e-40, 1e-30])
def test_layer_norm_of_tokens_whose_squares_are_zero_is_left_to_the_page(size: float) -> None:
    assert fast_form(layer_norm)(drawn(9, 12) * np.float32(size), eps=1e-5) is NotImplemented
    judge(layer_norm, np.zeros((9, 12), np.float32), eps=1e-5)


@pytest.mark.parametrize("size", [1e-15, 1e-3, 1e3, 1e15])
def test_layer_norm_of_small_and_large(size: float) -> None:
    x = drawn(9, 12) * np.float32(size)
    judge(layer_norm, x, drawn(12, seed=1), drawn(12, seed=2), eps=1e-5)


# No tokens, no channels, and denormal sums


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (gelu, [(0, 3)]),
        (gelu, [(3, 0)]),
        (linear, [(0, 200), (150, 200), (150,)]),
        (linear, [(2, 0, 3), (4, 3)]),
        (linear, [(200, 0), (150, 0), (150,)]),
        (linear, [(2, 3), (0, 3), (0,)]),
        (attention, [(1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 0)]),
        (attention, [(1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)]),
    ],
)
def test_axes_of_no_size(op: Any, shapes: Any) -> None:
    """Sums of nothing are zero, also in memory that was used before."""
    for _ in range(3):
        fast.linear.empty((150, 200), np.dtype("f4"))[...] = np.nan
    arrays = [drawn(*shape) for shape in shapes]
    found, page = results(fast_form(op), arrays), results(op.rule, arrays)
    for a, b in zip(found, page, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("shape", [(0, 7), (3, 0), ()])
def test_layer_norm_of_nothing_is_the_pages(shape: tuple[int, ...]) -> None:
    assert fast_form(layer_norm)(np.ones(shape, "f4"), eps=1e-5) is NotImplemented


@pytest.mark.parametrize("channels", [0, 1])
def test_an_embedding_of_few_channels(channels: int) -> None:
    ids, weight = np.array([[2, 0, 2]]), drawn(3, channels)
    (out, dweight), (page, expected) = (
        results(form, [ids, weight]) for form in (fast_form(embedding), embedding.rule)
    )
    np.testing.assert_array_equal(out, page)
    np.testing.assert_array_equal(dweight, expected)


@pytest.mark.parametrize("size", [1e-20, 1e-40, 1e15])
def test_linear_of_small_and_large(size: float) -> None:
    judge(linear, drawn(9, 12) * np.float32(size), drawn(5, 12, seed=1), drawn(5, seed=2))
    judge(linear, drawn(9, 12), drawn(5, 12, seed=1) * np.float32(size), drawn(5, seed=2))
