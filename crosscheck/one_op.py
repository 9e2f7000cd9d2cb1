"""`check_op`: the gradients of one function of your own, by three witnesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.answers import in_words
from crosscheck.arrays import Array, real_numbers
from crosscheck.distance import RELATIVE, Gap, gap_between, norm
from crosscheck.draws import Stream, draws
from crosscheck.linearized import beside, linearized, name_of, names_of
from crosscheck.printing import plain_table, printed
from crosscheck.slope import Slope, along, slope, who_is_wrong, widths


@dataclass(frozen=True)
class Witnessed:
    """One array of an op, as the witnesses have it. A number is None where one has no say."""

    name: str  # "out", or "d" and the name of the input
    norm: float | None  # ours; None if ours is missing
    error: float | None  # ours against PyTorch's function, relative
    difference: float | None  # ours against a finite difference, relative
    fault: str  # what is wrong, in words; empty if nothing is

    def __str__(self) -> str:
        return f"{self.name}: {self.fault or 'agree'}"


@dataclass(frozen=True)
class OpCheck:
    """What the witnesses say of an op."""

    op: str  # its name
    reference: str  # which function of PyTorch stands beside it, in a sentence
    rows: tuple[Witnessed, ...]  # the output first, then a gradient for each floating input

    @property
    def agrees(self) -> bool:
        """Whether no witness objects."""
        return all(not row.fault for row in self.rows)

    def __str__(self) -> str:
        table = plain_table()
        for column in (self.op, "norm", "from PyTorch", "from finite difference", "verdict"):
            table.add_column(column, no_wrap=True)
        for row in self.rows:
            numbers = (row.norm, row.error, row.difference)
            cells = ["" if number is None else f"{number:.2g}" for number in numbers]
            table.add_row(row.name, *cells, "disagree" if row.fault else "agree")
        faults = [str(row) for row in self.rows if row.fault]
        return "\n".join([printed(table), self.reference, *faults])


def check_op(
    function: Any, *inputs: Any, reference: Callable[..., Any] | None = None, seed: int = 0
) -> OpCheck:
    """Check the gradients of one function by its own backward, PyTorch's, and a finite difference.

    function: a function of tensors of either engine, such as `MyFunction.apply` or an op made by
    `tinygrad_tf.differentiable`; or a pair `(forward, backward)` of functions of arrays, where
    `forward(*inputs)` returns out or (out, cache), and `backward(dout, cache)` or `backward(dout)`
    returns a gradient for each input, in their order, by their names, or the only one. inputs:
    arrays, tensors or nested lists; floats become float64, and integers have no gradient.
    reference: PyTorch's function of tensors; if it is left out, the one of the same name in
    `torch.nn.functional` or `torch`, and if there is none, two witnesses are left.

    Raises TypeError or ValueError for what is no function, for inputs that are no numbers, and for
    a number of gradients that is not the number of inputs. What the function raises is not caught.
    """
    arrays = [_given(value, i) for i, value in enumerate(inputs)]
    forward = function[0] if isinstance(function, tuple | list) else function
    if not callable(forward):
        raise TypeError(
            f"check_op: got {in_words(function)}, expected a function or a pair (forward, backward)"
        )
    name = name_of(forward)
    ours = linearized(function, arrays)
    names = names_of(forward, arrays)
    theirs, said = beside(name, reference, arrays)
    out = np.asarray(ours[0])
    dout = draws(Stream.COTANGENT, seed).standard_normal(out.shape)
    gradients = ours[1](dout)
    if len(gradients) != len(arrays):
        raise ValueError(
            f"check_op: the backward of {name} returned {len(gradients)} gradients, expected one "
            f"for each of the {len(arrays)} inputs"
        )
    rows = [_output(out, None if theirs is None else theirs[0])]
    expected = [None] * len(arrays) if theirs is None else theirs[1](dout)
    for i, array in enumerate(arrays):
        if array.dtype.kind == "f":
            witness = _FiniteDifference(function, arrays, i, dout, seed)
            right = expected[i] if theirs is not None else _NOTHING
            rows.append(_gradient(f"d{names[i]}", gradients[i], right, witness))
    return OpCheck(name, said, tuple(rows))


_NOTHING = np.empty(0)  # where no PyTorch function is known


@dataclass(frozen=True)
class _FiniteDifference:
    """Measures slopes of <function(...), dout> as one of the inputs moves."""

    function: Any
    arrays: list[Array]
    index: int
    dout: Array
    seed: int

    def along(self, direction: Array) -> Slope | None:
        """Return the slope along a direction that is not zero."""

        def out(x: Array) -> Array:
            given = [*self.arrays[: self.index], x, *self.arrays[self.index + 1 :]]
            return np.asarray(linearized(self.function, given)[0])

        return slope(out, self.arrays[self.index], direction, self.dout)

    def random(self) -> Array:
        """Return a direction, drawn at random, in which no entry goes too far."""
        x = self.arrays[self.index]
        return draws(Stream.DIRECTIONS, self.seed).standard_normal(x.shape) * widths(x)


def _output(out: Array, expected: Array | None) -> Witnessed:
    if expected is None:
        return Witnessed("out", norm(out), None, None, "")
    gap = gap_between(out, expected)
    fault = "" if gap.agrees else gap.form or _worst(gap, "ours differs from PyTorch's", None)
    return Witnessed("out", norm(out), None if gap.form else gap.error, None, fault)


def _gradient(
    name: str, ours: Array | None, expected: Array | None, witness: _FiniteDifference
) -> Witnessed:
    x = witness.arrays[witness.index]
    if ours is not None and ours.shape != x.shape:
        fault = f"its shape is {ours.shape}, and its input's {x.shape}"
        return Witnessed(name, norm(ours), None, None, fault)
    error, fault = None, ""
    if expected is not _NOTHING:
        gap = gap_between(ours, expected)
        error = None if gap.form else gap.error
        if not gap.agrees:
            fault = gap.form or _accused(gap, x, witness)
    direction = witness.random()
    gradient = np.zeros_like(x) if ours is None else ours
    tested = along(gradient, direction, witness.along(direction))
    if not fault and tested.agrees is False and tested.measured is not None:
        fault = (
            f"along a random direction ours is {tested.gradient:.7g}, and the finite difference "
            f"{tested.measured.value:.7g}"
        )
    return Witnessed(name, None if ours is None else norm(ours), error, tested.difference, fault)


def _accused(gap: Gap, x: Array, witness: _FiniteDifference) -> str:
    direction = np.zeros(x.shape)
    direction[gap.worst] = 1.0
    measured = witness.along(direction)
    said = who_is_wrong(gap.ours, gap.reference, measured)
    return _worst(gap, said or "ours differs from PyTorch's", measured if said else None)


def _worst(gap: Gap, said: str, measured: Slope | None) -> str:
    third = "" if measured is None else f", finite difference {measured.value:.7g}"
    return (
        f"{said}: relative error {gap.error:.1e}, at most {RELATIVE:g} is right; worst at "
        f"{list(gap.worst)}: ours {gap.ours:.7g}, PyTorch {gap.reference:.7g}{third}"
    )


def _given(value: Any, i: int) -> Array:
    """Return an input as an array. Floats become float64: nothing less can be differenced."""
    array = real_numbers(value, f"input {i + 1} of check_op")
    return array.astype(np.float64) if array.dtype.kind == "f" else array
