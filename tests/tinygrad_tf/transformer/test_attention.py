"""Multi-head self-attention in both engines: the definition, its two forms, its masks, errors."""

import math
import re
from typing import Any

import numpy as np
import pytest
from support.engines import (
    ENGINES,
    TORCH,
    Arrays,
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

B, T, C, H = 3, 5, 12, 2  # pairwise distinct, K = 6 as well
RNG = np.random.default_rng(0)
X, DOUT = RNG.standard_normal((B, T, C)), RNG.standard_normal((B, T, C))
BIAS = RNG.standard_normal((T, T))
CAUSAL = np.triu(np.ones((T, T), dtype=bool), 1)
NOWHERE = random_mask(RNG, T, T) | (np.arange(T) == 2)[:, None]  # query 2 may attend nowhere

MASKS: dict[str, dict[str, Any]] = {
    "no mask": {},
    "causal": {"is_causal": True},
    "bool": {"attn_mask": random_mask(RNG, T, T)},
    "float": {"attn_mask": BIAS},
    "float with -inf": {"attn_mask": np.where(random_mask(RNG, T, T), -np.inf, BIAS)},
    "a mask for each head": {"attn_mask": random_mask(RNG, B * H, T, T)},
    "padding": {"key_padding_mask": padding_mask(B, T)},
    "float padding": {"key_padding_mask": RNG.standard_normal((B, T))},
    "causal and padding": {"is_causal": True, "key_padding_mask": padding_mask(B, T)},
    "both": {"attn_mask": random_mask(RNG, T, T), "key_padding_mask": padding_mask(B, T)},
    "nowhere": {"attn_mask": NOWHERE},
    "a sequence nowhere": {"key_padding_mask": np.arange(B)[:, None] == np.zeros(T)},
}
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


def attention(engine: Engine, seed: int = 0, **options: Any) -> Any:
    model = engine.models.MultiheadSelfAttention(C, H, **options)
    return load(engine, model, random_weights(model, seed))


def by_hand(weights: Arrays, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The definition, one sequence, head and query at a time. mask (B, H, T, T): to be added."""
    out = np.zeros_like(x)
    size = C // H
    for b in range(B):
        q, k, v = np.split(x[b] @ weights["in_proj_weight"].T + weights["in_proj_bias"], 3, axis=-1)
        context = np.zeros((T, C))
        for h in range(H):
            channels = slice(h * size, (h + 1) * size)
            for t in range(T):
                scores = [q[t, channels] @ k[s, channels] / math.sqrt(size) for s in range(T)]
                terms = np.exp(np.array(scores) + mask[b, h, t])
                if terms.any():
                    context[t, channels] = terms / terms.sum() @ v[:, channels]
        out[b] = context @ weights["out_proj.weight"].T + weights["out_proj.bias"]
    return out


def added(attn_mask: Any = None, key_padding_mask: Any = None, is_causal: bool = False) -> Any:
    """The options as the one float mask (B, H, T, T) that they mean."""
    total = np.zeros((B, H, T, T))
    if is_causal:
        total[..., CAUSAL] = -np.inf
    if attn_mask is not None:
        total += numbers(attn_mask).reshape((-1, H, T, T) if attn_mask.ndim == 3 else (T, T))
    if key_padding_mask is not None:
        total += numbers(key_padding_mask)[:, None, None, :]
    return total


def numbers(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, -np.inf, 0.0) if mask.dtype == bool else mask


@each_engine
@each_mask
def test_definition(engine: Engine, mask: dict[str, Any]) -> None:
    model = attention(engine)
    expected = by_hand(random_weights(model), X, added(**mask))
    assert worst(run(engine, model, X, **mask), {"out": expected}) < 1e-13


@each_mask
def test_both_forms_in_both_engines_agree(mask: dict[str, Any]) -> None:
    """Written out and fused: the output and every gradient."""
    results = [
        run(engine, attention(engine, fused=fused), X, DOUT, **mask)
        for engine in ENGINES
        for fused in (False, True)
    ]
    for other in results[1:]:
        assert worst(other, results[0]) < 1e-12


@pytest.mark.parametrize("shape", [(T, T), (B * H, T, T)], ids=str)
def test_a_float_mask_has_a_gradient(shape: tuple[int, ...]) -> None:
    """It is added to the scores, so learned biases (ALiBi, T5) can be trained, in either form."""
    mask = np.random.default_rng(1).standard_normal(shape)
    gradients = []
    for engine in ENGINES:
        for fused in (False, True):
            bias = engine.tensor(mask, requires_grad=True)
            attention(engine, fused=fused)(engine.tensor(X), bias).backward(engine.tensor(DOUT))
            gradients.append({"dmask": bias.grad.numpy()})
    for other in gradients[1:]:
        assert worst(other, gradients[0]) < 1e-13


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_weights_and_results_are_those_of_multihead_attention(bias: bool) -> None:
    theirs = torch.nn.MultiheadAttention(C, H, batch_first=True, bias=bias)
    weights = random_weights(theirs)
    load(TORCH, theirs, weights)
    x = torch.from_numpy(X).requires_grad_()
    out, _ = theirs(x, x, x, need_weights=False)
    out.backward(torch.from_numpy(DOUT))
    expected = {"out": out.detach().numpy(), "dx": x.grad.numpy()}
    expected |= {f"d{name}": p.grad.numpy() for name, p in theirs.named_parameters()}
    for engine in ENGINES:
        ours = load(engine, engine.models.MultiheadSelfAttention(C, H, bias=bias), weights)
        assert worst(run(engine, ours, X, DOUT), expected) < 1e-12


@each_engine
def test_is_causal_gives_way_to_a_mask(engine: Engine) -> None:
    """It stands for the causal mask where there is none; a mask says itself what is forbidden."""
    model = attention(engine)
    causal = run(engine, model, X, DOUT, attn_mask=CAUSAL)
    assert worst(run(engine, model, X, DOUT, is_causal=True), causal) == 0.0
    masked = run(engine, model, X, DOUT, attn_mask=BIAS)
    assert worst(run(engine, model, X, DOUT, attn_mask=BIAS, is_causal=True), masked) == 0.0
    assert worst(masked, causal) > 0.1


@each_engine
@pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])
def test_more_leading_axes(engine: Engine, fused: bool) -> None:
    """(A, B, T, C) is A * B sequences, with a mask for each of their heads."""
    model = attention(engine, fused=fused)
    x, dout = np.stack([X, -X]), np.stack([DOUT, X])
    mask = random_mask(np.random.default_rng(2), 2 * B * H, T, T)
    together = run(engine, model, x, dout, attn_mask=mask)
    flat = run(engine, model, x.reshape(-1, T, C), dout.reshape(-1, T, C), attn_mask=mask)
    flat = {name: a.reshape(together[name].shape) for name, a in flat.items()}
    assert worst(together, flat) < 1e-13


@each_engine
@pytest.mark.parametrize("num_heads", [5, 0, -2])
def test_heads_that_do_not_divide_the_channels(engine: Engine, num_heads: int) -> None:
    message = rf"embed_dim \(d_model\) 12 is not divisible by num_heads \(nhead\) {num_heads};"
    with pytest.raises(ValueError, match=message):
        engine.models.MultiheadSelfAttention(C, num_heads)


@each_engine
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(
    ("mask", "shape", "expected"),
    [
        ("attn_mask", (4, 4), rf"\({T}, {T}\) or \({B * H}, {T}, {T}\)"),
        ("attn_mask", (5, T, T), rf"\({T}, {T}\) or \({B * H}, {T}, {T}\)"),
        ("key_padding_mask", (T,), rf"\({B}, {T}\)"),
        ("key_padding_mask", (B, T + 1), rf"\({B}, {T}\)"),
    ],
)
def test_a_mask_of_the_wrong_shape(
    engine: Engine, fused: bool, mask: str, shape: tuple[int, ...], expected: str
) -> None:
    model = attention(engine, fused=fused)
    given = re.escape(str(shape))
    message = rf"^MultiheadSelfAttention: {mask} has shape {given}, expected {expected}$"
    with pytest.raises(ValueError, match=message):
        model(engine.tensor(X), **{mask: engine.tensor(np.zeros(shape))})
