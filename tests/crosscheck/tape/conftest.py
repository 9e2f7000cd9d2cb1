"""What the tests of the tape share: one forward as a model of both engines, with equal weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.engines import ENGINES, Engine

Forward = Callable[[Engine, Any, Any], Any]
B, T, C = 2, 5, 6


@pytest.fixture(scope="session")
def x() -> np.ndarray:
    """Floats (B, T, C) that are exact in float32 too."""
    drawn = np.random.default_rng(1).standard_normal((B, T, C))
    return drawn.astype(np.float32).astype(np.float64)


@pytest.fixture(scope="session")
def on_both_sides() -> Any:
    """on_both_sides(forward, ours=None, w=(4, 6)) makes a model of each side from forward.

    forward(engine, self, x) is the model's. ours: another forward, for our side. The other
    arguments are parameters, by their shapes.
    """

    def make(forward: Forward, ours: Forward | None = None, **shapes: tuple[int, ...]) -> Any:
        rng = np.random.default_rng(0)
        weights = {name: rng.uniform(0.5, 1.5, shape) for name, shape in shapes.items()}

        def build(engine: Engine, forward: Forward) -> Any:
            class Model(engine.library.nn.Module):  # type: ignore[misc, name-defined]
                def __init__(self) -> None:
                    super().__init__()
                    for name, weight in weights.items():
                        tensor = engine.tensor(weight.astype(np.float32))
                        setattr(self, name, engine.library.nn.Parameter(tensor))

                def forward(self, x: Any) -> Any:
                    return forward(engine, self, x)

            return Model()

        numpy, torch = ENGINES
        return build(numpy, ours or forward), build(torch, forward)

    return make
