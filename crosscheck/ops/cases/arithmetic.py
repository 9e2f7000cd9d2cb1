"""Cases of arithmetic with broadcasting, of matmul, and of what chooses between entries."""

from __future__ import annotations

import numpy as np

from crosscheck.ops.case import B, C, OpCase, T, plain_cases
from crosscheck.ops.inputs import across_magnitudes, positive, rounded

X = (B, T, C)
PAIR = (X, X)
TOKEN = ((T, C), (B, 1, C))  # stretched both ways
CHOICE = np.arange(T * C).reshape(T, C) * 7 % 5 < 2  # of the entries of a sequence


CASES = (
    *plain_cases("add", lambda e, x: x + x[:, :1]),
    OpCase("add", "two inputs", lambda e, x, y: x + y, PAIR),
    OpCase("add", "stretched both ways", lambda e, x, y: x + y, TOKEN),
    OpCase("add", "an input twice", lambda e, x: x + x),
    OpCase("add", "1 + x", lambda e, x: 1 + x),
    OpCase("add", "integers", lambda e, x: x + e.tensor(np.arange(C))),
    OpCase("add", "a number of no axes", lambda e, x, y: x + y, (X, ())),
    *plain_cases("sub", lambda e, x: x[:, :1] - x),
    OpCase("sub", "two inputs", lambda e, x, y: x - y, PAIR),
    OpCase("sub", "stretched both ways", lambda e, x, y: x - y, TOKEN),
    OpCase("sub", "2 - x", lambda e, x: 2 - x),
    OpCase("sub", "x - 2", lambda e, x: x - 2),
    *plain_cases("mul", lambda e, x: x * x[:, :, 2:3]),
    OpCase("mul", "two inputs", lambda e, x, y: x * y, PAIR),
    OpCase("mul", "stretched both ways", lambda e, x, y: x * y, TOKEN),
    OpCase("mul", "an input twice", lambda e, x: x * x),
    OpCase("mul", "a mask", lambda e, x: (x > 0) * x),
    OpCase("mul", "2 * x", lambda e, x: 2 * x),
    OpCase("mul", "an input that is used again", lambda e, x: x.exp() * x + x),
    OpCase("mul", "a number of no axes", lambda e, x, y: x * y, ((), X)),
    *plain_cases("div", lambda e, x: x / (x[:1] * x[:1] + 1)),
    OpCase("div", "two inputs", lambda e, x, y: x / y, PAIR, prepare=positive),
    OpCase("div", "stretched both ways", lambda e, x, y: x / y, TOKEN, prepare=positive),
    OpCase("div", "magnitudes", lambda e, x, y: x / y, PAIR, prepare=across_magnitudes),
    OpCase("div", "integers", lambda e, x: x / e.tensor(np.arange(1, C + 1))),
    OpCase("div", "2 / x", lambda e, x: 2 / x, prepare=positive),
    OpCase("div", "x / 2", lambda e, x: x / 2),
    *plain_cases("neg", lambda e, x: -x),
    *plain_cases("pow", lambda e, x: x**3),
    OpCase("pow", "exponent 2", lambda e, x: x**2),
    OpCase("pow", "exponent 0.5", lambda e, x: x**0.5, prepare=positive),
    OpCase("pow", "exponent -1.5", lambda e, x: x**-1.5, prepare=positive),
    OpCase("pow", "exponent 0", lambda e, x: x**0, may_vanish=True),
    OpCase("pow", "a function", lambda e, x: e.library.pow(x, 3.0)),
    *plain_cases("pow_tensor", lambda e, x: (x * x + 0.1) ** x, huge=30.0),
    OpCase("pow_tensor", "two inputs", lambda e, x, y: x**y, PAIR, prepare=positive),
    OpCase("pow_tensor", "stretched both ways", lambda e, x, y: x**y, TOKEN, prepare=positive),
    OpCase("pow_tensor", "2 ** x", lambda e, x: 2**x),
    OpCase(
        "pow_tensor",
        "a base of zero",
        lambda e, x, y: (x * 0) ** (y + 2),
        PAIR,
        prepare=positive,
        may_vanish=True,
    ),
    *plain_cases("maximum", lambda e, x: e.library.maximum(x, x[:, 1:2])),
    OpCase("maximum", "two inputs", lambda e, x, y: e.library.maximum(x, y), PAIR),
    OpCase("maximum", "ties", lambda e, x, y: e.library.maximum(x, y), PAIR, prepare=rounded),
    OpCase("maximum", "stretched both ways", lambda e, x, y: e.library.maximum(x, y), TOKEN),
    *plain_cases("minimum", lambda e, x: e.library.minimum(x, x[:, 1:2])),
    OpCase("minimum", "two inputs", lambda e, x, y: e.library.minimum(x, y), PAIR),
    OpCase("minimum", "ties", lambda e, x, y: e.library.minimum(x, y), PAIR, prepare=rounded),
    OpCase("minimum", "stretched both ways", lambda e, x, y: e.library.minimum(x, y), TOKEN),
    *plain_cases("matmul", lambda e, x: x @ x[0].transpose(0, 1)),
    OpCase("matmul", "matrix @ matrix", lambda e, x, y: x @ y, ((3, 5), (5, 4))),
    OpCase("matmul", "square @ square", lambda e, x, y: x @ y, ((5, 5), (5, 5))),
    OpCase("matmul", "square @ vector", lambda e, x, y: x @ y, ((5, 5), (5,))),
    OpCase("matmul", "vector @ square", lambda e, x, y: x @ y, ((5,), (5, 5))),
    OpCase("matmul", "matrix @ vector", lambda e, x, y: x @ y, ((3, 5), (5,))),
    OpCase("matmul", "vector @ matrix", lambda e, x, y: x @ y, ((3,), (3, 5))),
    OpCase("matmul", "vector @ vector", lambda e, x, y: x @ y, ((5,), (5,))),
    OpCase("matmul", "batch @ batch", lambda e, x, y: x @ y, ((2, 3, 5), (2, 5, 4))),
    OpCase("matmul", "batch of squares", lambda e, x, y: x @ y, ((2, 5, 5), (2, 5, 5))),
    OpCase("matmul", "batch @ matrix", lambda e, x, y: x @ y, ((2, 3, 5), (5, 4))),
    OpCase("matmul", "matrix @ batch", lambda e, x, y: x @ y, ((3, 5), (2, 5, 4))),
    OpCase("matmul", "batch of squares @ vector", lambda e, x, y: x @ y, ((2, 5, 5), (5,))),
    OpCase("matmul", "vector @ batch of squares", lambda e, x, y: x @ y, ((5,), (2, 5, 5))),
    OpCase("matmul", "batches stretched", lambda e, x, y: x @ y, ((2, 1, 3, 5), (4, 5, 2))),
    OpCase("matmul", "a matrix with itself", lambda e, x: x @ x, ((5, 5),)),
    *plain_cases("where", lambda e, x: e.library.where(e.tensor(CHOICE), x, x * 3)),
    OpCase("where", "two inputs", lambda e, x, y: e.library.where(x > y, x, y), PAIR),
    OpCase(
        "where", "stretched both ways", lambda e, x, y: e.library.where(e.tensor(CHOICE), x, y),
        ((B, T, 1), (1, C)),
    ),
    OpCase("where", "two numbers", lambda e, x: x * e.library.where(x > 0, 1.0, 0.5).to(x)),
    *plain_cases("masked_fill", lambda e, x: x.masked_fill(e.tensor(CHOICE), 0.5)),
    OpCase("masked_fill", "masked by itself", lambda e, x: x.masked_fill(x > 0, 0.5)),
    OpCase(
        "masked_fill", "minus infinity", lambda e, x: x.masked_fill(e.tensor(CHOICE), -np.inf)
    ),
    OpCase(
        "masked_fill", "a tensor fills", lambda e, x, y: x.masked_fill(e.tensor(CHOICE), y), (X, ())
    ),
    OpCase("masked_fill", "a mask of keys", lambda e, x: x.masked_fill(e.tensor(CHOICE[0]), -1.0)),
)  # fmt: skip
