from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.attention import scaled_dot_product_attention as attention

Check = Callable[..., None]
T, S, K, KV = 4, 6, 3, 5
theirs = torch.nn.functional.scaled_dot_product_attention


def shapes(*leading: int) -> tuple[Any, ...]:
    """Of q, k and v."""
    return (*leading, T, K), (*leading, S, K), (*leading, S, KV)


def drawn(seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape) for shape in shapes(2)]


def bool_mask(*leading: int) -> np.ndarray:
    """Half of the pairs allowed, at least one in each row."""
    allowed = np.random.default_rng(5).random((*leading, T, S)) < 0.5
    allowed[..., 2] = True
    return allowed


def written_out(q: Any, k: Any, v: Any, mask: Any = 0.0, keep: Any = None) -> torch.Tensor:
    """The formula itself: the oracle where PyTorch does not broadcast, or draws its own dropout."""
    probs = torch.softmax(q @ k.transpose(-1, -2) / K**0.5 + mask, -1)
    return (probs if keep is None else probs * keep.to(q.dtype)) @ v


@pytest.mark.parametrize("leading", [(), (2,), (2, 7)])
def test_values_and_gradients(leading: tuple[int, ...], check_op: Check) -> None:
    check_op(attention, *shapes(*leading), theirs=theirs)


@pytest.mark.parametrize(
    ("q", "k", "v"), [((1,), (2,), (2,)), ((7, 1), (1, 2), (7, 2)), ((), (2,), (1,))]
)
def test_batch_axes_that_broadcast(q: Any, k: Any, v: Any, check_op: Check) -> None:
    check_op(attention, (*q, T, K), (*k, S, K), (*v, S, KV), theirs=written_out)


@pytest.mark.parametrize("scale", [1.0, 0.05, -0.7, np.float64(0.4)])
def test_the_scale_is_an_option(scale: float, check_op: Check) -> None:
    check_op(
        partial(attention, scale=scale), *shapes(2), theirs=partial(theirs, scale=float(scale))
    )


@pytest.mark.parametrize("leading", [(), (2,), (1,), (7, 2), (7, 1)])
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_masks(kind: str, leading: tuple[int, ...], check_op: Check) -> None:
    mask = bool_mask(*leading) if kind == "bool" else (*leading, T, S)
    check_op(attention, *shapes(7, 2), mask, theirs=theirs)


def test_one_row_of_mask_for_all_queries(check_op: Check) -> None:
    check_op(attention, *shapes(2), (1, S), theirs=written_out)
    check_op(attention, *shapes(2), (2, 1, S), theirs=written_out)


def test_a_shift_of_a_whole_row_has_no_gradient() -> None:
    out, backward = attention.rule(*drawn(), np.random.default_rng(1).normal(size=(T, 1)))
    *_, dmask = backward(np.random.default_rng(2).normal(size=out.shape))
    assert dmask.shape == (T, 1)
    np.testing.assert_allclose(dmask, 0, atol=1e-15)


@pytest.mark.parametrize(("t", "s"), [(T, S), (S, T), (5, 5), (1, 4), (4, 1)])
def test_causal(t: int, s: int, check_op: Check) -> None:
    one_key = 1 in (t, s)  # then nothing depends on the scores
    check_op(
        partial(attention, is_causal=True),
        *((2, t, K), (2, s, K), (2, s, KV)),
        theirs=partial(theirs, is_causal=True),
        may_be_zero=one_key,
    )


def test_nothing_flows_to_the_future() -> None:
    q, k, v = drawn()
    out, backward = attention.rule(q, k, v, is_causal=True)
    dout = np.zeros_like(out)
    dout[:, 1] = 1.7
    dq, dk, dv, _ = backward(dout)
    assert not dk[:, 2:].any()
    assert not dv[:, 2:].any()
    assert not np.delete(dq, 1, axis=1).any()
    assert dk[:, :2].all()


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_may_attend_nowhere(kind: str, check_values: Check) -> None:
    allowed = bool_mask()
    allowed[1] = False
    mask = allowed if kind == "bool" else np.where(allowed, 0.0, -np.inf)
    check_values(attention, *drawn(), mask, theirs=theirs)
    out, backward = attention.rule(*drawn(), mask)
    dq, dk, dv, dmask = backward(np.ones_like(out))
    assert not out[:, 1].any()
    assert not dq[:, 1].any()
    assert dmask is None or not dmask[1].any()
    alone = backward(np.eye(T)[1][None, :, None] * np.ones_like(out))  # dout for that query only
    assert not any(d.any() for d in alone if d is not None)
    assert all(np.isfinite(d).all() for d in (dq, dk, dv))


@pytest.mark.parametrize("kind", ["bool", "float", "causal"])
def test_scores_of_ten_thousand(kind: str, check_values: Check) -> None:
    q, k, v = drawn()
    options = {"is_causal": True} if kind == "causal" else {}
    masks = {"bool": [bool_mask()], "float": [np.where(bool_mask(), 0.0, -1e4)], "causal": []}
    sides = partial(attention, **options), partial(theirs, **options)
    arrays = np.round(q) * 100, np.round(k) * 100, v, *masks[kind]  # exact also in float32
    check_values(sides[0], *arrays, theirs=sides[1], dtypes=["f8"])


def test_no_queries_and_no_keys(check_op: Check) -> None:
    options = {"theirs": theirs, "may_be_zero": True}
    check_op(attention, (2, 0, K), (2, S, K), (2, S, KV), **options)
    check_op(attention, (2, T, K), (2, 0, K), (2, 0, KV), **options)
    check_op(attention, (0, T, K), (0, S, K), (0, S, KV), **options)


@pytest.mark.parametrize("p", [0.1, 0.5, np.float64(0.8)])
def test_dropout_against_the_same_draws(p: float, check_op: Check) -> None:
    keep = (np.random.default_rng(3).random((2, T, S)) >= p) / (1 - p)
    check_op(
        lambda *inputs: attention(*inputs, dropout_p=p, generator=np.random.default_rng(3)),
        *(*shapes(2), (T, S)),
        theirs=lambda *inputs: written_out(*inputs, keep=torch.tensor(keep)),
    )


def test_everything_dropped() -> None:
    out, backward = attention.rule(*drawn(), dropout_p=1.0)
    assert not out.any()
    assert not any(d.any() for d in backward(np.ones_like(out))[:3])


def test_each_row_of_dscores_sums_to_zero() -> None:
    out, backward = attention.rule(*drawn(), np.zeros((2, T, S)))
    _, dk, _, dscores = backward(np.random.default_rng(1).normal(size=out.shape))
    np.testing.assert_allclose(dscores.sum(axis=-1), 0, atol=1e-15)
    np.testing.assert_allclose(dk.sum(axis=1), 0, atol=1e-14)  # a vector added to all keys


def test_a_value_used_as_query_key_and_value(check_op: Check) -> None:
    check_op(lambda x: attention(x, x, x), (2, T, K), theirs=lambda x: theirs(x, x, x))


@pytest.mark.parametrize("mask", [(6,), (1,), ()])
def test_a_mask_of_few_axes_is_stretched(mask: Any, check_op: Check) -> None:
    allowed = np.random.default_rng(3).random(mask) < 0.7
    check_op(
        lambda q, k, v: attention(q, k, v, Tensor(allowed)),
        (4, 3), (6, 3), (6, 5),
        theirs=lambda q, k, v: theirs(q, k, v, torch.tensor(allowed)),
        may_be_zero=True,
    )  # fmt: skip
    if mask == (6,):  # a number that all scores share changes nothing
        check_op(attention, (4, 3), (6, 3), (6, 5), mask, theirs=theirs)


@pytest.mark.parametrize("is_causal", [False, True])
def test_heads_without_channels_average_the_values(is_causal: bool, check_values: Check) -> None:
    check_values(
        lambda v: attention(v[..., :0], v[..., :0], v, is_causal=is_causal),
        np.random.default_rng(0).normal(size=(2, 4, 5)),
        theirs=lambda v: theirs(v[..., :0], v[..., :0], v, is_causal=is_causal),
    )


@pytest.mark.parametrize(
    ("q", "k", "v", "mask", "message"),
    [
        ((4, 3), (6, 2), (6, 5), None, r"q \(4, 3\), k \(6, 2\), v \(6, 5\): q and k differ in"),
        ((4, 3), (6, 3), (5, 5), None, r"k and v differ in their number of tokens"),
        ((3,), (6, 3), (6, 5), None, r"q \(3,\), .*: each needs two axes at least"),
        ((4, 3), (6, 3), (6, 5), "i8", "mask is int64; expected bool .may attend. or float"),
        ((4, 3), (6, 3), (6, 5), (6, 4), r"mask has shape \(6, 4\), expected \(..., 4, 6\)"),
        ((4, 3), (6, 3), (6, 5), (5, 6), r"mask has shape \(5, 6\), expected \(..., 4, 6\)"),
        ((4, 3), (6, 3), (6, 5), (4,), r"mask has shape \(4,\), expected \(..., 4, 6\)"),
        ((4, 3), (6, 3), (6, 5), (2, 4, 6), r"mask has shape \(2, 4, 6\), .* scores \(4, 6\)"),
        ((2, 4, 3), (5, 6, 3), (5, 6, 5), None, r".*\(inputs: \(2, 4, 3\) float64, \(5, 6, 3\)"),
        ((2, 4, 3), (2, 6, 3), (2, 6, 5), (3, 4, 6), r".*\(2, 4, 3\) float64, .*\(3, 4, 6\) flo"),
    ],
)
def test_shapes_that_do_not_fit_are_named(q: Any, k: Any, v: Any, mask: Any, message: str) -> None:
    if mask is not None:
        mask = np.ones((4, 6), mask) if isinstance(mask, str) else np.ones(mask)
    with pytest.raises(ValueError, match=f"^scaled_dot_product_attention: .*{message}"):
        attention(*(Tensor(np.ones(shape)) for shape in (q, k, v)), mask)


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (np.ones((T, S), bool), {"is_causal": True}, "got a mask and is_causal=True; put the"),
        (None, {"dropout_p": 1.5}, "dropout: p is 1.5, expected a probability"),
        (None, {"dropout_p": -0.5}, "dropout: p is -0.5, expected a probability"),
    ],
)
def test_options_that_do_not_fit_are_named(mask: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^scaled_dot_product_attention: {message}"):
        attention(*map(Tensor, drawn()), mask, **options)
