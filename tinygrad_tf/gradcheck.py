"""The second opinion: a gradient measured with nothing but the function itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.tensor import Tensor


class GradcheckError(AssertionError):
    """The gradient and the finite difference disagree."""


def gradcheck(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    *,
    step: float = 1e-6,
    tolerance: float = 1e-6,
    directions: int = 3,
    seed: int = 0,
) -> bool:
    """Compare `backward()` with central differences along random directions, in float64.

    function(*inputs) -> a tensor of any shape. The loss is its inner product with a random
    cotangent w, for a plain sum would be blind to some bugs. For each input x that requires grad
    and each random unit direction u:
        (L(x + step * u) - L(x - step * u)) / (2 * step)  must be  <dx, u>,
    to within tolerance * |dx| (plus tolerance, for gradients below 1). One direction tests all
    entries at once: an error survives only if u happens to be orthogonal to it.
    Returns True. Raises GradcheckError naming the input and both numbers; ValueError when an input
    is not float64, or none requires grad.
    Source: Griewank, Walther (2008), Evaluating Derivatives, on directional derivatives.
    """
    checked = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not checked:
        raise ValueError("gradcheck: no input requires grad, so there is nothing to check")
    for i in checked:
        if inputs[i].dtype != np.float64:
            raise ValueError(
                f"gradcheck: input {i} is {inputs[i].dtype}; finite differences need float64, "
                "convert it with .to(float64)"
            )
    generator = np.random.default_rng([seed, 1])  # default_rng(0) may be what the inputs came from
    leaves = [Tensor(x.data, requires_grad=x.requires_grad) for x in inputs]  # own .grad, no past
    out = function(*leaves)
    cotangent = generator.standard_normal(out.shape)
    out.backward(Tensor(cotangent))
    gradients = [np.zeros(x.shape) if x.grad is None else x.grad.data for x in leaves]
    for i in checked:
        for _ in range(directions):
            direction = generator.standard_normal(inputs[i].shape)
            direction /= max(float(np.linalg.norm(direction)), 1e-300)
            measured = _central_difference(function, inputs, i, direction, step, cotangent)
            expected = float((gradients[i] * direction).sum())
            allowed = tolerance * (1.0 + float(np.linalg.norm(gradients[i])))
            if not abs(measured - expected) <= allowed:
                raise GradcheckError(
                    f"gradcheck: along a random direction of input {i} {inputs[i].shape}, backward "
                    f"gives {expected:.9g}, finite differences give {measured:.9g} "
                    f"(allowed difference {allowed:.1e})"
                )
    return True


def _central_difference(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    i: int,
    direction: Array,
    step: float,
    cotangent: Array,
) -> float:
    """The slope of L = <function(...), cotangent> as input i moves along direction."""

    def loss(distance: float) -> float:
        moved = list(inputs)
        moved[i] = Tensor(inputs[i].data + distance * direction)
        return float((function(*moved).data * cotangent).sum())

    return (loss(step) - loss(-step)) / (2 * step)
