"""Which calls a kernel answers, and that the op is the page's in all others."""

import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import erf
from support.fast_forms import fast_form

from tinygrad_tf import Tensor, differentiable, fast
from tinygrad_tf.machinery.forms import second_forms
from tinygrad_tf.nn import functional as F
from tinygrad_tf.ops.attention import scaled_dot_product_attention as attention
from tinygrad_tf.ops.embedding import embedding
from tinygrad_tf.ops.gelu import gelu
from tinygrad_tf.ops.layer_norm import layer_norm
from tinygrad_tf.ops.linear import linear
from tinygrad_tf.ops.multi_head_attention import multi_head_attention

Array = np.ndarray[Any, Any]
OPS = (attention, embedding, gelu, layer_norm, linear, multi_head_attention)


def drawn(*shape: int, dtype: str = "f4") -> Array:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


def heads(t: int, s: int, *leading: int) -> tuple[Array, Array, Array]:
    return drawn(*leading, t, 3), drawn(*leading, s, 3), drawn(*leading, s, 5)


def causal(*leading: int) -> Array:
    return np.broadcast_to(np.tri(4, 6, dtype=bool), (*leading, 4, 6))


NOWHERE = causal() & (np.arange(4) != 2)[:, None]  # query 2 may attend nowhere


# What is declined


@pytest.mark.parametrize(
    ("arrays", "options"),
    [
        (heads(4, 6), {}),
        (heads(4, 6, 2), {"is_causal": True}),
        (heads(4, 6, 2, 1, 3), {}),
        ((drawn(2, 3, 4, 3), drawn(2, 1, 6, 3), drawn(2, 1, 6, 5)), {}),
        ((drawn(2, 3, 4, 3), drawn(2, 3, 6, 3), drawn(1, 1, 6, 5)), {}),
        (heads(4, 0, 2, 3), {}),
        (heads(0, 6, 2, 3), {}),
        (heads(4, 6, 0, 3), {}),
        ((*heads(4, 6, 2, 3), causal()), {}),
        ((*heads(4, 6, 2, 3), causal(2, 3)), {}),
        ((*heads(4, 6, 2, 3), NOWHERE), {}),
        ((*heads(4, 6, 2, 3), np.where(NOWHERE, 0, -np.inf).astype("f4")), {}),
        ((*heads(4, 6, 2, 3), drawn(4, 6)), {}),
        (heads(4, 6, 2, 3), {"dropout_p": 0.3}),
        (heads(4, 6, 2, 3), {"dropout_p": 1.0}),
    ],
)
def test_attention_by_the_page(arrays: Any, options: Any) -> None:
    def seeded() -> Any:
        dropout = "dropout_p" in options
        return {**options, "generator": np.random.default_rng(1)} if dropout else options

    assert fast_form(attention)(*arrays, **seeded()) is NotImplemented
    inputs = [Tensor(a, requires_grad=a.dtype != bool) for a in arrays]
    out = attention(*inputs, **seeded())
    dout = drawn(*out.shape)
    out.backward(Tensor(dout))
    page, backward = attention.rule(*arrays, **seeded())
    np.testing.assert_array_equal(out.data, page)
    for x, expected in zip(inputs, backward(dout), strict=False):
        assert (x.grad is None) == (expected is None)
        if expected is not None:
            assert x.grad.dtype == np.float32
            np.testing.assert_array_equal(x.grad.data, expected)


@pytest.mark.parametrize("mask", [NOWHERE, np.where(NOWHERE, 0, -np.inf).astype("f4")])
def test_a_query_that_may_attend_nowhere_gets_zeros(mask: Array) -> None:
    q, k, v = (Tensor(a, requires_grad=True) for a in heads(4, 6, 2, 3))
    out = attention(q, k, v, Tensor(mask))
    out.backward(Tensor(np.ones(out.shape, "f4")))
    assert not out.data[..., 2, :].any()
    assert not q.grad.data[..., 2, :].any()
    assert out.data[..., 3, :].all()


ONES = {dtype: np.ones((4, 4), dtype) for dtype in ("f4", "i8", "i2", "?")}


@pytest.mark.parametrize(
    ("op", "arrays", "options"),
    [
        (linear, [drawn(2, 3), drawn(3)], {}),
        (linear, [drawn(2, 3), drawn(3, 4)], {}),
        (linear, [drawn(), drawn(3, 4)], {}),
        (linear, [drawn(2, 3), drawn(4, 3), drawn(3)], {}),
        (linear, [ONES["f4"], ONES["i8"]], {}),
        (linear, [ONES["i8"], ONES["f4"]], {}),
        (linear, [ONES["f4"], ONES["i2"]], {}),
        (linear, [ONES["?"], ONES["f4"]], {}),
        (linear, [ONES["f4"], ONES["f4"], ONES["i8"][0]], {}),
        (layer_norm, [drawn(2, 3), drawn(4)], {"eps": 0.1}),
        (layer_norm, [drawn(2, 3), drawn(3), drawn(2, 3)], {"eps": 0.1}),
        (layer_norm, [drawn()], {"eps": 0.1}),
        (layer_norm, [drawn(0, 3), drawn(3)], {"eps": 0.1}),
        (layer_norm, [ONES["i8"], ONES["f4"][0]], {"eps": 0.1}),
        (layer_norm, [ONES["f4"], ONES["i8"][0]], {"eps": 0.1}),
        (layer_norm, [ONES["f4"], None, ONES["i2"][0]], {"eps": 0.1}),
        (embedding, [np.array([3]), drawn(3, 4)], {}),
        (embedding, [np.array([-1]), drawn(3, 4)], {}),
        (embedding, [np.array([0]), drawn(3)], {}),
        (embedding, [np.array([], int), drawn(3, 4)], {}),
        (attention, [drawn(1, 1, 4, 3), drawn(1, 1, 6, 2), drawn(1, 1, 6, 5)], {}),
        (attention, [drawn(1, 1, 4, 3), drawn(1, 1, 6, 3), drawn(1, 1, 5, 5)], {}),
        (attention, [drawn(2, 1, 4, 3), drawn(3, 1, 6, 3), drawn(3, 1, 6, 5)], {}),
        (attention, [*heads(4, 6, 1, 1), causal()], {"is_causal": True}),
        (attention, [ONES["f4"][None, None], *[ONES["i8"][None, None]] * 2], {}),
        (attention, [*[ONES["f4"][None, None]] * 2, ONES["i2"][None, None]], {}),
        (multi_head_attention, [drawn(5, 12)], {"num_heads": 2}),
        (multi_head_attention, [drawn(2, 5, 12)], {"num_heads": 3}),
        (multi_head_attention, [drawn(2, 5, 12)], {"num_heads": 0}),
        (multi_head_attention, [drawn(0, 5, 12)], {"num_heads": 2}),
        (multi_head_attention, [drawn(2, 0, 12)], {"num_heads": 2}),
    ],
)
def test_the_ops_result_or_error_is_the_pages(op: Any, arrays: Any, options: Any) -> None:
    assert fast_form(op)(*arrays, **options) is NotImplemented

    def outcome(function: Callable[..., Tensor]) -> Any:
        inputs = [None if a is None else Tensor(a) for a in arrays]
        try:
            out = function(*inputs, **options)
        except (TypeError, ValueError, IndexError) as error:
            return type(error), str(error)
        return out.dtype, out.tolist()

    assert outcome(op) == outcome(differentiable(op.rule))


# What each precision is computed with


def call(op: Any, dtype: str) -> Tensor:
    x = Tensor(drawn(2, 5, 4, 4, dtype=dtype))
    if op is attention:
        return op(x, x, x)
    if op is multi_head_attention:
        return op(x.reshape(2, 5, 16)[..., :12], num_heads=2)
    if op is embedding:
        return op(Tensor(np.array([3, 0])), x[0, 0])
    if op is gelu:
        return op(x)
    if op is layer_norm:
        tokens = x.flatten(2)
        return op(tokens, tokens[0, 0], eps=1e-5)
    return op(x, x[0, 0])


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_only_float32_meets_a_kernel(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def spy(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code in (fast_form(op).__code__, op.rule.__code__):
            seen.append("kernel" if frame.f_code is fast_form(op).__code__ else "page")

    before = sys.getprofile()
    sys.setprofile(spy)
    try:
        results = [call(op, dtype) for dtype in ("f8", "f4")]
    finally:
        sys.setprofile(before)
    assert seen == ["page", "kernel"]
    assert [out.dtype for out in results] == ["f8", "f4"]


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_fast_form_is_asked_first_and_may_decline(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def quick(x: Array, *, times: float) -> Any:
        asked.append((x.dtype, times))
        return NotImplemented if times < 0 else (x * np.float32(100), lambda dout: (100 * dout,))

    @differentiable
    def scaled(x: Array, *, times: float) -> Any:
        return x * x.dtype.type(times), lambda dout: (dout * x.dtype.type(times),)

    monkeypatch.setitem(second_forms, scaled.rule, quick)
    for times in (-2.0, 2.0):
        x = Tensor(np.ones(2, dtype), requires_grad=True)
        out = scaled(x, times=np.float64(times))
        out.backward(Tensor(np.ones(2, dtype)))
        factor = 100.0 if (dtype, times) == ("f4", 2.0) else times
        assert out.tolist() == x.grad.tolist() == [factor] * 2
        assert out.dtype == x.grad.dtype == x.dtype
    assert asked == ([(np.float32, -2.0), (np.float32, 2.0)] if dtype == "f4" else [])


def test_pickled_data_meets_the_fast_forms() -> None:
    """Its dtype is equal to float32, and not the same object."""
    x, weight = (
        pickle.loads(pickle.dumps(np.arange(9, dtype="f4").reshape(3, 3))) for _ in range(2)
    )
    assert x.dtype is not np.dtype("f4")
    ones = Tensor(x[0])
    hidden = F.linear(Tensor(x, requires_grad=True), Tensor(weight), ones)
    normed = F.layer_norm(hidden, (3,), ones, ones)
    for out in (hidden, normed, F.gelu(normed)):
        assert out.node.backward.__module__.startswith("tinygrad_tf.fast."), out.node.op


def test_gelu_in_float64_is_scipys() -> None:
    x = Tensor(np.linspace(-9, 9, 10_001), requires_grad=True)
    out = gelu(x)
    out.backward(Tensor(np.ones(x.shape)))
    cdf = (1 + erf(x.data / np.sqrt(2))) / 2
    pdf = np.exp(-x.data * x.data / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(out.data, x.data * cdf, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(x.grad.data, cdf + x.data * pdf, rtol=1e-12, atol=1e-16)


def test_every_kernel_is_some_ops_fast_form() -> None:
    assert {*map(fast_form, OPS), fast.getitem.getitem} == set(fast.SECOND_FORMS.values())
