"""Facts that hold for every right gradient, whoever computes it.

Each fact is tested in tinygrad_tf and in PyTorch, in each engine on its own. `test_ladder.py`, the
next file to read, compares the engines with each other. Each fact here has its own oracle, such as
a sum that must be zero, and a control, which shows how large the number is where the fact does not
hold.

Most tests take three steps: `block` builds a Transformer block and draws its parameters at random,
`run` goes forward and backward through the block, and the test asserts the fact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck import randomize

Array = np.ndarray

B, T, C, H, F = 3, 7, 12, 2, 5
X, DOUT = np.random.default_rng(1).standard_normal((2, B, T, C))  # randomize has seed 0


class Engine(NamedTuple):
    """What the tests use of one engine."""

    tensor: Any  # makes a tensor of an array
    nn: Any  # has the functions in nn.functional, and ones_ and zeros_ in nn.init
    models: Any  # the Transformer block, its parts, and the language model


NUMPY = Engine(tinygrad_tf.Tensor, tinygrad_tf.nn, tinygrad_tf.transformer)
TORCH = Engine(torch.tensor, torch.nn, torch_impl)

each_engine = pytest.mark.parametrize("engine", [NUMPY, TORCH], ids=["numpy", "torch"])
each_order = pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])
each_form = pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])


def block(engine: Engine, **options: Any) -> Any:
    """Return a Transformer block in float64 with random parameters."""
    model = engine.models.TransformerBlock(C, H, F, dropout=0.0, activation="gelu", **options)
    randomize(model.double())
    return model


def run(engine: Engine, model: Any, x: Array, dout: Array, **options: Any) -> dict[str, Array]:
    """Run the model forward and backward. x and dout have the shape (B, T, C).

    Return the output as "out", the gradient of x as "dx", and the gradient of each parameter as
    "d" and its name, such as "dlinear1.weight".
    """
    leaf = engine.tensor(x, requires_grad=True)
    model.zero_grad()
    out = model(leaf, **options)
    out.backward(engine.tensor(dout))
    dweights = {f"d{name}": p.grad.numpy() for name, p in model.named_parameters()}
    return {"out": out.detach().numpy(), "dx": leaf.grad.numpy(), **dweights}


def gradient(engine: Engine, function: Any, x: Array, dout: Array) -> Array:
    """Return dx, the gradient that reaches x when dout is the gradient of function(x)."""
    leaf = engine.tensor(x, requires_grad=True)
    function(leaf).backward(engine.tensor(dout))
    return leaf.grad.numpy()


def largest(array: Array) -> float:
    """Return the largest absolute value in the array."""
    return float(np.abs(array).max())


# Softmax and layer norm


@each_engine
@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_softmax_gradients_sum_to_zero(engine: Engine, op: str) -> None:
    """A shift of all scores of a row changes no output, so the row's gradients sum to zero."""
    function = getattr(engine.nn.functional, op)
    dx = gradient(engine, lambda x: function(x, dim=-1), X, DOUT)
    assert largest(dx.sum(axis=-1)) < 1e-14
    assert largest(dx.sum(axis=-2)) > 0.1


@each_engine
def test_the_sum_of_a_softmax_is_a_useless_loss(engine: Engine) -> None:
    """Each row sums to 1, so the gradient of the sum is 0, and a wrong backward can give 0 too.

    For this reason the tests of this project use a random dout.
    """

    def softmax(x: Any) -> Any:
        return engine.nn.functional.softmax(x, dim=-1)

    assert largest(gradient(engine, softmax, X, np.ones_like(X))) < 1e-15
    assert largest(gradient(engine, softmax, X, DOUT)) > 0.1


@each_engine
@pytest.mark.parametrize("loss", ["sum", "sum of squares"])
def test_sum_and_squares_are_useless_losses_of_a_fresh_post_norm_block(
    engine: Engine, loss: str
) -> None:
    """The last norm makes both losses constant while its weight is 1 and its bias is 0.

    Training starts with these values. Almost no gradient then comes through the last norm.
    """
    model = block(engine)
    engine.nn.init.ones_(model.norm2.weight)
    engine.nn.init.zeros_(model.norm2.bias)
    useful = run(engine, model, X, DOUT)
    out = useful["out"]
    useless = run(engine, model, X, np.ones_like(out) if loss == "sum" else 2 * out)
    assert largest_before_norm2(useless) < 1e-3
    assert largest_before_norm2(useful) > 1.0


def largest_before_norm2(results: dict[str, Array]) -> float:
    """Return the largest entry of all gradients, leaving out the parameters of the last norm."""
    gradients = {n: a for n, a in results.items() if n != "out" and not n.startswith("dnorm2")}
    assert len(gradients) == 11
    return max(largest(a) for a in gradients.values())


@each_engine
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_layer_norm_gradient_is_orthogonal_to_ones_and_x_hat(engine: Engine, scale: float) -> None:
    """The norm undoes a shift of x, and it undoes a change of x along x_hat, except for eps.

    A change along x_hat stretches x around its mean. The share eps / (variance + eps) of the change
    is left in the output. This share is above 5 % only where x is small.
    """
    x, eps = scale * X, 1e-5
    weight, bias = np.random.default_rng(2).standard_normal((2, C))

    def layer_norm(t: Any) -> Any:
        parameters = engine.tensor(weight), engine.tensor(bias)
        return engine.nn.functional.layer_norm(t, (C,), *parameters, eps)

    dx = gradient(engine, layer_norm, x, DOUT)
    variance = x.var(axis=-1)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + eps)[..., None]
    assert largest(dx.sum(axis=-1)) < 1e-13 * largest(dx)
    along = (dx * x_hat).sum(axis=-1)
    left = eps / (variance + eps)
    expected = (DOUT * weight * x_hat).sum(axis=-1) * left / np.sqrt(variance + eps)
    np.testing.assert_allclose(along, expected, rtol=0, atol=1e-13 * largest(dx))
    assert (left.max() > 0.05) == (scale < 1)  # only the small scale shows eps


# Masks and positions


@each_engine
@each_order
@each_form
def test_causal_blocks_send_no_gradient_to_the_future(
    engine: Engine, norm_first: bool, fused: bool
) -> None:
    """The output at token t depends on the tokens up to t, and on no later one."""
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
    """If the last token changes, so does the last prediction, and the others keep every bit."""
    model = engine.models.TransformerLanguageModel(11, T, C, H, dim_feedforward=F).double()
    randomize(model)
    tokens = np.random.default_rng(2).integers(0, 11, (B, T))
    other = tokens.copy()
    other[:, -1] = (other[:, -1] + 1) % 11
    one, two = (model(engine.tensor(ids)).detach().numpy() for ids in (tokens, other))
    assert (one[:, :-1] == two[:, :-1]).all()
    assert largest(one[:, -1] - two[:, -1]) > 0.01


@each_engine
@each_form
def test_padding_gets_no_gradient_from_the_others(engine: Engine, fused: bool) -> None:
    """No token attends to padding, and here the outputs of the padded tokens get no dout."""
    padding = np.arange(T) >= T - 1 - np.arange(B)[:, None]  # the last 1, 2 and 3 tokens
    dout = np.where(padding[..., None], 0.0, DOUT)
    model = block(engine, fused=fused)
    dx = run(engine, model, X, dout, src_key_padding_mask=engine.tensor(padding))["dx"]
    assert (dx[padding] == 0.0).all()
    assert (np.abs(dx[~padding]).max(axis=-1) > 1e-4).all()
    unmasked = run(engine, model, X, dout)["dx"]
    assert (np.abs(unmasked).max(axis=-1) > 1e-4).all()


@each_engine
@each_order
@each_form
def test_without_positions_tokens_are_a_set(engine: Engine, norm_first: bool, fused: bool) -> None:
    """Permuted tokens give permuted outputs and a permuted dx, and the same weight gradients.

    Under a causal mask the outputs do depend on the order.
    """
    model = block(engine, norm_first=norm_first, fused=fused)
    order = np.random.default_rng(1).permutation(T)
    assert (order != np.arange(T)).all()
    straight = run(engine, model, X, DOUT)
    permuted = run(engine, model, X[:, order], DOUT[:, order])
    for name, value in straight.items():
        expected = value[:, order] if name in ("out", "dx") else value
        np.testing.assert_allclose(permuted[name], expected, rtol=0, atol=1e-12, err_msg=name)
    causal = run(engine, model, X[:, order], DOUT[:, order], is_causal=True)["out"]
    assert largest(causal - run(engine, model, X, DOUT, is_causal=True)["out"][:, order]) > 0.01


@each_engine
@pytest.mark.parametrize("k", [1, 5, 40])
def test_moving_by_k_tokens_is_a_rotation(engine: Engine, k: int) -> None:
    """The same rotation serves every t: encoding[t + k] = rotation(k) @ encoding[t]."""
    length, channels = 100, 8
    encoding = engine.models.SinusoidalPositionalEncoding(channels, length)
    table = encoding(engine.tensor(np.zeros((length, channels)))).numpy()
    rotation = np.zeros((channels, channels))
    for i in range(0, channels, 2):
        turn = k * 10000 ** (-i / channels)
        cos, sin = np.cos(turn), np.sin(turn)
        rotation[i : i + 2, i : i + 2] = [[cos, sin], [-sin, cos]]
    np.testing.assert_allclose(table[:-k] @ rotation.T, table[k:], rtol=0, atol=1e-13)
    assert largest(table[:-k] - table[k:]) > 0.1


# Attention and the residual connections


@each_engine
@each_form
@pytest.mark.parametrize("is_causal", [False, True], ids=["no mask", "causal"])
def test_the_key_bias_has_no_gradient(engine: Engine, fused: bool, is_causal: bool) -> None:
    """The key bias adds one number to all scores of a query, and softmax ignores such a shift."""
    model = block(engine, fused=fused)
    dbias = run(engine, model, X, DOUT, is_causal=is_causal)["dself_attn.in_proj_bias"]
    query, key, value = np.split(dbias, 3)
    assert largest(key) < 1e-14
    assert largest(query) > 0.01
    assert largest(value) > 0.01


@each_engine
@each_form
def test_the_gradients_of_a_querys_scores_sum_to_zero(engine: Engine, fused: bool) -> None:
    """A float mask is added to the scores, so the scores and the mask have the same gradient."""
    model = engine.models.MultiheadSelfAttention(C, H, fused=fused).double()
    randomize(model)
    mask = np.random.default_rng(2).standard_normal((B * H, T, T))
    dscores = gradient(engine, lambda mask: model(engine.tensor(X), mask), mask, DOUT)
    assert largest(dscores.sum(axis=-1)) < 1e-14
    assert largest(dscores.sum(axis=-2)) > 0.01


@each_engine
@each_form
def test_pre_norm_has_a_straight_way_through(engine: Engine, fused: bool) -> None:
    """If both branches give 0, a pre-norm block is the identity, forward and backward.

    A post-norm block is not the identity, because its norms stand on the path from x to the output.
    """
    for norm_first in (True, False):
        model = block(engine, norm_first=norm_first, fused=fused)
        for last in (model.self_attn.out_proj, model.linear2):  # the last layer of each branch
            engine.nn.init.zeros_(last.weight)
            engine.nn.init.zeros_(last.bias)
        results = run(engine, model, X, DOUT)
        same = (results["out"] == X).all() and (results["dx"] == DOUT).all()
        assert same == norm_first
