"""Which arrays may share memory after a backward pass by the fast forms, with pooled memory."""

from __future__ import annotations

from typing import Any

import pytest
from support import aliasing
from support.aliasing import RUNGS, B, C, T, drawn
from support.engines import NUMPY

import tinygrad_tf
from tinygrad_tf import Tensor
from tinygrad_tf.fast import buffers

each_dtype = pytest.mark.parametrize("dtype", ["f8", "f4"])
each_rung = pytest.mark.parametrize("rung", RUNGS)


@pytest.fixture(autouse=True)
def _everything_from_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "SMALLEST", 1)


@each_dtype
@each_rung
def test_gradients_share_memory_with_nothing(rung: str, dtype: str) -> None:
    aliasing.check_gradients_share_memory_with_nothing(rung, dtype)


@each_dtype
@each_rung
def test_backward_returns_dout_or_views_of_it_or_fresh_memory(rung: str, dtype: str) -> None:
    aliasing.check_backward_returns_dout_or_views_of_it_or_fresh_memory(rung, dtype)


def test_the_fast_forms_are_among_the_rungs() -> None:
    by_kernel: set[str] = set()

    def note(op: Any, inputs: Any, options: Any, result: Tensor) -> None:
        if result.node is not None and ".fast." in result.node.backward.__module__:
            by_kernel.add(op.__name__)

    with tinygrad_tf.observe(note):
        for rung in RUNGS.values():
            rung(NUMPY, Tensor(drawn(0, (B, T, C), "f4"), requires_grad=True))
    assert by_kernel == {
        "embedding", "gelu", "getitem", "layer_norm", "linear", "multi_head_attention",
        "scaled_dot_product_attention",
    }  # fmt: skip
