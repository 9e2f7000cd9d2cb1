"""One rule alone, forward and backward, at the sizes it has in a block of the "mid" size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.tasks.engines import engine

N, C, F, V, B, T, H, K = 1024, 384, 1536, 65, 4, 256, 6, 64
IDS = np.random.default_rng(1).integers(0, V, N)

# name -> (shapes of the inputs, what is computed from F (the functional module) and the tensors)
RULES: dict[str, tuple[list[tuple[int, ...]], Any]] = {
    "linear": ([(N, C), (F, C), (F,)], lambda f, x, w, b: f.linear(x, w, b)),
    "layer_norm": ([(N, C), (C,), (C,)], lambda f, x, w, b: f.layer_norm(x, (C,), w, b)),
    "gelu": ([(N, F)], lambda f, x: f.gelu(x)),
    "gelu, tanh": ([(N, F)], lambda f, x: f.gelu(x, approximate="tanh")),
    "relu": ([(N, F)], lambda f, x: f.relu(x)),
    "softmax": ([(B, H, T, T)], lambda f, x: f.softmax(x, -1)),
    "log_softmax": ([(N, V)], lambda f, x: f.log_softmax(x, -1)),
    "attention": (
        [(B, H, T, K)] * 3,
        lambda f, q, k, v: f.scaled_dot_product_attention(q, k, v),
    ),
    "attention, causal": (
        [(B, H, T, K)] * 3,
        lambda f, q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True),
    ),
    "matmul": ([(B, H, T, K), (B, H, K, T)], lambda f, x, y: x @ y),
    "add": ([(N, C), (N, C)], lambda f, x, y: x + y),
    "mul": ([(N, C), (N, C)], lambda f, x, y: x * y),
    "embedding": ([(V, C)], lambda f, w: f.embedding(IDS_TENSOR[0], w)),
    "cross_entropy": ([(N, V)], lambda f, x: f.cross_entropy(x, IDS_TENSOR[0])),
}
IDS_TENSOR: list[Any] = []  # the ids as the engine's tensor, made once


def prepare(name: str, rule: str) -> tuple[Callable[[], Any], float | None]:
    """The rule with gradients of all its inputs, under a random cotangent."""
    side = engine(name)
    IDS_TENSOR[:] = [side.tensor(IDS)]
    shapes, compute = RULES[rule]
    generator = np.random.default_rng(0)

    def draw(shape: tuple[int, ...], requires_grad: bool) -> Any:
        array = generator.standard_normal(shape).astype(np.float32)
        return side.tensor(array, requires_grad=requires_grad)

    inputs = [draw(shape, True) for shape in shapes]
    functional = side.lib.nn.functional
    dout = draw(tuple(compute(functional, *inputs).shape), False)

    def step() -> Any:
        for x in inputs:
            x.grad = None
        compute(functional, *inputs).backward(dout)

    return step, None
