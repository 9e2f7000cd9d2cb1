"""mygrad, tuned: float32 scalars (Python's promote), its checks off, and an erf, which it lacks."""

from __future__ import annotations

import math
from typing import Any

import mygrad as mg
import numpy as np
from mygrad.nnet import softmax
from mygrad.operation_base import UnaryUfunc
from scipy import special

from benchmarks.contenders import Contender
from benchmarks.problem import Arrays, Problem

mg.turn_memory_guarding_off()


class Erf(UnaryUfunc):
    """The error function and its slope."""

    numpy_ufunc = special.erf

    def backward_var(self, grad: Any, index: int, **kwargs: Any) -> Any:
        """The gradient of the one input."""
        x = self.variables[index].data
        return grad * np.float32(2 / math.sqrt(math.pi)) * np.exp(-x * x)


def _erf(x: Any) -> Any:
    return mg.Tensor._op(Erf, x)


def _norm(x: Any, weight: Any, bias: Any) -> Any:
    share = np.float32(1.0 / x.shape[-1])
    centered = x - mg.sum(x, axis=-1, keepdims=True) * share
    variance = mg.sum(centered * centered, axis=-1, keepdims=True) * share
    return centered / mg.sqrt(variance + np.float32(1e-5)) * weight + bias


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    """As one matrix product over all tokens: much faster here than a batched one."""
    rows = mg.reshape(x, (-1, x.shape[-1]))
    return mg.reshape(mg.matmul(rows, weight.T), (*x.shape[:-1], weight.shape[0])) + bias


def _block(w: Any, x: Any, heads: int, mask: Any) -> Any:
    B, T, C = x.shape
    qkv = _linear(x, w["self_attn.in_proj_weight"], w["self_attn.in_proj_bias"])
    parts = mg.transpose(mg.reshape(qkv, (B, T, 3, heads, C // heads)), (2, 0, 3, 1, 4))
    q, k, v = parts[0], parts[1], parts[2]
    scores = mg.matmul(q, mg.swapaxes(k, -1, -2)) * np.float32(1.0 / math.sqrt(C // heads))
    probs = softmax(scores if mask is None else scores + mask, axis=-1)
    context = mg.reshape(mg.swapaxes(mg.matmul(probs, v), 1, 2), (B, T, C))
    attended = _linear(context, w["self_attn.out_proj.weight"], w["self_attn.out_proj.bias"])
    x = _norm(x + attended, w["norm1.weight"], w["norm1.bias"])
    hidden = _linear(x, w["linear1.weight"], w["linear1.bias"])
    root, half = np.float32(1.0 / math.sqrt(2.0)), np.float32(0.5)
    hidden = hidden * (half + half * _erf(hidden * root))
    x = x + _linear(hidden, w["linear2.weight"], w["linear2.bias"])
    return _norm(x, w["norm2.weight"], w["norm2.bias"])


def prepare(problem: Problem) -> Contender:
    """The block, and `backward` of it."""
    T = problem.size.T
    mask = np.triu(np.full((T, T), -np.inf, np.float32), 1) if problem.causal else None
    weights = {name: mg.tensor(w) for name, w in problem.weights.items()}
    x = mg.tensor(problem.x)

    def step() -> Any:
        for leaf in (x, *weights.values()):
            leaf.null_grad()
        out = _block(weights, x, problem.size.H, mask)
        out.backward(problem.dout)
        return out

    def collect(out: Any) -> Arrays:
        gradients = {f"d{name}": np.asarray(w.grad) for name, w in weights.items()}
        return {"out": out.data, "dx": np.asarray(x.grad), **gradients}

    return step, collect
