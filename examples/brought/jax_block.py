"""A pre-norm block in JAX: a function of its parameters, with a layer norm's gradient by hand."""

import jax
import jax.numpy as jnp

EPS = 1e-5


@jax.custom_vjp
def layer_norm(x, gain, shift):
    """Normalise the last axis. x (..., C), gain (C), shift (C) -> (..., C)."""
    return layer_norm_forward(x, gain, shift)[0]


def layer_norm_forward(x, gain, shift):
    """Return the result, and what the backward needs."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    centered = x - mean
    variance = jnp.mean(centered**2, axis=-1, keepdims=True)
    inverse = 1 / jnp.sqrt(variance + EPS)
    xhat = centered * inverse
    return xhat * gain + shift, (xhat, inverse, gain)


def layer_norm_backward(kept, dy):
    """Return the gradients of x, gain and shift."""
    xhat, inverse, gain = kept
    leading = tuple(range(dy.ndim - 1))
    dgain = jnp.sum(dy * xhat, axis=leading)
    dshift = jnp.sum(dy, axis=leading)
    dxhat = dy * gain
    along_ones = jnp.mean(dxhat, axis=-1, keepdims=True)
    along_xhat = jnp.mean(dxhat * xhat, axis=-1, keepdims=True)
    dx = (dxhat - along_ones - xhat * along_xhat) * inverse
    return dx, dgain, dshift


layer_norm.defvjp(layer_norm_forward, layer_norm_backward)


def attention(params, x, causal):
    """Multi-head attention with weights of shape (C, H, K). x (B, T, C) -> (B, T, C)."""
    q = jnp.einsum("btc,chk->bhtk", x, params["wq"]) + params["bq"][:, None]
    k = jnp.einsum("btc,chk->bhtk", x, params["wk"]) + params["bk"][:, None]
    v = jnp.einsum("btc,chk->bhtk", x, params["wv"]) + params["bv"][:, None]
    scores = jnp.einsum("bhtk,bhsk->bhts", q, k) / jnp.sqrt(q.shape[-1])
    if causal:
        seen = jnp.tril(jnp.ones(scores.shape[-2:], bool))
        scores = jnp.where(seen, scores, -1e30)
    largest = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    exponentials = jnp.exp(scores - largest)
    probs = exponentials / exponentials.sum(axis=-1, keepdims=True)
    context = jnp.einsum("bhts,bhsk->bthk", probs, v)
    return jnp.einsum("bthk,hkc->btc", context, params["wo"]) + params["bo"]


def feed_forward(params, x):
    """Two linear layers with the exact GELU between them. x (B, T, C) -> (B, T, C)."""
    hidden = x @ params["w1"] + params["b1"]
    hidden = jax.nn.gelu(hidden, approximate=False)
    return hidden @ params["w2"] + params["b2"]


def block(params, x, causal=False):
    """Apply the block. x (B, T, C) -> (B, T, C)."""
    h = layer_norm(x, params["g1"], params["s1"])
    x = x + attention(params, h, causal)
    h = layer_norm(x, params["g2"], params["s2"])
    x = x + feed_forward(params, h)
    return x


def init(seed, width, heads, hidden):
    """Draw the parameters: C is width, H is heads, F is hidden."""
    size = width // heads
    keys = iter(jax.random.split(jax.random.key(seed), 6))

    def matrix(*shape, inputs):
        return jax.random.normal(next(keys), shape) / inputs**0.5

    return {
        **{name: matrix(width, heads, size, inputs=width) for name in ("wq", "wk", "wv")},
        **{name: jnp.zeros((heads, size)) for name in ("bq", "bk", "bv")},
        "wo": matrix(heads, size, width, inputs=width),
        "bo": jnp.zeros(width),
        "w1": matrix(width, hidden, inputs=width),
        "b1": jnp.zeros(hidden),
        "w2": matrix(hidden, width, inputs=hidden),
        "b2": jnp.zeros(width),
        **{name: jnp.ones(width) for name in ("g1", "g2")},
        **{name: jnp.zeros(width) for name in ("s1", "s2")},
    }
