"""Leaves to differentiate by."""

from __future__ import annotations

import numpy as np

from tinygrad_tf import Tensor


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Return a leaf of standard normal numbers, in float64."""
    return Tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)
