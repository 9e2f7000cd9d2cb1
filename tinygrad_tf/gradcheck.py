"""A second opinion on gradients, measured by calling the function itself and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.tensor import Tensor, float64

ROUNDING = 10 * float(np.finfo(float64).eps)  # what rounding may do to a sum of terms of size 1
SHRINK = 16.0  # a step over the next: truncation becomes 256 times smaller, and rounding 16 larger
STEPS = 20  # how many steps are tried at most
TESTED = 100.0  # a gradient is tested if it is larger than so many times what rounding does


class GradcheckError(AssertionError):
    """The gradient is wrong, or it could not be tested; the message says which of the two."""


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
    moved along random directions u, each entry by a step of its own, h * s with a scale s:
        (L(x + h * s * u) - L(x - h * s * u)) / (2 * h)  must be  <s * dx, u>,
    to within tolerance * |s * dx| plus the rounding error of the difference. One direction tests
    all entries at once: an error goes unseen only if u happens to be orthogonal to it.

    In every other direction, from the first on, s is the size of the entry itself: a step that is
    small for 0.7 leaves the domain of a logarithm at 1e-7. In the rest all entries have the root
    mean square of x as their s, so that entries that are small by chance are tested too.

    How small is h? The formula leaves out terms of order h^2 (truncation), and the rounding of L is
    divided by h. So h starts at `step` and shrinks until the two numbers are equal. If they are
    not, although two differences in a row agree with each other, truncation does not explain it,
    and the gradient is wrong.

    Returns True. Raises GradcheckError if the numbers differ; if nothing is tested, because no h
    settles whether they do, or because rounding could hide the whole gradient; and if the function
    or its backward writes into an input or into the incoming gradient. With allow_zero, a gradient
    that is zero, or as small as the rounding of L, is accepted all the same.
    Raises TypeError if an input, or what the function returns, is not a Tensor of tinygrad_tf, and
    ValueError if no input requires grad, if one that does is not float64, or if step, tolerance or
    directions is not positive.
    Sources: Griewank, Walther (2008), Evaluating Derivatives, on directional derivatives; Press et
    al. (2007), Numerical Recipes, section 5.7, on steps in proportion to x, and on comparing steps.
    """
    for name, value in (("step", step), ("tolerance", tolerance), ("directions", directions)):
        if not value > 0:
            raise ValueError(f"gradcheck: {name} is {value}, expected more than 0")
    inputs = _tensors(function, inputs)
    checked = [i for i, x in enumerate(inputs) if x.requires_grad]
    _require_float64(inputs, checked)
    # Not default_rng(seed): the caller may have drawn the inputs from that, and the cotangent must
    # not equal them.
    generator = np.random.default_rng((seed, 1))
    gradients, cotangent, size = _backward(function, inputs, generator)
    for i in checked:
        x, dx = inputs[i].data, gradients[i]
        for k in range(directions if x.size else 0):
            s = _scales(x, each=k % 2 == 0)
            line = _Line(
                f"input {i} {x.shape}",
                partial(_loss, function, inputs, i, cotangent),
                x,
                s * generator.standard_normal(x.shape),
                dx,
                float(np.linalg.norm(s * dx)),
                ROUNDING * size,
            )
            line.check(step, tolerance, allow_zero)
    return True


@dataclass(frozen=True)
class _Line:
    """The loss along one direction of one input."""

    name: str  # the input, for messages
    loss: Callable[[Array], float]  # L, with an array in the place of the input
    x: Array  # the input
    direction: Array  # s * u
    dx: Array  # what backward gives
    norm: float  # |s * dx|
    rounding: float  # what rounding may do to L

    def check(self, step: float, tolerance: float, allow_zero: bool) -> None:
        """Shrink h until what `backward` gives is right or wrong; raise unless it is right."""
        expected = float((self.dx * self.direction).sum())
        measured = math.nan
        for h in step / SHRINK ** np.arange(STEPS):
            before, measured = measured, self._slope(h, -h)
            noise = self.rounding / h
            gap, change = abs(measured - expected), abs(measured - before)
            allowed = tolerance * self.norm + noise
            numbers = f"backward gives {expected:.9g}, finite differences give {measured:.9g}"
            if gap <= allowed:
                small = TESTED * noise > max(self.norm, abs(measured))
                if small and not (allow_zero and self.norm <= self.rounding):
                    raise GradcheckError(
                        f"gradcheck: nothing is tested at {self.name}: {numbers}, which rounding "
                        f"alone ({noise:.1e}) can hide; allow_zero=True if the gradient is zero by "
                        "rights"
                    )
                return
            if measured == 0.0 and change > 0.0:
                break  # a step so small is lost in the rounding of the function
            settled = change + noise <= gap / 2 and change <= abs(measured) / SHRINK + noise
            if settled or (math.isfinite(measured) and not math.isfinite(expected)):
                if abs(self._slope(h, 0.0) - self._slope(0.0, -h)) >= gap:
                    break  # it has a corner here, as ReLU has at 0: either slope may be right
                raise GradcheckError(
                    f"gradcheck: along a random direction of {self.name}, {numbers} "
                    f"(allowed difference {allowed:.1e})"
                )
        raise GradcheckError(
            f"gradcheck: nothing is tested at {self.name}: {numbers}, and the latter does not "
            f"settle as the step shrinks to {h:.0e}; is the function random, or not smooth here?"
        )

    def _slope(self, ahead: float, behind: float) -> float:
        """Return the mean slope of L between two places on the line."""
        with np.errstate(all="ignore"):  # a step may leave the domain; the next is smaller
            far, near = (self.loss(self.x + h * self.direction) for h in (ahead, behind))
        return (far - near) / (ahead - behind)


def _scales(x: Array, each: bool) -> Array:
    """Return s: the size of each entry, or for all, and for entries of 0, the root mean square."""
    mean = float(np.linalg.norm(x) / math.sqrt(x.size)) or 1.0
    return np.where(x == 0.0, mean, np.abs(x)) if each else np.full(x.shape, mean)


def _backward(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], generator: np.random.Generator
) -> tuple[list[Array], Array, float]:
    """Return the gradients of all inputs, the cotangent, and the sum of the magnitudes in L.

    Rounding grows with the terms of L, and not with L.
    """
    kept = [x.data.copy() for x in inputs]
    leaves = [Tensor(x.data, requires_grad=x.requires_grad) for x in inputs]  # each has a new .grad
    out = function(*leaves)
    if not isinstance(out, Tensor):
        raise TypeError(f"gradcheck: the function returned {_kind(out)}, expected a Tensor")
    _require_unchanged("the function", inputs, kept)
    cotangent = generator.standard_normal(out.shape)
    given = cotangent.copy()
    size = float(np.abs(out.data * cotangent).sum())
    out.backward(Tensor(given))
    _require_unchanged("the backward of the function", inputs, kept)
    if given.tobytes() != cotangent.tobytes():
        raise GradcheckError(
            "gradcheck: the backward of the function has written into the incoming gradient, which "
            "others may hold; it must return new arrays"
        )
    zeros = [np.zeros(x.shape) for x in inputs]
    found = [
        z if leaf.grad is None else leaf.grad.data for leaf, z in zip(leaves, zeros, strict=True)
    ]
    return found, cotangent, size


def _loss(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], i: int, cotangent: Array, x: Array
) -> float:
    """Return L with x in the place of input i."""
    moved = [Tensor(x) if j == i else other for j, other in enumerate(inputs)]
    return float((function(*moved).data * cotangent).sum())


def _require_unchanged(who: str, inputs: Sequence[Tensor], kept: Sequence[Array]) -> None:
    """Raise if an input is no longer what was kept of it, after it has been given back its data."""
    for i, (x, before) in enumerate(zip(inputs, kept, strict=True)):
        if x.data.tobytes() != before.tobytes():
            x.data[...] = before
            raise GradcheckError(
                f"gradcheck: {who} has written into input {i} {x.shape}; a rule leaves its inputs "
                "as they are, because others hold them too"
            )


def _tensors(function: Any, inputs: Any) -> list[Tensor]:
    """Return the inputs as a list. Raises TypeError where the call is mistaken."""
    if not callable(function):
        raise TypeError(
            f"gradcheck: the first argument is {_kind(function)}, expected a function of tensors: "
            "gradcheck(function, inputs)"
        )
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    for i, x in enumerate(given):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"gradcheck: input {i} is {_kind(x)}, expected a Tensor of tinygrad_tf: make it "
                "one with Tensor(array, requires_grad=True), of a float64 array"
            )
    return given


def _kind(value: Any) -> str:
    """Return the full name of a value's type: numpy.ndarray, torch.Tensor; of ours, the short."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _require_float64(inputs: Sequence[Tensor], checked: Sequence[int]) -> None:
    if not checked:
        raise ValueError("gradcheck: no input requires grad, so there is nothing to check")
    for i in checked:
        if inputs[i].dtype != float64:
            raise ValueError(
                f"gradcheck: input {i} is {inputs[i].dtype}; finite differences need float64, "
                "convert it with .to(float64)"
            )
