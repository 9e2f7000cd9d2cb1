"""Which arrays may share memory after a backward pass: for every op, of those that matter, none."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from support.engines import NUMPY

import tinygrad_tf
from crosscheck.ops.case import B, C, T
from crosscheck.ops.cases import OP_RUNGS
from crosscheck.tape.kept import captured
from tinygrad_tf import Tensor
from tinygrad_tf.machinery.contract import Fresh
from tinygrad_tf.nn import functional as F

Array = np.ndarray[Any, Any]

MORE_RUNGS: dict[str, Any] = {
    "attention by the kernel": lambda e, x: F.scaled_dot_product_attention(
        *x.view(1, B, T, C).unsqueeze(0).expand(3, -1, -1, -1, -1).unbind(0), is_causal=True
    ),
    "add twice": lambda e, x: x + x,
    "add and multiply": lambda e, x: (x + x[:1]) * x + x,
    "linear of a matrix": lambda e, x: F.linear(x[0], x[1]),
    "layer_norm without weight": lambda e, x: F.layer_norm(x, (C,)),
    "gelu of a view": lambda e, x: F.gelu(x.transpose(0, 1)),
    "detached": lambda e, x: x.detach() * x,
    "views only": lambda e, x: x.view(T, B, C).transpose(0, 2)[1:].unsqueeze(0),
}
RUNGS = {**OP_RUNGS, **MORE_RUNGS}


def drawn(seed: int, shape: Any, dtype: Any) -> Array:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def shares(x: Tensor, y: Tensor) -> bool:
    return np.shares_memory(x.data, y.data)


def check_gradients_share_memory_with_nothing(rung: str, dtype: str) -> None:
    """Neither with the data, nor the gradient= given, nor what the rules remember, nor each other.

    x is the sum of two leaves, so that one gradient arrives at both.
    """
    remembered: list[Array] = []

    def remember(op: Any, inputs: Any, options: Any, result: Tensor) -> None:
        remembered.append(result.data)
        if result.node is not None:
            remembered.extend(array for _, array in captured(result.node.backward))

    leaves = [Tensor(drawn(i, (B, T, C), dtype), requires_grad=True) for i in range(2)]
    with tinygrad_tf.observe(remember):
        out = RUNGS[rung](NUMPY, leaves[0] + leaves[1])
    dout = Tensor(drawn(3, out.shape, dtype))
    out.retain_grad()
    held = [a.copy() for a in (*remembered, dout.data)]
    out.backward(dout, retain_graph=True)
    gradients = [out.grad.data, *(x.grad.data for x in leaves)]
    others = [dout.data, *(x.data for x in leaves), *remembered]
    for gradient, other in itertools.product(gradients, others):
        assert not np.shares_memory(gradient, other)
    for a, b in itertools.combinations(gradients, 2):
        assert not np.shares_memory(a, b)
    once = [a.copy() for a in gradients]
    for a in gradients:
        a[...] = np.nan  # whoever shares them, shows it now
    for x in (*leaves, out):
        x.grad = None
    out.backward(dout)
    for x, gradient in zip((out, *leaves), once, strict=True):
        np.testing.assert_array_equal(x.grad.data, gradient)
    for a, copy in zip((*remembered, dout.data), held, strict=True):
        np.testing.assert_array_equal(a, copy)


def check_backward_returns_dout_or_views_of_it_or_fresh_memory(rung: str, dtype: str) -> None:
    """What a fast form calls fresh shares no memory with dout either: the engine writes into it.

    And the engine knows of each result which tensors it is a view of.
    """
    seen: list[str] = []

    def examine(op: Any, inputs: Any, options: Any, result: Tensor) -> None:
        sharing = [x for x in inputs if isinstance(x, Tensor) and shares(x, result)]
        assert all(x.memory is result.memory is not None for x in sharing)
        assert sharing or result.memory is None
        if result.node is None:
            return
        seen.append(op.__name__)
        dout = drawn(4, result.shape, result.dtype)
        dout.flags.writeable = False
        given = [x.data if isinstance(x, Tensor) else x for x in inputs]
        kept = [a for a in given if isinstance(a, np.ndarray)]
        kept += [array for _, array in captured(result.node.backward)]
        before = [a.copy() for a in kept]
        fresh: list[Array] = []
        gradients = result.node.backward(dout)
        for gradient in gradients:
            dx = getattr(gradient, "values", gradient)  # a piece of a split holds its values
            if dx is None or np.shares_memory(dx, dout):
                assert dx is None or type(gradients) is not Fresh
                continue
            assert not any(np.shares_memory(dx, a) for a in (result.data, *kept, *fresh))
            fresh.append(dx)
        for a, copy in zip(kept, before, strict=True):
            np.testing.assert_array_equal(a, copy)

    x = Tensor(drawn(0, (B, T, C), dtype), requires_grad=True)
    with tinygrad_tf.observe(examine):
        RUNGS[rung](NUMPY, x)
    assert seen or (rung, dtype) == ("cast", "f8")  # the one that has nothing to do
