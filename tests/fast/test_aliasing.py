"""Which arrays may share memory after a backward pass: for every op, of those that matter, none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY
from support.op_rungs import OP_RUNGS, B, C, T

import tinygrad_tf
from tinygrad_tf import Tensor, buffers
from tinygrad_tf.graph import At
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
each_dtype = pytest.mark.parametrize("dtype", ["f8", "f4"])


@pytest.fixture(autouse=True)
def _everything_from_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "SMALLEST", 1)


def drawn(seed: int, shape: Any, dtype: Any) -> Array:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def captured(node: Any) -> Iterator[Array]:
    """The arrays that a rule's backward remembers."""
    pending: list[Any] = [cell.cell_contents for cell in node.backward.__closure__ or ()]
    while pending:
        value = pending.pop()
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple | list):
            pending.extend(value)


@each_dtype
@pytest.mark.parametrize("rung", RUNGS)
def test_gradients_share_memory_with_nothing(rung: str, dtype: str) -> None:
    """Neither with the data, nor the gradient= given, nor what the rules remember, nor each other.

    x is the sum of two leaves, so that one gradient arrives at both.
    """
    remembered: list[Array] = []

    def remember(op: Any, inputs: Any, options: Any, result: Tensor) -> None:
        remembered.append(result.data)
        if result.node is not None:
            remembered.extend(captured(result.node))

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


@each_dtype
@pytest.mark.parametrize("rung", RUNGS)
def test_backward_returns_dout_or_views_of_it_or_fresh_memory(rung: str, dtype: str) -> None:
    """A kernel must, for the engine writes into the fresh ones; and every page does as well."""
    seen: list[str] = []

    def examine(op: Any, inputs: Any, options: Any, result: Tensor) -> None:
        if result.node is None:
            return
        seen.append(op.__name__)
        dout = drawn(4, result.shape, result.dtype)
        dout.flags.writeable = False
        given = [x.data if isinstance(x, Tensor) else x for x in inputs]
        kept = [a for a in (*given, *captured(result.node)) if isinstance(a, np.ndarray)]
        before = [a.copy() for a in kept]
        fresh: list[Array] = []
        for gradient in result.node.backward(dout):
            dx = gradient.values if isinstance(gradient, At) else gradient
            if dx is None or np.shares_memory(dx, dout):
                assert dx is None or dx is dout or not buffers.owns_memory(dx)
                continue
            assert not any(np.shares_memory(dx, a) for a in (result.data, *kept, *fresh))
            fresh.append(dx)
        for a, copy in zip(kept, before, strict=True):
            np.testing.assert_array_equal(a, copy)

    x = Tensor(drawn(0, (B, T, C), dtype), requires_grad=True)
    with tinygrad_tf.observe(examine):
        RUNGS[rung](NUMPY, x)
    assert seen or (rung, dtype) == ("cast", "f8")  # the one that has nothing to do


def test_the_kernels_are_among_the_rungs() -> None:
    by_kernel: set[str] = set()

    def note(op: Any, inputs: Any, options: Any, result: Tensor) -> None:
        if result.node is not None and ".kernels." in result.node.backward.__module__:
            by_kernel.add(op.__name__)

    with tinygrad_tf.observe(note):
        for rung in RUNGS.values():
            rung(NUMPY, Tensor(drawn(0, (B, T, C), "f4"), requires_grad=True))
    assert by_kernel == {
        "embedding", "gelu", "layer_norm", "linear", "multi_head_attention",
        "scaled_dot_product_attention",
    }  # fmt: skip
