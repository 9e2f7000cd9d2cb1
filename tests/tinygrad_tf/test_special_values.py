"""NaN, infinities and both zeros through every op, forward and backward, as in PyTorch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_tf
import tinygrad_tf.ops
import torch
from tinygrad_tf import Tensor
from tinygrad_tf.nn import functional as F

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.0])
N = len(SPECIAL)
X, Y = np.repeat(SPECIAL, N), np.tile(SPECIAL, N)  # every pair of them
ROWS = np.array([[a, b, c] for a in SPECIAL for b in SPECIAL for c in (0.5, *SPECIAL[:3])])
WITH_EMPTY_ROW = np.concatenate([ROWS, np.full((1, 3), -np.inf)])
CHOICE = np.arange(N * N) % 2 == 0
CLASSES = np.arange(len(ROWS)) % 3
QUERIES = np.array([[1.0, 2.0], [0.0, -1.0], [np.inf, 0.0], [np.nan, 0.0]])
KEYS = np.array([[1.0, 1.0], [2.0, 0.5]])
VALUES = np.array([[1.0, 4.0], [2.0, 3.0]])
MASK = np.array([[0.0, np.nan], [np.inf, 0.0], [-np.inf, -np.inf], [-np.inf, 1.0]])

Call = Callable[..., Any]  # of the library, its functional part and the tensors


def on(engine: Any, array: np.ndarray) -> Any:
    return Tensor(array) if engine is tinygrad_tf else torch.tensor(array)


def method(name: str, *arguments: Any, **options: Any) -> Call:
    return lambda e, f, x: getattr(x, name)(*arguments, **options)


def power(exponent: float) -> tuple[str, str, Call, tuple[np.ndarray, ...]]:
    return "pow", f"exponent {exponent}", lambda e, f, x: x**exponent, (SPECIAL,)


POINTWISE = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "erf", "abs", "relu")

# The op, what is special, how it is called on both sides, and its inputs.
CASES: list[tuple[str, str, Call, tuple[np.ndarray, ...]]] = [
    *((name, "", method(name), (SPECIAL,)) for name in POINTWISE),
    ("neg", "", lambda e, f, x: -x, (SPECIAL,)),
    ("add", "", lambda e, f, x, y: x + y, (X, Y)),
    ("sub", "", lambda e, f, x, y: x - y, (X, Y)),
    ("mul", "", lambda e, f, x, y: x * y, (X, Y)),
    ("div", "", lambda e, f, x, y: x / y, (X, Y)),
    ("pow_tensor", "", lambda e, f, x, y: x**y, (X, Y)),
    *map(power, (0, 0.5, 1, 1.5, 2, 3, -0.5, -1, -2, np.inf, -np.inf, np.nan)),
    ("maximum", "", lambda e, f, x, y: e.maximum(x, y), (X, Y)),
    ("minimum", "", lambda e, f, x, y: e.minimum(x, y), (X, Y)),
    ("gelu", "", lambda e, f, x: f.gelu(x), (SPECIAL,)),
    ("gelu_tanh", "", lambda e, f, x: f.gelu(x, approximate="tanh"), (SPECIAL,)),
    *((name, "", method(name, dim=1), (ROWS,)) for name in ("sum", "mean", "var", "std", "amax")),
    ("amin", "", method("amin", dim=1), (ROWS,)),
    ("std", "one value", method("std", dim=1), (ROWS[:, :1],)),
    ("max", "", lambda e, f, x: x.max(dim=1).values, (ROWS,)),
    ("min", "", lambda e, f, x: x.min(dim=1).values, (ROWS,)),
    ("max", "over everything", method("max"), (ROWS,)),
    ("min", "over everything", method("min"), (SPECIAL[1:],)),
    ("var", "one value", method("var", dim=1), (ROWS[:, :1],)),
    ("var", "more than there are", method("var", dim=1, correction=4), (ROWS,)),
    ("softmax", "", lambda e, f, x: f.softmax(x, -1), (WITH_EMPTY_ROW,)),
    ("log_softmax", "", lambda e, f, x: f.log_softmax(x, -1), (WITH_EMPTY_ROW,)),
    ("layer_norm", "", lambda e, f, x: f.layer_norm(x, (3,)), (ROWS,)),
    ("where", "", lambda e, f, x, y: e.where(on(e, CHOICE), x, y), (X, Y)),
    ("masked_fill", "-inf", lambda e, f, x: x.masked_fill(x > 0, -np.inf), (SPECIAL,)),
    ("masked_fill", "nan", lambda e, f, x: x.masked_fill(x > 0, np.nan), (SPECIAL,)),
    ("tril", "", method("tril"), (ROWS[:9],)),
    ("triu", "", method("triu"), (ROWS[:9],)),
    ("matmul", "", lambda e, f, x, y: x @ y, (ROWS[:6], ROWS[6:9])),
    ("linear", "", lambda e, f, *x: f.linear(*x), (ROWS[:6], ROWS[6:9], SPECIAL[:3])),
    (
        "cross_entropy",
        "",
        lambda e, f, x: f.cross_entropy(x, on(e, CLASSES), reduction="none"),
        (ROWS,),
    ),
    (
        "cross_entropy",
        "smoothed",
        lambda e, f, x: f.cross_entropy(x, on(e, CLASSES[:2]), label_smoothing=0.1),
        (ROWS[-2:],),
    ),
    (
        "scaled_dot_product_attention",
        "queries",
        lambda e, f, *x: f.scaled_dot_product_attention(*x),
        (QUERIES, KEYS, VALUES),
    ),
    (
        "scaled_dot_product_attention",
        "values",
        lambda e, f, *x: f.scaled_dot_product_attention(*x, is_causal=True),
        (QUERIES[:2], KEYS, VALUES * np.array([[np.inf, 1.0], [1.0, np.nan]])),
    ),
    (
        "scaled_dot_product_attention",
        "mask",
        lambda e, f, *x: f.scaled_dot_product_attention(*x),
        (KEYS[[0, 1, 0, 1]], KEYS, VALUES, MASK),
    ),
    ("embedding", "", lambda e, f, x: f.embedding(on(e, np.array([0, 1, 1])), x), (ROWS[:3],)),
    ("cat", "", lambda e, f, x, y: e.cat([x, y]), (X, Y)),
    ("clone", "", method("clone"), (SPECIAL,)),
    ("expand", "", method("expand", 3, N), (SPECIAL,)),
    ("reshape", "", method("reshape", N, 1), (SPECIAL,)),
    ("permute", "", method("permute", 1, 0), (ROWS,)),
    ("transpose", "", method("transpose", 1, 0), (ROWS,)),
    ("getitem", "", lambda e, f, x: x[[0, 1, 1, 3]], (SPECIAL,)),
    ("cast", "", lambda e, f, x: (x.to(e.float32) + 1).to(e.float64), (SPECIAL,)),
]
# The entries of dropout are drawn, and multi-head attention only moves entries around attention.
ELSEWHERE = {"dropout", "multi_head_attention"}


def test_every_op_is_in_the_table() -> None:
    files = filter(inspect.ismodule, vars(tinygrad_tf.ops).values())
    ops = {name for file in files for name, op in vars(file).items() if hasattr(op, "rule")}
    assert ops - ELSEWHERE == {case[0] for case in CASES}


def run(engine: Any, call: Call, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    tensors = [on(engine, array.copy()).requires_grad_() for array in inputs]
    out = call(engine, F if engine is tinygrad_tf else torch.nn.functional, *tensors)
    dtype = str(out.dtype).removeprefix("torch.")
    dout = np.random.default_rng(5).normal(size=tuple(out.shape)).astype(dtype)
    out.backward(on(engine, dout))
    return [out.detach().numpy(), *(tensor.grad.numpy() for tensor in tensors)]


@pytest.mark.filterwarnings("ignore:(var|std).*degrees of freedom")
@pytest.mark.parametrize(("dtype", "tolerance"), [("f8", 1e-12), ("f4", 1e-5)])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]}".strip())
def test_what_is_special_passes_as_in_pytorch(case: Any, dtype: str, tolerance: float) -> None:
    op, _, call, inputs = case
    inputs = tuple(array.astype(dtype) for array in inputs)
    if op == "gelu" and dtype == "f4":
        inputs = (np.delete(inputs[0], 1),)  # PyTorch may answer NaN for the gelu of infinity
    with np.errstate(all="ignore"):
        found, expected = run(tinygrad_tf, call, inputs), run(torch, call, inputs)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
