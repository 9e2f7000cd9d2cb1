"""What must be true of any right gradient, whoever computes it: each fact holds in both engines.

No engine is compared with the other here. Each fact has its own oracle, and a control that shows
what the number looks like where the fact does not hold.
"""

from typing import Any

import numpy as np
import pytest
from support.engines import Arrays, Engine, each_engine, load, padding_mask, random_weights, run

B, T, C, H, F = 3, 7, 12, 2, 5
RNG = np.random.default_rng(0)
X, DOUT = RNG.standard_normal((B, T, C)), RNG.standard_normal((B, T, C))

each_order = pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])
each_form = pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])


def gradient(engine: Engine, function: Any, x: np.ndarray, dout: np.ndarray) -> np.ndarray:
    source = engine.tensor(x, requires_grad=True)
    function(source).backward(engine.tensor(dout))
    return source.grad.numpy()


def block(engine: Engine, **options: Any) -> Any:
    model = engine.models.TransformerBlock(C, H, F, dropout=0.0, activation="gelu", **options)
    return load(engine, model, random_weights(model))


def size(array: np.ndarray) -> float:
    return float(np.abs(array).max())


@each_engine
@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_softmax_gradients_sum_to_zero(engine: Engine, op: str) -> None:
    """A shift of all scores changes nothing, so the gradient has no part along it."""
    dx = gradient(engine, lambda x: getattr(engine.functional, op)(x, dim=-1), X, DOUT)
    assert size(dx.sum(axis=-1)) < 1e-14
    assert size(dx.sum(axis=-2)) > 0.1


@each_engine
def test_the_sum_of_a_softmax_is_a_useless_loss(engine: Engine) -> None:
    """It is always 1. Whatever the backward does, its gradient is 0: hence random cotangents."""

    def softmax(x: Any) -> Any:
        return engine.functional.softmax(x, dim=-1)

    assert size(gradient(engine, softmax, X, np.ones_like(X))) < 1e-15
    assert size(gradient(engine, softmax, X, DOUT)) > 0.1


@each_engine
@pytest.mark.parametrize("loss", ["sum", "mean of squares"])
def test_so_are_the_sum_and_the_squares_of_a_fresh_post_norm_block(
    engine: Engine, loss: str
) -> None:
    """Its last norm fixes both, as long as weight is 1 and bias 0, which is how training starts."""
    weights = random_weights(block(engine))
    weights |= {"norm2.weight": np.ones(C), "norm2.bias": np.zeros(C)}
    model = load(engine, block(engine), weights)
    out = run(engine, model, X)["out"]
    dout = np.ones_like(out) if loss == "sum" else 2 * out
    assert largest_before_norm2(run(engine, model, X, dout)) < 1e-3
    assert largest_before_norm2(run(engine, model, X, DOUT)) > 1.0


def largest_before_norm2(results: Arrays) -> float:
    gradients = {n: a for n, a in results.items() if n != "out" and not n.startswith("dnorm2")}
    assert len(gradients) == 11
    return max(size(a) for a in gradients.values())


@each_engine
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_layer_norm_gradient_is_orthogonal_to_ones_and_x_hat(engine: Engine, scale: float) -> None:
    """To ones always; to x_hat but for eps, which leaves the share eps / (variance + eps)."""
    x, eps = scale * X, 1e-5
    weight, bias = RNG.standard_normal((2, C))

    def layer_norm(t: Any) -> Any:
        given = engine.tensor(weight), engine.tensor(bias)
        return engine.functional.layer_norm(t, (C,), *given, eps)

    dx = gradient(engine, layer_norm, x, DOUT)
    variance = x.var(axis=-1)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + eps)[..., None]
    assert size(dx.sum(axis=-1)) < 1e-13 * size(dx)
    along = (dx * x_hat).sum(axis=-1)
    left = eps / (variance + eps)
    expected = (DOUT * weight * x_hat).sum(axis=-1) * left / np.sqrt(variance + eps)
    np.testing.assert_allclose(along, expected, rtol=0, atol=1e-13 * size(dx))
    assert (left.max() > 0.05) == (scale < 1)  # the small scale does see eps


@each_engine
@each_order
@each_form
def test_causal_blocks_send_no_gradient_to_the_future(
    engine: Engine, norm_first: bool, fused: bool
) -> None:
    """Exactly none, whatever is asked of position t; and some to every position up to t."""
    model = block(engine, norm_first=norm_first, fused=fused)
    for t in range(T):
        dout = np.zeros_like(DOUT)
        dout[:, t] = DOUT[:, t]
        dx = run(engine, model, X, dout, is_causal=True)["dx"]
        assert (dx[:, t + 1 :] == 0.0).all()
        assert (np.abs(dx[:, : t + 1]).max(axis=-1) > 1e-4).all()
        unmasked = run(engine, model, X, dout)["dx"]
        assert (np.abs(unmasked).max(axis=-1) > 1e-4).all()


@each_engine
def test_the_language_model_does_not_look_ahead(engine: Engine) -> None:
    """Another last token changes the last prediction, and not one bit of those before."""
    model = engine.models.TransformerLanguageModel(11, T, C, H, dim_feedforward=F)
    load(engine, model, random_weights(model))
    tokens = RNG.integers(0, 11, (B, T))
    other = np.concatenate([tokens[:, :-1], (tokens[:, -1:] + 1) % 11], axis=1)
    one, two = (run(engine, model, ids)["out"] for ids in (tokens, other))
    assert (one[:, :-1] == two[:, :-1]).all()
    assert size(one[:, -1] - two[:, -1]) > 0.01


@each_engine
@each_form
def test_padding_gets_no_gradient_from_the_others(engine: Engine, fused: bool) -> None:
    padding = padding_mask(B, T)
    dout = np.where(padding[..., None], 0.0, DOUT)
    dx = run(engine, block(engine, fused=fused), X, dout, src_key_padding_mask=padding)["dx"]
    assert (dx[padding] == 0.0).all()
    assert (np.abs(dx[~padding]).max(axis=-1) > 1e-4).all()


@each_engine
@each_order
@each_form
def test_without_positions_tokens_are_a_set(engine: Engine, norm_first: bool, fused: bool) -> None:
    """Permuted tokens: permuted outputs and input gradients, the same weight gradients."""
    model = block(engine, norm_first=norm_first, fused=fused)
    order = np.random.default_rng(1).permutation(T)
    assert (order != np.arange(T)).all()
    straight = run(engine, model, X, DOUT)
    permuted = run(engine, model, X[:, order], DOUT[:, order])
    for name, value in straight.items():
        expected = value[:, order] if name in ("out", "dx") else value
        np.testing.assert_allclose(permuted[name], expected, rtol=0, atol=1e-12, err_msg=name)
    causal = run(engine, model, X[:, order], DOUT[:, order], is_causal=True)["out"]
    assert size(causal - run(engine, model, X, DOUT, is_causal=True)["out"][:, order]) > 0.01


@each_engine
@pytest.mark.parametrize("k", [1, 5, 40])
def test_moving_by_k_tokens_is_a_rotation(engine: Engine, k: int) -> None:
    """The same for all t: encoding[t + k] = rotation(k) @ encoding[t]."""
    length, channels = 100, 8
    encoding = engine.models.SinusoidalPositionalEncoding(channels, length)
    table = encoding(engine.tensor(np.zeros((length, channels)))).numpy()
    rotation = np.zeros((channels, channels))
    for i in range(0, channels, 2):
        turn = k * 10000 ** (-i / channels)
        cos, sin = np.cos(turn), np.sin(turn)
        rotation[i : i + 2, i : i + 2] = [[cos, sin], [-sin, cos]]
    np.testing.assert_allclose(table[:-k] @ rotation.T, table[k:], rtol=0, atol=1e-13)
    assert size(table[:-k] - table[k:]) > 0.1


@each_engine
@each_form
@pytest.mark.parametrize("is_causal", [False, True], ids=["no mask", "causal"])
def test_the_key_bias_has_no_gradient(engine: Engine, fused: bool, is_causal: bool) -> None:
    """It adds the same to all scores of a query, and softmax cannot see a shift."""
    model = block(engine, fused=fused)
    dbias = run(engine, model, X, DOUT, is_causal=is_causal)["dself_attn.in_proj_bias"]
    query, key, value = np.split(dbias, 3)
    assert size(key) < 1e-14
    assert size(query) > 0.01
    assert size(value) > 0.01


@each_engine
@each_form
def test_the_gradients_of_a_querys_scores_sum_to_zero(engine: Engine, fused: bool) -> None:
    """A float mask is added to the scores, so its gradient is theirs: here, head by head."""
    model = engine.models.MultiheadSelfAttention(C, H, fused=fused)
    load(engine, model, random_weights(model))
    mask = RNG.standard_normal((B * H, T, T))

    def attend(mask: Any) -> Any:
        return model(engine.tensor(X), mask)

    dscores = gradient(engine, attend, mask, DOUT)
    assert size(dscores.sum(axis=-1)) < 1e-14
    assert size(dscores.sum(axis=-2)) > 0.01


@each_engine
@each_form
def test_pre_norm_has_a_straight_way_through(engine: Engine, fused: bool) -> None:
    """With both branches silent the block is the identity, forward and back; post-norm is not."""
    for norm_first in (True, False):
        model = block(engine, norm_first=norm_first, fused=fused)
        weights = random_weights(model)
        for name in ("self_attn.out_proj.weight", "self_attn.out_proj.bias"):
            weights[name] *= 0
        for name in ("linear2.weight", "linear2.bias"):
            weights[name] *= 0
        results = run(engine, load(engine, model, weights), X, DOUT)
        same = (results["out"] == X).all() and (results["dx"] == DOUT).all()
        assert same == norm_first
