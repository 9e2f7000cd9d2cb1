"""One pass through a stack, forward and backward, and the numbers that are kept of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from crosscheck.engines import Array
from crosscheck.flow.stacks import ENGINES, FUNCTIONAL
from crosscheck.runs import parts

# Below this, some number on the way has lost digits to the end of float64's range: such a norm is
# neither fitted nor compared.
SMALLEST = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)

SAFE = 1e-130  # norms from here to 1 / SAFE have squares that no digit is lost of


@dataclass(frozen=True)
class Trace:
    """The arrays of one pass. Layer 0 is the stack's input, layer L its output.

    activations, gradients: L + 1 arrays (B, T, C); a gradient is dL/d(activation).
    parameters: for each block, the gradients by name, of an in-projection q, k and v apart.
    """

    activations: list[Array]
    gradients: list[Array]
    parameters: list[dict[str, Array]]


@dataclass(frozen=True)
class Profile:
    """A trace in numbers, layer by layer; lists of L + 1, and for parameters of L.

    activation and gradient are norms, the variations are in [0, 1].
    """

    activation: list[float]
    gradient: list[float]
    variation: list[float]
    gradient_variation: list[float]
    parameters: dict[str, list[float]]

    @property
    def depth(self) -> int:
        """L, the number of blocks."""
        return len(self.gradient) - 1


def trace(
    engine: str, stack: Any, x: Array, cotangent: Array, *, causal: bool, norm: bool
) -> Trace:
    """Run a stack forward on x (B, T, C), and backward from a cotangent of the same shape.

    Gradients that the stack holds from before are dropped.
    norm: whether a last layer norm, without weights, stands between the stack and the cotangent,
    as behind the blocks of a pre-norm model. Gradients are caught by hooks, at every block's input.
    """
    side = ENGINES[engine]
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
        out = FUNCTIONAL[engine].layer_norm(h, h.shape[-1:]) if norm else h
        out.backward(side.tensor(cotangent))
    parameters = [
        {
            name: array
            for name, array in parts({n: side.array(p.grad) for n, p in block.named_parameters()})
            if array is not None
        }
        for block in stack
    ]
    return Trace(activations, [gradients[layer] for layer in sorted(gradients)], parameters)


def profile(found: Trace) -> Profile:
    """The norms and token variations of a trace."""
    names = found.parameters[0] if found.parameters else {}
    return Profile(
        activation=[norm(a) for a in found.activations],
        gradient=[norm(a) for a in found.gradients],
        variation=[token_variation(a) for a in found.activations],
        gradient_variation=[token_variation(a) for a in found.gradients],
        parameters={name: [norm(block[name]) for block in found.parameters] for name in names},
    )


def norm(array: Array) -> float:
    """The Frobenius norm; over the largest entry first, where squares would leave float64's range.

    Else norms of 1e-162 and below would be 0, at half the depth at which the gradients are.
    """
    plain = math.sqrt(np.vdot(array, array))
    if SAFE <= plain <= 1 / SAFE:
        return plain
    largest = float(np.max(np.abs(array), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(array / largest))


def token_variation(x: Array) -> float:
    """How unlike the tokens are: |x - mean over tokens| / |x|. x (..., T, C) -> 0 to 1.

    0 where all tokens are the same, 1 where they cancel; independent ones are near 1.
    """
    size = norm(x)
    if size == 0.0 or not math.isfinite(size):
        return 0.0 if size == 0.0 else math.nan
    scaled = x / np.max(np.abs(x))
    return norm(scaled - scaled.mean(axis=-2, keepdims=True)) / norm(scaled)


def ratio(a: float, b: float) -> float:
    """a / b, and 0 where both are 0 or b has no digits left: nothing is divided by noise."""
    return a / b if b >= SMALLEST else 0.0
