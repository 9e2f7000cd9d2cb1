"""How a traced run ends: with a loss that tells which tensor it is of, or with an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crosscheck.sides import Array, Dialect, Loss


@dataclass(frozen=True)
class Watched:
    """A loss that hands on the output of the model before it is taken."""

    loss: Loss
    ends_with: Callable[[Any], None]

    def of_tensor(self, side: Dialect, output: Any) -> Any:
        """Return the loss as a tensor of the side."""
        self.ends_with(output)
        return self.loss.of_tensor(side, output)

    def of_array(self, output: Array) -> tuple[Array, Array]:
        """Return the loss, and dL/d(output)."""
        return self.loss.of_array(output)


def ended_with(error: Exception) -> str:
    """Return the sentence on a run that raised."""
    return f"The traced run ended with {type(error).__name__}: {error}"
