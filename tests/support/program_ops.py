"""The ops that random programs are made of, in the dialect that both engines speak.

Values stay tame by construction, with nothing filtered: what could grow passes through a sine, what
has a pole is kept away from it, and kinks lie where no value gets by structure alone (`x - x` is 0,
but never 0.137).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from support.engines import Engine
from support.program_shapes import (
    Options,
    affine,
    attends,
    broadcast,
    choice,
    full_reduction,
    has_axes,
    index,
    is_full,
    is_full_matrix,
    is_matrix,
    is_table,
    joins,
    joins_last,
    multiplies,
    new_axis,
    one_axis,
    permutation,
    pieces,
    projects,
    reduction,
    same,
    sizes,
    stretches_to,
    two_axes,
    variance,
)

KINK = 0.137
MASKS = ["none", "causal", "float", "nowhere"]
LOSS = {"reduction": ["mean", "sum", "none"], "label_smoothing": [0.0, 0.1]}


@dataclass(frozen=True)
class Op:
    """run(engine, *values, **options); fits(*shapes); options(*shapes): their strategies by name.

    grows: the result is brought back to [-1, 1] by a sine.
    """

    run: Callable[..., Any]
    arity: int = 1
    fits: Callable[..., bool] = lambda *shapes: True
    options: Callable[..., Options] = lambda *shapes: {}
    grows: bool = False


def ramped(engine: Engine, x: Any) -> Any:
    """A ramp is added: equal entries would be a tie in one engine, rounded apart in the other."""
    ramp = np.linspace(0.0, 0.9, max(x.numel(), 1))[: x.numel()].reshape(x.shape)
    return x + engine.tensor(ramp)


def amax(engine: Engine, x: Any, dim: Any, keepdim: bool) -> Any:
    return ramped(engine, x).amax(dim, keepdim=keepdim)


def self_attention(engine: Engine, x: Any, mask: str) -> Any:
    """One value as q, k and v, and in a float mask as well; "nowhere" forbids query 0 all keys."""
    tokens, attend = x.shape[-2], engine.functional.scaled_dot_product_attention
    if mask == "causal":
        return attend(x, x, x, is_causal=True)
    if mask == "nowhere":
        return attend(x, x, x, engine.tensor(np.tri(tokens, k=-1, dtype=bool)))
    bias = x[..., :1] - x[..., :1].transpose(-2, -1)
    return attend(x, x, x, bias if mask == "float" else None)


def cross_entropy(engine: Engine, logits: Any, **options: Any) -> Any:
    targets = np.arange(logits.shape[0]) % logits.shape[1]
    return engine.functional.cross_entropy(logits, engine.tensor(targets), **options)


def embedding(engine: Engine, weight: Any) -> Any:
    ids = np.array([[0, weight.shape[0] - 1, 0]])
    return engine.functional.embedding(engine.tensor(ids), weight)


def normalise(engine: Engine, x: Any, axes: int) -> Any:
    """A large eps: entries that should be equal are not blown up from rounding to size 1."""
    return engine.functional.layer_norm(x, tuple(x.shape[-axes:]), eps=0.1)


def layer_norm(engine: Engine, x: Any, weight: Any, bias: Any) -> Any:
    return engine.functional.layer_norm(x, tuple(weight.shape), weight, bias, eps=0.1)


def positive(x: Any) -> Any:
    """Between 0.5 and 2.5."""
    return x.sin() + 1.5


def method(name: str) -> Callable[..., Any]:
    return lambda engine, x, **options: getattr(x, name)(**options)


def function(name: str) -> Callable[..., Any]:
    return lambda engine, *xs, **options: getattr(engine.functional, name)(*xs, **options)


OPS: dict[str, Op] = {
    # Functions of one value
    **{name: Op(method(name)) for name in ("sin", "cos", "tanh", "sigmoid", "erf")},
    "exp": Op(lambda e, x: x.sin().exp()),
    "log": Op(lambda e, x: positive(x).log()),
    "sqrt": Op(lambda e, x: positive(x).sqrt()),
    "abs": Op(lambda e, x: (x - KINK).abs()),
    "relu": Op(lambda e, x: e.functional.relu(x - KINK)),
    "gelu": Op(function("gelu"), options=choice(approximate=["none", "tanh"])),
    "neg": Op(lambda e, x: -x),
    "rsub": Op(lambda e, x: 1.5 - x),
    "rdiv": Op(lambda e, x: 2.0 / positive(x)),
    "power": Op(lambda e, x, p: positive(x) ** p, options=choice(p=[2, 3, -1, 0.5, 0, 1.0])),
    "detach": Op(lambda e, x: x * x.detach(), grows=True),
    # Functions of two
    "add": Op(lambda e, x, y: x + y, 2, broadcast),
    "sub": Op(lambda e, x, y: x - y, 2, broadcast),
    "mul": Op(lambda e, x, y: x * y, 2, broadcast, grows=True),
    "div": Op(lambda e, x, y: x / positive(y), 2, broadcast),
    "pow": Op(lambda e, x, y: positive(x) ** y.sin(), 2, broadcast),
    "maximum": Op(lambda e, x, y: e.library.maximum(x, y + KINK), 2, broadcast),
    "minimum": Op(lambda e, x, y: e.library.minimum(x, y + KINK), 2, broadcast),
    "matmul": Op(lambda e, x, y: x @ y, 2, multiplies, grows=True),
    # Selections
    "where": Op(lambda e, x, y: e.library.where(y > KINK, x, y), 2, broadcast),
    "masked_fill": Op(lambda e, x, y: x.masked_fill(y > KINK, 0.25), 2, stretches_to),
    "tril": Op(method("tril"), 1, is_matrix, choice(diagonal=[-1, 0, 1])),
    "triu": Op(method("triu"), 1, is_matrix, choice(diagonal=[-1, 0, 1])),
    # Reductions
    "sum": Op(method("sum"), options=full_reduction, grows=True),
    "mean": Op(method("mean"), 1, is_full, full_reduction),
    "var": Op(method("var"), 1, is_full, variance),
    "amax": Op(amax, 1, is_full, reduction),
    "max": Op(lambda e, x, dim: ramped(e, x).max(dim).values, 1, is_full, one_axis),
    "min": Op(lambda e, x, dim: ramped(e, x).min(dim).values, 1, is_full, one_axis),
    # Shapes
    "flatten": Op(lambda e, x: x.flatten()),
    "view": Op(lambda e, x: x.reshape(-1).view(*x.shape, 1)),
    "unflatten": Op(lambda e, x: x.unflatten(0, (1, -1)), 1, is_full),
    "squeeze": Op(method("squeeze"), 1, has_axes, one_axis),
    "unsqueeze": Op(method("unsqueeze"), 1, has_axes, one_axis),
    "transpose": Op(method("transpose"), 1, has_axes, two_axes),
    "permute": Op(lambda e, x, dims: x.permute(*dims), 1, has_axes, permutation),
    "expand": Op(lambda e, x, sizes: x.expand(*sizes), 1, has_axes, sizes),
    "index": Op(lambda e, x, index: x[index], 1, has_axes, index),
    "split": Op(lambda e, x, sizes, piece: x.split(sizes)[piece], 1, has_axes, pieces),
    "chunk": Op(lambda e, x, dim: x.chunk(2, dim)[-1], 1, has_axes, one_axis),
    "swap": Op(lambda e, x, dim: e.library.cat(x.chunk(2, dim)[::-1], dim), 1, has_axes, one_axis),
    "unbind": Op(lambda e, x, dim: x.unbind(dim)[-1], 1, is_full, one_axis),
    "rows": Op(lambda e, x, dim: sum(x.unbind(dim)), 1, is_full, one_axis, grows=True),
    "cat": Op(lambda e, x, y: e.library.cat((x, y, x)), 2, joins),
    "cat_last": Op(lambda e, x, y: e.library.cat((x, y, x), -1), 2, joins_last),
    "stack": Op(lambda e, x, y, dim: e.library.stack((x, y), dim), 2, same, new_axis),
    # Networks
    "softmax": Op(function("softmax"), 1, has_axes, one_axis),
    "log_softmax": Op(function("log_softmax"), 1, has_axes, one_axis),
    "normalise": Op(normalise, 1, is_full_matrix, choice(axes=[1, 2])),
    "layer_norm": Op(layer_norm, 3, affine),
    "linear": Op(lambda e, x, w, b: e.functional.linear(x, w, b), 3, projects, grows=True),
    "attention": Op(function("scaled_dot_product_attention"), 3, attends),
    "self_attention": Op(self_attention, 1, is_full_matrix, choice(mask=MASKS)),
    "cross_entropy": Op(cross_entropy, 1, is_table, choice(**LOSS), grows=True),
    "embedding": Op(embedding, 1, is_table),
}
