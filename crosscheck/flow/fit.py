"""Straight lines through logarithms: the factor per block, and the power of a depth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crosscheck.flow.measure import SMALLEST


def factor_per_block(gradients: Sequence[float]) -> float:
    """Return by how much one block multiplies the gradient on its way back.

    gradients: the norms at layers 0 to L. A line is fitted to their logarithms by least squares.
    Norms that have left the range of float64 are left out; the factor is 0 if fewer than two
    remain.
    """
    layers = [layer for layer, value in enumerate(gradients) if SMALLEST <= value < math.inf]
    if len(layers) < 2:
        return 0.0
    return math.exp(-_slope(layers, [math.log(gradients[layer]) for layer in layers]))


def halves(gradients: Sequence[float]) -> tuple[float, float]:
    """Return the factor per block in the first half of the stack, and in the second.

    They are alike where every block multiplies the gradient by the same factor. They differ where
    the gradient is a power of the depth, or changes mostly at the ends of the stack.
    """
    middle = len(gradients) // 2
    return factor_per_block(gradients[: middle + 1]), factor_per_block(gradients[middle:])


def power(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return p of the best fit values ~ sizes^p: the slope in a log-log plot."""
    return _slope([math.log(size) for size in sizes], [math.log(value) for value in values])


def geometric_mean(values: Sequence[float]) -> float:
    """Return the mean on a logarithmic scale.

    It is 0 if any value is 0, and otherwise not finite if any value is not.
    """
    if any(value <= 0.0 for value in values):
        return 0.0
    return math.exp(sum(map(math.log, values)) / len(values))


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    return float(np.polyfit(x, y, 1)[0])
