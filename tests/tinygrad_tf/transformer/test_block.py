"""The block in both engines: its wiring by hand, every switch, gradcheck, errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.engines import (
    ENGINES,
    NUMPY,
    TORCH,
    Engine,
    each_engine,
    load,
    padding_mask,
    random_mask,
    random_weights,
    run,
    worst,
)

import torch
from tinygrad_tf import GradcheckError, Tensor, gradcheck

B, T, C, H, F = 3, 5, 12, 2, 7
RNG = np.random.default_rng(0)
X, DOUT = RNG.standard_normal((B, T, C)), RNG.standard_normal((B, T, C))

NORMS = {"pre": {"norm_first": True}, "post": {"norm_first": False}, "none": {"norm": False}}
each_norm = pytest.mark.parametrize("norm", NORMS)
each_residual = pytest.mark.parametrize("residual", [True, False], ids=["residual", "bare"])


def block(engine: Engine, **options: Any) -> Any:
    options = {"dropout": 0.0, "activation": "gelu", **options}
    model = engine.models.TransformerBlock(C, H, F, **options)
    return load(engine, model, random_weights(model))


def wiring(block: Any, engine: Engine, norm: str, residual: bool) -> Callable[[Any], Any]:
    """The formulas on the block's own page, each configuration spelled out."""
    attend, norm1, norm2 = block.self_attn, block.norm1, block.norm2

    def feed(x: Any) -> Any:
        return block.linear2(engine.functional.gelu(block.linear1(x)))

    def pre(x: Any) -> Any:
        x = x + attend(norm1(x))
        return x + feed(norm2(x))

    def post(x: Any) -> Any:
        x = norm1(x + attend(x))
        return norm2(x + feed(x))

    def none(x: Any) -> Any:
        x = x + attend(x)
        return x + feed(x)

    if residual:
        return {"pre": pre, "post": post, "none": none}[norm]
    return {
        "pre": lambda x: feed(norm2(attend(norm1(x)))),
        "post": lambda x: norm2(feed(norm1(attend(x)))),
        "none": lambda x: feed(attend(x)),
    }[norm]


@each_engine
@each_norm
@each_residual
def test_wiring(engine: Engine, norm: str, residual: bool) -> None:
    model = block(engine, residual=residual, **NORMS[norm])
    actual = run(engine, model, X, DOUT)
    model.forward = wiring(model, engine, norm, residual)
    assert worst(actual, run(engine, model, X, DOUT)) < 1e-13


@each_norm
@each_residual
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_both_engines_agree(norm: str, residual: bool, bias: bool, activation: str) -> None:
    """Also where PyTorch has no layer to compare with, in both forms of attention, with masks."""
    options = {"residual": residual, "bias": bias, "activation": activation, **NORMS[norm]}
    masks = {
        "src_mask": random_mask(np.random.default_rng(1), T, T),
        "src_key_padding_mask": padding_mask(B, T),
    }
    for mask in ({}, {"is_causal": True}, masks):
        results = [
            run(engine, block(engine, fused=fused, **options), X, DOUT, **mask)
            for engine in ENGINES
            for fused in (False, True)
        ]
        for other in results[1:]:
            assert worst(other, results[0]) < 1e-12, mask


@pytest.mark.parametrize("eps", [1e-5, 1e-6, 0.1])
def test_layer_norm_eps(eps: float) -> None:
    """Small inputs, of a size with the root of eps, show which eps is at work."""
    options = {"dropout": 0.0, "layer_norm_eps": eps, "norm_first": True}
    layer = torch.nn.TransformerEncoderLayer(C, H, F, batch_first=True, **options)
    weights = random_weights(layer)
    expected = run(TORCH, load(TORCH, layer, weights), 0.003 * X, DOUT)
    for engine in ENGINES:
        ours = load(engine, engine.models.TransformerBlock(C, H, F, **options), weights)
        assert worst(run(engine, ours, 0.003 * X, DOUT), expected, relative=True) < 1e-12


def parameters_and_function(model: Any) -> tuple[dict[str, Any], Callable[..., Tensor]]:
    """The model as a function of its input and of all its parameters."""
    parameters = dict(model.named_parameters())
    modules = dict(model.named_modules())

    def function(x: Tensor, *values: Tensor) -> Tensor:
        for name, value in zip(parameters, values, strict=True):
            owner, _, attribute = name.rpartition(".")
            vars(modules[owner])[attribute] = value  # assigned, it would be refused
        return model(x, is_causal=True)

    return parameters, function


@each_norm
@each_residual
@pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])
def test_gradcheck(norm: str, residual: bool, fused: bool) -> None:
    """Finite differences: an oracle that knows nothing of derivatives, for x and all weights."""
    model = block(NUMPY, residual=residual, fused=fused, **NORMS[norm])
    parameters, function = parameters_and_function(model)
    assert len(parameters) == (8 if norm == "none" else 12)
    assert gradcheck(function, [Tensor(X, requires_grad=True), *parameters.values()])


def test_gradcheck_would_notice() -> None:
    """A block whose feed-forward width is cut off from one gradient: gradcheck must object."""
    model = block(NUMPY)
    parameters, function = parameters_and_function(model)
    model.linear2.forward = lambda x: x.detach() @ model.linear2.weight.transpose(0, 1)
    with pytest.raises(GradcheckError, match="input"):
        gradcheck(function, [Tensor(X, requires_grad=True), *parameters.values()])


@each_engine
def test_activation_may_be_a_function(engine: Engine) -> None:
    named = run(engine, block(engine, activation="gelu"), X, DOUT)
    given = run(engine, block(engine, activation=engine.functional.gelu), X, DOUT)
    module = run(engine, block(engine, activation=engine.library.nn.GELU()), X, DOUT)
    assert worst(given, named) == 0.0
    assert worst(module, named) == 0.0
    tanh = run(engine, block(engine, activation=engine.library.tanh), X, DOUT)
    assert worst(tanh, named) > 1e-2


@each_engine
def test_defaults_are_those_of_the_layer(engine: Engine) -> None:
    """Post-norm, relu, dropout 0.1 in four places, eps 1e-5, 2048 wide, with bias."""
    theirs = torch.nn.TransformerEncoderLayer(C, H, batch_first=True)
    ours = engine.models.TransformerBlock(C, H)
    assert {n: tuple(p.shape) for n, p in ours.state_dict().items()} == {
        n: tuple(p.shape) for n, p in theirs.state_dict().items()
    }
    weights = random_weights(theirs)
    expected = run(TORCH, load(TORCH, theirs.eval(), weights), X, DOUT)
    assert worst(run(engine, load(engine, ours.eval(), weights), X, DOUT), expected) < 1e-11
    rates = [m.p for m in ours.modules() if isinstance(m, engine.library.nn.Dropout)]
    assert rates == [0.1] * 4


@each_engine
def test_channels_that_the_heads_do_not_divide(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"d_model\) 12 is not divisible by .*nhead\) 5"):
        engine.models.TransformerBlock(C, 5)


@each_engine
def test_unknown_activation(engine: Engine) -> None:
    message = "activation is 'swish', expected one of relu, gelu, gelu-tanh, or a function"
    with pytest.raises(ValueError, match=message):
        engine.models.TransformerBlock(C, H, activation="swish")
