"""One pass through a stack, forward and backward, and the numbers that are kept of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from crosscheck.distance import largest_entry, norm
from crosscheck.in_projection import with_parts
from crosscheck.sides import Array, Dialect

# A norm below this has lost digits at the end of float64's range, itself or one of the numbers that
# it was computed from. Such a norm is neither fitted nor compared.
SMALLEST = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Trace:
    """The arrays of one pass. Layer 0 is the stack's input, layer L its output."""

    activations: list[Array]  # L + 1 arrays (B, T, C)
    gradients: list[Array]  # dL/d(activation), of the same shapes
    parameters: list[dict[str, Array]]  # for each block the gradients by name, see `with_parts`


@dataclass(frozen=True)
class Profile:
    """The norms and token variations of a trace, layer by layer."""

    activation: list[float]  # L + 1 norms
    gradient: list[float]  # L + 1 norms
    variation: list[float]  # L + 1 token variations of activations, each in [0, 1]
    gradient_variation: list[float]  # L + 1 token variations of gradients, each in [0, 1]
    parameters: dict[str, list[float]]  # by name, the norms of the gradient in L blocks

    @property
    def depth(self) -> int:
        """L, the number of blocks."""
        return len(self.gradient) - 1


def trace(
    side: Dialect, stack: Any, x: Array, cotangent: Array, *, causal: bool, norm: bool
) -> Trace:
    """Run a stack forward on x (B, T, C), and backward from a cotangent of the same shape.

    The gradients that the stack holds from an earlier pass are dropped. Hooks catch the gradients
    at every block's input.
    norm: whether a last layer norm without weights stands between the stack and the cotangent, as
    it does behind the blocks of a pre-norm model.
    """
    activations: list[Array] = []
    gradients: dict[int, Array] = {}

    def keep(layer: int, gradient: Any) -> None:
        gradients[layer] = np.array(side.array(gradient))

    def watch(h: Any) -> None:
        h.register_hook(partial(keep, len(activations)))
        activations.append(side.array(h))

    stack.zero_grad()
    with np.errstate(all="ignore"):  # what is not finite is for the comparison to find
        h = side.tensor(x, requires_grad=True)
        watch(h)
        for block in stack:
            h = block(h, is_causal=causal)
            watch(h)
        out = side.library.nn.functional.layer_norm(h, h.shape[-1:]) if norm else h
        out.backward(side.tensor(cotangent))
    parameters = [
        {name: array for name, array in with_parts(side.gradients(block)) if array is not None}
        for block in stack
    ]
    return Trace(activations, [gradients[layer] for layer in sorted(gradients)], parameters)


def profile(found: Trace) -> Profile:
    """Return the norms and token variations of a trace."""
    names = found.parameters[0] if found.parameters else {}
    return Profile(
        activation=[norm(a) for a in found.activations],
        gradient=[norm(a) for a in found.gradients],
        variation=[token_variation(a) for a in found.activations],
        gradient_variation=[token_variation(a) for a in found.gradients],
        parameters={name: [norm(block[name]) for block in found.parameters] for name in names},
    )


def token_variation(x: Array) -> float:
    """Return how much the tokens differ: |x - mean over tokens| / |x|. x (..., T, C) -> 0 to 1.

    It is 0 where all tokens are the same, 1 where they cancel, and near 1 for independent tokens.
    """
    size = norm(x)
    if size == 0.0 or not math.isfinite(size):
        return 0.0 if size == 0.0 else math.nan
    scaled = x / largest_entry(x)
    return norm(scaled - scaled.mean(axis=-2, keepdims=True)) / norm(scaled)


def ratio(a: float, b: float) -> float:
    """Return a / b; 0 where b is below SMALLEST, so that nothing is divided by noise."""
    return a / b if b >= SMALLEST else 0.0
