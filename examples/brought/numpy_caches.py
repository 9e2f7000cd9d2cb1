"""A GPT-style Transformer block in plain NumPy: pairs of functions that hand a cache to each other.

Pre-norm, causal, with the tanh form of GELU. Linear layers hold their weights as (in, out).
"""

import math

import numpy as np


def init_params(d_model, n_heads, d_ff, seed=0):
    """Draw the weights of one block: a dictionary, with the number of heads in it."""
    rng = np.random.default_rng(seed)

    def matrix(rows, columns):
        return rng.standard_normal((rows, columns)) * 0.3

    return {
        "n_heads": n_heads,
        "ln1_g": np.ones(d_model),
        "ln1_b": np.zeros(d_model),
        "wq": matrix(d_model, d_model),
        "bq": np.zeros(d_model),
        "wk": matrix(d_model, d_model),
        "bk": np.zeros(d_model),
        "wv": matrix(d_model, d_model),
        "bv": np.zeros(d_model),
        "wo": matrix(d_model, d_model),
        "bo": np.zeros(d_model),
        "ln2_g": np.ones(d_model),
        "ln2_b": np.zeros(d_model),
        "w1": matrix(d_model, d_ff),
        "b1": np.zeros(d_ff),
        "w2": matrix(d_ff, d_model),
        "b2": np.zeros(d_model),
    }


def affine_forward(x, w, b):
    """x (B, T, in) -> (B, T, out)."""
    out = x @ w + b
    return out, (x, w)


def affine_backward(dout, cache):
    """Gradients of x, w and b."""
    x, w = cache
    dx = dout @ w.T
    rows = x.reshape(-1, x.shape[-1])
    dw = rows.T @ dout.reshape(-1, dout.shape[-1])
    db = dout.sum(axis=(0, 1))
    return dx, dw, db


def layernorm_forward(x, gamma, beta, eps=1e-5):
    """Normalise over the last axis."""
    mu = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    inv_std = 1.0 / np.sqrt(var + eps)
    x_hat = (x - mu) * inv_std
    out = gamma * x_hat + beta
    return out, (x_hat, inv_std, gamma)


def layernorm_backward(dout, cache):
    """Gradients of x, gamma and beta."""
    x_hat, inv_std, gamma = cache
    dgamma = (dout * x_hat).sum(axis=(0, 1))
    dbeta = dout.sum(axis=(0, 1))
    dx_hat = dout * gamma
    mean_d = dx_hat.mean(axis=-1, keepdims=True)
    mean_dx = (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = inv_std * (dx_hat - mean_d - x_hat * mean_dx)
    return dx, dgamma, dbeta


def softmax_forward(z):
    """Softmax over the last axis."""
    shifted = z - z.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    p = e / e.sum(axis=-1, keepdims=True)
    return p, p


def softmax_backward(dp, p):
    """Gradient of the scores."""
    inner = (dp * p).sum(axis=-1, keepdims=True)
    return p * (dp - inner)


def gelu_forward(x):
    """The tanh form."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    t = np.tanh(u)
    out = 0.5 * x * (1 + t)
    return out, (x, t)


def gelu_backward(dout, cache):
    """Gradient of x."""
    x, t = cache
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    dx = dout * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * du)
    return dx


def split_heads(x, n_heads):
    """(B, T, C) -> (B, H, T, K)."""
    B, T, C = x.shape
    return x.reshape(B, T, n_heads, C // n_heads).transpose(0, 2, 1, 3)


def merge_heads(x):
    """(B, H, T, K) -> (B, T, C)."""
    B, H, T, K = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, H * K)


def attention_forward(q, k, v):
    """Causal attention of all heads at once. q, k, v (B, H, T, K)."""
    T, K = q.shape[-2:]
    scale = 1.0 / math.sqrt(K)
    scores = q @ k.transpose(0, 1, 3, 2) * scale
    future = np.triu(np.ones((T, T), dtype=bool), k=1)
    scores[:, :, future] = -np.inf
    p, _ = softmax_forward(scores)
    out = p @ v
    return out, (q, k, v, p, scale)


def attention_backward(dout, cache):
    """Gradients of q, k and v."""
    q, k, v, p, scale = cache
    dv = p.transpose(0, 1, 3, 2) @ dout
    dp = dout @ v.transpose(0, 1, 3, 2)
    dscores = softmax_backward(dp, p) * scale
    dq = dscores @ k
    dk = dscores.transpose(0, 1, 3, 2) @ q
    return dq, dk, dv


def forward(x, params):
    """x (B, T, C) -> the output, and what the backward needs."""
    H = params["n_heads"]
    a, ln1 = layernorm_forward(x, params["ln1_g"], params["ln1_b"])
    q, aff_q = affine_forward(a, params["wq"], params["bq"])
    k, aff_k = affine_forward(a, params["wk"], params["bk"])
    v, aff_v = affine_forward(a, params["wv"], params["bv"])
    ctx, att = attention_forward(split_heads(q, H), split_heads(k, H), split_heads(v, H))
    att_out, aff_o = affine_forward(merge_heads(ctx), params["wo"], params["bo"])
    h = x + att_out

    m, ln2 = layernorm_forward(h, params["ln2_g"], params["ln2_b"])
    f, aff_1 = affine_forward(m, params["w1"], params["b1"])
    g, act = gelu_forward(f)
    mlp_out, aff_2 = affine_forward(g, params["w2"], params["b2"])
    out = h + mlp_out
    return out, (H, ln1, aff_q, aff_k, aff_v, att, aff_o, ln2, aff_1, act, aff_2)


def backward(dout, cache):
    """Return the gradient of x, and those of the parameters in a dictionary."""
    H, ln1, aff_q, aff_k, aff_v, att, aff_o, ln2, aff_1, act, aff_2 = cache
    grads = {}

    dg, grads["w2"], grads["b2"] = affine_backward(dout, aff_2)
    df = gelu_backward(dg, act)
    dm, grads["w1"], grads["b1"] = affine_backward(df, aff_1)
    dh, grads["ln2_g"], grads["ln2_b"] = layernorm_backward(dm, ln2)
    dh += dout

    dctx, grads["wo"], grads["bo"] = affine_backward(dh, aff_o)
    dq, dk, dv = attention_backward(split_heads(dctx, H), att)
    da_q, grads["wq"], grads["bq"] = affine_backward(merge_heads(dq), aff_q)
    da_k, grads["wk"], grads["bk"] = affine_backward(merge_heads(dk), aff_k)
    da_v, grads["wv"], grads["bv"] = affine_backward(merge_heads(dv), aff_v)
    da = da_q + da_k + da_v
    dx, grads["ln1_g"], grads["ln1_b"] = layernorm_backward(da, ln1)
    dx += dh
    return dx, grads
