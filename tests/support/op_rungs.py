"""One line for each op of `tinygrad_tf.ops`: an expression in which both engines use it.

Each maps (engine, x) to a result, x (2, 5, 6) floats; what is written is PyTorch's dialect, so the
same line runs on both sides. The name on the left is the rule's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from support.engines import NUMPY

from tinygrad_tf.ops.multi_head_attention import multi_head_attention as heads

B, T, C = 2, 5, 6
CHOICE = np.random.default_rng(0).random((T, C)) < 0.4
IDS = np.array([[3, 0, 3, 4], [1, 3, 3, 0]])
TARGETS = np.array([5, 0, 1, 1, 2, 4, 3, 5, 0, 2])


def dropout(engine: Any, x: Any) -> Any:
    """PyTorch cannot draw what our generator draws, so it gets the mask made of the same draws."""
    if engine is NUMPY:
        return engine.functional.dropout(x, 0.25, generator=np.random.default_rng(3))
    keep = (np.random.default_rng(3).random((B, T, C)) >= 0.25) / 0.75
    return x * engine.tensor(keep).to(x)


def multi_head_attention(engine: Any, x: Any) -> Any:
    """PyTorch has no op for it, but those that it is made of."""
    if engine is NUMPY:
        return heads(x, num_heads=2, is_causal=True)
    q, k, v = x.view(B, T, 3, 2, 1).permute(2, 0, 3, 1, 4).unbind(0)
    context = engine.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return context.transpose(1, 2).flatten(2)


OP_RUNGS: dict[str, Any] = {
    "abs": lambda e, x: x.abs(),
    "add": lambda e, x: x + x[:, :1],
    "amax": lambda e, x: x.amax(dim=1),
    "cast": lambda e, x: x.double().to(x),
    "cat": lambda e, x: e.library.cat([x, x * 2, x[:, :, :1]], dim=-1),
    "cos": lambda e, x: x.cos(),
    "cross_entropy": lambda e, x: e.functional.cross_entropy(x.flatten(0, 1), e.tensor(TARGETS)),
    "div": lambda e, x: x / (x[:1] * x[:1] + 1),
    "dropout": dropout,
    "embedding": lambda e, x: e.functional.embedding(e.tensor(IDS), x[0]),
    "erf": lambda e, x: x.erf(),
    "exp": lambda e, x: x.exp(),
    "expand": lambda e, x: x.unsqueeze(0).expand(3, -1, -1, -1),
    "gelu": lambda e, x: e.functional.gelu(x),
    "gelu_tanh": lambda e, x: e.functional.gelu(x, approximate="tanh"),
    "getitem": lambda e, x: x[:, [3, 0, 3], 1:],
    "layer_norm": lambda e, x: e.functional.layer_norm(x, (C,), x[0, 0], x[1, 4], 1e-3),
    "linear": lambda e, x: e.functional.linear(x, x[0], x[1, :, 2]),
    "log": lambda e, x: (x * x + 0.1).log(),
    "log_softmax": lambda e, x: e.functional.log_softmax(x, dim=1),
    "masked_fill": lambda e, x: x.masked_fill(e.tensor(CHOICE), 0.5),
    "matmul": lambda e, x: x @ x[0].transpose(0, 1),
    "maximum": lambda e, x: e.library.maximum(x, x[:, 1:2]),
    "mean": lambda e, x: x.mean(dim=(0, 2), keepdim=True),
    "minimum": lambda e, x: e.library.minimum(x, x[:, 1:2]),
    "multi_head_attention": multi_head_attention,
    "mul": lambda e, x: x * x[:, :, 2:3],
    "neg": lambda e, x: -x,
    "permute": lambda e, x: x.permute(2, 0, 1),
    "pow": lambda e, x: x**3,
    "pow_tensor": lambda e, x: (x * x + 0.1) ** x,
    "relu": lambda e, x: e.functional.relu(x),
    "reshape": lambda e, x: x.reshape(C, B * T),
    "scaled_dot_product_attention": lambda e, x: e.functional.scaled_dot_product_attention(
        x, x * 2, x[:, :, :4], is_causal=True
    ),
    "sigmoid": lambda e, x: x.sigmoid(),
    "sin": lambda e, x: x.sin(),
    "softmax": lambda e, x: e.functional.softmax(x, dim=1),
    "sqrt": lambda e, x: (x * x + 0.1).sqrt(),
    "sub": lambda e, x: x[:, :1] - x,
    "sum": lambda e, x: x.sum(dim=1),
    "tanh": lambda e, x: x.tanh(),
    "transpose": lambda e, x: x.transpose(0, -1),
    "tril": lambda e, x: x.tril(1),
    "triu": lambda e, x: x.triu(1),
    "var": lambda e, x: x.var(dim=(0, 1)),
    "where": lambda e, x: e.library.where(e.tensor(CHOICE), x, x * 3),
}
