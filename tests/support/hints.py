"""What the tests of hints share: the sizes of a run, and right arrays to spoil."""

from __future__ import annotations

import numpy as np

from crosscheck.tape.fingerprints import Sizes

B, T, H, K = 3, 5, 4, 7
C = H * K
SIZES = Sizes(B, T, C, H)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    """Return numbers of a standard normal."""
    return np.random.default_rng(seed).standard_normal(shape)


RIGHT = drawn(B, T, C)
