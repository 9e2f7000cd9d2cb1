"""The lowest rungs of the ladder: every single op, alone, in both engines.

Many a bug in an op (the inverse of a permutation, a repeated index, a sign) does not show in a
whole block, whose way it never crosses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.engines import ENGINES

import tinygrad_tf
from crosscheck import Batch, compare
from crosscheck.ops.case import B, C, T
from crosscheck.ops.cases import OP_RUNGS


@pytest.mark.parametrize("scale", [1.0, 0.02])
@pytest.mark.parametrize("op", OP_RUNGS)
def test_op(op: str, scale: float) -> None:
    def module(engine: Any) -> Any:
        class Rung(engine.library.nn.Module):
            def forward(self, x: Any) -> Any:
                return OP_RUNGS[op](engine, x)

        return Rung()

    used: list[str] = []
    x = scale * np.random.default_rng(1).standard_normal((B, T, C))
    with tinygrad_tf.observe(lambda op, *_: used.append(op.__name__)):
        report = compare(*map(module, ENGINES), Batch(x.astype(np.float32)))
    assert report.agrees, str(report)
    assert op in used
