"""A Transformer block with its gradients in one function, everything written out, in NumPy.

Post-norm, with the exact GELU. Each head has projections of its own, of shape (C, K), with einsum.
"""

import math

import numpy as np
from scipy.special import erf


def init_weights(d_model, n_heads, d_ff, seed=0):
    """Draw the weights. wq, wk, wv (H, C, K), wo (H, K, C), w1 (C, F), w2 (F, C)."""
    rng = np.random.default_rng(seed)
    d_head = d_model // n_heads
    return {
        "wq": rng.normal(0, 0.3, (n_heads, d_model, d_head)),
        "wk": rng.normal(0, 0.3, (n_heads, d_model, d_head)),
        "wv": rng.normal(0, 0.3, (n_heads, d_model, d_head)),
        "wo": rng.normal(0, 0.3, (n_heads, d_head, d_model)),
        "bq": np.zeros((n_heads, d_head)),
        "bk": np.zeros((n_heads, d_head)),
        "bv": np.zeros((n_heads, d_head)),
        "bo": np.zeros(d_model),
        "g1": np.ones(d_model),
        "s1": np.zeros(d_model),
        "w1": rng.normal(0, 0.3, (d_model, d_ff)),
        "b1": np.zeros(d_ff),
        "w2": rng.normal(0, 0.3, (d_ff, d_model)),
        "b2": np.zeros(d_model),
        "g2": np.ones(d_model),
        "s2": np.zeros(d_model),
    }


def block(x, weights, dout=None, causal=False):
    """Return the output for x (B, T, C); with dout, the output, dx and the gradients by name."""
    w = weights
    T, K = x.shape[1], w["wq"].shape[2]

    # queries, keys and values of each head (B, H, T, K)
    q = np.einsum("btc,hck->bhtk", x, w["wq"]) + w["bq"][:, None]
    k = np.einsum("btc,hck->bhtk", x, w["wk"]) + w["bk"][:, None]
    v = np.einsum("btc,hck->bhtk", x, w["wv"]) + w["bv"][:, None]

    # attention
    z = np.einsum("bhtk,bhsk->bhts", q, k) / math.sqrt(K)
    if causal:
        z = np.where(np.tri(T, dtype=bool), z, -1e30)
    e = np.exp(z - z.max(-1, keepdims=True))
    a = e / e.sum(-1, keepdims=True)
    c = np.einsum("bhts,bhsk->bhtk", a, v)
    y = x + np.einsum("bhtk,hkc->btc", c, w["wo"]) + w["bo"]

    # first norm
    y = y - y.mean(-1, keepdims=True)
    r1 = 1 / np.sqrt((y * y).mean(-1, keepdims=True) + 1e-5)
    n1 = y * r1
    h = w["g1"] * n1 + w["s1"]

    # feed-forward, with the exact GELU
    f = h @ w["w1"] + w["b1"]
    phi = 0.5 * (1 + erf(f / math.sqrt(2)))
    g = f * phi
    y = h + g @ w["w2"] + w["b2"]

    # second norm
    y = y - y.mean(-1, keepdims=True)
    r2 = 1 / np.sqrt((y * y).mean(-1, keepdims=True) + 1e-5)
    n2 = y * r2
    out = w["g2"] * n2 + w["s2"]
    if dout is None:
        return out

    # the way back, from the last line to the first
    d = {}
    d["g2"] = np.sum(dout * n2, axis=(0, 1))
    d["s2"] = np.sum(dout, axis=(0, 1))
    t = dout * w["g2"]
    dy = r2 * (t - np.mean(t, -1, keepdims=True) - n2 * np.mean(t * n2, -1, keepdims=True))

    d["b2"] = dy.sum((0, 1))
    d["w2"] = np.tensordot(g, dy, axes=([0, 1], [0, 1]))
    dg = dy @ w["w2"].T
    pdf = np.exp(-0.5 * f * f) / math.sqrt(2 * math.pi)
    df = dg * (phi + f * pdf)
    d["b1"] = df.sum((0, 1))
    d["w1"] = np.tensordot(h, df, axes=([0, 1], [0, 1]))
    dh = dy + df @ w["w1"].T

    d["g1"] = np.sum(dh * n1, axis=(0, 1))
    d["s1"] = np.sum(dh, axis=(0, 1))
    t = dh * w["g1"]
    dy = r1 * (t - np.mean(t, -1, keepdims=True) - n1 * np.mean(t * n1, -1, keepdims=True))

    d["bo"] = dy.sum((0, 1))
    d["wo"] = np.einsum("bhtk,btc->hkc", c, dy)
    dc = np.einsum("btc,hkc->bhtk", dy, w["wo"])
    dv = np.einsum("bhts,bhtk->bhsk", a, dc)
    da = np.einsum("bhtk,bhsk->bhts", dc, v)
    dz = a * (da - np.sum(da * a, -1, keepdims=True))
    dz = dz / math.sqrt(K)
    dq = np.einsum("bhts,bhsk->bhtk", dz, k)
    dk = np.einsum("bhts,bhtk->bhsk", dz, q)

    dx = dy
    for name, dhead in (("q", dq), ("k", dk), ("v", dv)):
        d["w" + name] = np.einsum("btc,bhtk->hck", x, dhead)
        d["b" + name] = dhead.sum((0, 2))
        dx = dx + np.einsum("bhtk,hck->btc", dhead, w["w" + name])
    return out, dx, d
