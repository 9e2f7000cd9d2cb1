"""Cases of functions of one value, and of reductions."""

from __future__ import annotations

import numpy as np

from crosscheck.ops.case import C, OpCase, plain_cases
from crosscheck.ops.inputs import across_magnitudes, rounded
from crosscheck.sides import Array


def _with_zeros(x: Array) -> Array:
    return np.where(np.abs(x) < 0.5, 0.0, x)


def _alike(x: Array) -> Array:
    """Entries that differ by little beside their mean."""
    return 100 + x


ONE = (C,)

CASES = (
    *plain_cases("exp", lambda e, x: x.exp()),
    *plain_cases("log", lambda e, x: (x * x + 0.1).log()),
    OpCase("log", "1e-4 to 1e4", lambda e, x: x.log(), prepare=across_magnitudes),
    *plain_cases("sqrt", lambda e, x: (x * x + 0.1).sqrt()),
    OpCase("sqrt", "1e-4 to 1e4", lambda e, x: x.sqrt(), prepare=across_magnitudes),
    *plain_cases("sin", lambda e, x: x.sin()),
    *plain_cases("cos", lambda e, x: x.cos()),
    *plain_cases("tanh", lambda e, x: x.tanh()),
    *plain_cases("sigmoid", lambda e, x: x.sigmoid()),
    *plain_cases("erf", lambda e, x: x.erf()),
    *plain_cases("abs", lambda e, x: x.abs()),
    OpCase("abs", "zeros", lambda e, x: x.abs(), prepare=_with_zeros),
    *plain_cases("relu", lambda e, x: e.functional.relu(x)),
    OpCase("relu", "zeros", lambda e, x: x.relu(), prepare=_with_zeros, smooth=False),
    *plain_cases("gelu", lambda e, x: e.functional.gelu(x)),
    *plain_cases("gelu_tanh", lambda e, x: e.functional.gelu(x, approximate="tanh")),
    # In one precision nothing is cast, so the way leads through the other one.
    *plain_cases("cast", lambda e, x: x.double().to(x)),
    OpCase(
        "cast", "to float32", lambda e, x: (x.to(e.library.float32) * 2).to(x), smooth=False
    ),
    *plain_cases("sum", lambda e, x: x.sum(dim=1)),
    OpCase("sum", "over everything", lambda e, x: x.sum()),
    OpCase("sum", "two axes, kept", lambda e, x: x.sum(dim=(0, -1), keepdim=True)),
    OpCase("sum", "a vector", lambda e, x: x.sum(-1), (ONE,)),
    *plain_cases("mean", lambda e, x: x.mean(dim=(0, 2), keepdim=True)),
    OpCase("mean", "over everything", lambda e, x: x.mean()),
    OpCase("mean", "the last axis", lambda e, x: x.mean(dim=-1)),
    *plain_cases("var", lambda e, x: x.var(dim=(0, 1))),
    OpCase("var", "over everything", lambda e, x: x.var()),
    OpCase("var", "correction 0, kept", lambda e, x: x.var(dim=-1, correction=0, keepdim=True)),
    OpCase("var", "two values", lambda e, x: x.var(dim=0), ((2, C),)),
    OpCase("var", "a large mean", lambda e, x: x.var(dim=1), prepare=_alike),
    *plain_cases("std", lambda e, x: x.std(dim=(0, 1))),
    OpCase("std", "over everything", lambda e, x: x.std()),
    OpCase("std", "correction 0, kept", lambda e, x: x.std(dim=-1, correction=0, keepdim=True)),
    OpCase("std", "two values", lambda e, x: x.std(dim=0), ((2, C),)),
    OpCase("std", "a large mean", lambda e, x: x.std(dim=1), prepare=_alike),
    OpCase("std", "all equal", lambda e, x: x.std(dim=1), prepare=np.ones_like, smooth=False,
           may_vanish=True),
    *plain_cases("amax", lambda e, x: x.amax(dim=1)),
    OpCase("amax", "over everything", lambda e, x: x.amax()),
    OpCase("amax", "two axes, kept", lambda e, x: x.amax(dim=(0, -1), keepdim=True)),
    OpCase("amax", "ties", lambda e, x: x.amax(dim=1), prepare=rounded, smooth=False),
    OpCase(
        "amax", "all equal", lambda e, x: x.amax(dim=(1, 2)), prepare=np.ones_like, smooth=False
    ),
    *plain_cases("amin", lambda e, x: x.amin(dim=1)),
    OpCase("amin", "two axes, kept", lambda e, x: x.amin(dim=(0, -1), keepdim=True)),
    OpCase("amin", "ties", lambda e, x: x.amin(dim=1), prepare=rounded, smooth=False),
    *plain_cases("max", lambda e, x: x.max(dim=1).values),
    OpCase("max", "over everything", lambda e, x: x.max()),
    OpCase("max", "the last axis, kept", lambda e, x: x.max(-1, keepdim=True)[0]),
    OpCase("max", "ties", lambda e, x: x.max(dim=1)[0], prepare=rounded, smooth=False),
    OpCase("max", "ties everywhere", lambda e, x: x.max(), prepare=np.ones_like, smooth=False),
    *plain_cases("min", lambda e, x: x.min(dim=1).values),
    OpCase("min", "over everything", lambda e, x: x.min()),
    OpCase("min", "the last axis, kept", lambda e, x: x.min(-1, keepdim=True)[0]),
    OpCase("min", "ties", lambda e, x: x.min(dim=1)[0], prepare=rounded, smooth=False),
)  # fmt: skip
