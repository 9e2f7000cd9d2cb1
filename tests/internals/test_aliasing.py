"""Which arrays may share memory after a backward pass: for every op, of those that matter, none."""

from __future__ import annotations

import pytest
from support import aliasing
from support.aliasing import RUNGS

each_dtype = pytest.mark.parametrize("dtype", ["f8", "f4"])
each_rung = pytest.mark.parametrize("rung", RUNGS)


@each_dtype
@each_rung
def test_gradients_share_memory_with_nothing(rung: str, dtype: str) -> None:
    aliasing.check_gradients_share_memory_with_nothing(rung, dtype)


@each_dtype
@each_rung
def test_backward_returns_dout_or_views_of_it_or_fresh_memory(rung: str, dtype: str) -> None:
    aliasing.check_backward_returns_dout_or_views_of_it_or_fresh_memory(rung, dtype)
