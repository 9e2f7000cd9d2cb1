"""JAX on the CPU, the whole step under one `jit`."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import Contender
from benchmarks.problem import Arrays, Problem


def _norm(x: Any, weight: Any, bias: Any) -> Any:
    centered = x - x.mean(-1, keepdims=True)
    variance = (centered * centered).mean(-1, keepdims=True)
    return centered * jax.lax.rsqrt(variance + 1e-5) * weight + bias


def _block(w: Any, x: Any, heads: int, causal: bool) -> Any:
    B, T, C = x.shape
    qkv = x @ w["self_attn.in_proj_weight"].T + w["self_attn.in_proj_bias"]
    split = (part.reshape(B, T, heads, -1).swapaxes(1, 2) for part in jnp.split(qkv, 3, -1))
    q, k, v = split
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(C // heads)
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones((T, T), bool)), scores, -jnp.inf)
    context = (jax.nn.softmax(scores, -1) @ v).swapaxes(1, 2).reshape(B, T, C)
    attended = context @ w["self_attn.out_proj.weight"].T + w["self_attn.out_proj.bias"]
    x = _norm(x + attended, w["norm1.weight"], w["norm1.bias"])
    hidden = jax.nn.gelu(x @ w["linear1.weight"].T + w["linear1.bias"], approximate=False)
    x = x + hidden @ w["linear2.weight"].T + w["linear2.bias"]
    return _norm(x, w["norm2.weight"], w["norm2.bias"])


def prepare(problem: Problem) -> Contender:
    """The block as a jitted function of weights, input and cotangent."""

    @jax.jit
    def compiled(weights: Any, x: Any, dout: Any) -> Any:
        run = lambda w, x: _block(w, x, problem.size.H, problem.causal)  # noqa: E731
        out, pull = jax.vjp(run, weights, x)
        return out, pull(dout)

    weights = {name: jnp.asarray(w) for name, w in problem.weights.items()}
    x, dout = jnp.asarray(problem.x), jnp.asarray(problem.dout)

    def step() -> Any:
        return jax.block_until_ready(compiled(weights, x, dout))

    def collect(result: Any) -> Arrays:
        out, (dweights, dx) = result
        gradients = {f"d{name}": np.asarray(g) for name, g in dweights.items()}
        return {"out": np.asarray(out), "dx": np.asarray(dx), **gradients}

    return step, collect
