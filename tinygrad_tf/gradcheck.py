"""A second opinion on gradients, measured by calling the function itself and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.tensor import Tensor, float64


class GradcheckError(AssertionError):
    """The gradient and the finite difference differ, or they are too small to be compared."""


def gradcheck(
    function: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    *,
    step: float = 1e-6,
    tolerance: float = 1e-6,
    directions: int = 3,
    allow_zero: bool = False,
    seed: int = 0,
) -> bool:
    """Compare `backward()` with central differences along random directions, in float64.

    function(*inputs) returns a tensor of any shape. The loss L is its inner product with a random
    cotangent, because a plain sum would be blind to some bugs. Each input x that requires grad is
    moved along random directions u, by h = step * (root mean square of x):
        (L(x + h * u) - L(x - h * u)) / (2 * h)  must be  <dx, u>,
    to within tolerance * |dx| plus the rounding error of the difference. One direction tests all
    entries at once: an error goes unseen only if u happens to be orthogonal to it.

    Returns True. Raises GradcheckError with the input and both numbers if they differ, and also if
    rounding could hide the whole gradient, so that nothing is tested. With allow_zero, a
    gradient that is exactly zero is accepted all the same.
    Raises ValueError if no input requires grad, or if one that does is not float64.
    Source: Griewank, Walther (2008), Evaluating Derivatives, on directional derivatives.
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [i for i, x in enumerate(inputs) if x.requires_grad]
    _require_float64(inputs, checked)
    # Not default_rng(seed): the caller may have drawn the inputs from that, and the cotangent must
    # not equal them.
    generator = np.random.default_rng((seed, 1))
    leaves = [Tensor(x.data, requires_grad=x.requires_grad) for x in inputs]  # each has a new .grad
    out = function(*leaves)
    if not isinstance(out, Tensor):
        raise TypeError(f"gradcheck: the function returned {type(out).__name__}, expected a Tensor")
    cotangent = generator.standard_normal(out.shape)
    out.backward(Tensor(cotangent))
    size = float(np.abs(out.data * cotangent).sum())  # rounding grows with the terms of L, not L
    for i in checked:
        x, grad = inputs[i].data, leaves[i].grad
        dx = np.zeros(x.shape) if grad is None else grad.data
        h = step * float(np.linalg.norm(x) / math.sqrt(max(x.size, 1)) or 1.0)
        noise = 10 * np.finfo(float64).eps * size / h
        name, norm = f"input {i} {x.shape}", float(np.linalg.norm(dx))
        allowed = tolerance * norm + noise
        for _ in range(directions if x.size else 0):
            u = generator.standard_normal(x.shape)
            ahead, behind = (_loss(function, inputs, i, x + d * u, cotangent) for d in (h, -h))
            measured, expected = (ahead - behind) / (2 * h), float((dx * u).sum())
            numbers = f"backward gives {expected:.9g}, finite differences give {measured:.9g}"
            if not abs(measured - expected) <= allowed:
                raise GradcheckError(
                    f"gradcheck: along a random direction of {name}, {numbers} "
                    f"(allowed difference {allowed:.1e})"
                )
            if 100 * noise > max(norm, abs(measured)) and not (allow_zero and norm == 0.0):
                raise GradcheckError(
                    f"gradcheck: nothing is tested at {name}: {numbers}, which rounding alone "
                    f"({noise:.1e}) can hide; allow_zero=True if the gradient is zero by rights"
                )
    return True


def _require_float64(inputs: Sequence[Tensor], checked: Sequence[int]) -> None:
    if not checked:
        raise ValueError("gradcheck: no input requires grad, so there is nothing to check")
    for i in checked:
        if inputs[i].dtype != float64:
            raise ValueError(
                f"gradcheck: input {i} is {inputs[i].dtype}; finite differences need float64, "
                "convert it with .to(float64)"
            )


def _loss(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], i: int, x: Array, cotangent: Array
) -> float:
    """Return L with x in the place of input i."""
    moved = [Tensor(x) if j == i else other for j, other in enumerate(inputs)]
    return float((function(*moved).data * cotangent).sum())
