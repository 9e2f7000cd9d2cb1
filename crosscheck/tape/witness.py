"""A third witness where two gradients of one op differ: a finite difference says who is right.

Both sides have made the same output, so it does not matter whose forward is asked. An input is
moved, for a finding in the one entry where the two gradients differ most, and dout weighs what that
does to the output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.sides import Array
from crosscheck.slope import Slope, slope
from crosscheck.tape.call import Call
from crosscheck.tape.numpy_recorder import Pair, arrays_for_tensors
from crosscheck.tape.replay import arguments_of

NEARER = 10.0  # how many times nearer to one of two numbers the witness has to be, to decide


def finite_difference(pair: Pair, i: int, index: tuple[int, ...]) -> float | None:
    """Return the slope of <dout, out> along one entry of the i-th tensor that the op is given.

    The values are the reference's. None where they are not known, or the rule raises.
    """
    x = None if pair.partner is None else pair.partner.inputs[i].array
    if pair.partner is None or x is None:
        return None
    direction = np.zeros_like(x)
    direction[index] = 1.0
    measured = slope_along(pair, pair.partner, i, direction)
    return None if measured is None else measured.value


def slope_along(pair: Pair, values: Call, i: int, direction: Array) -> Slope | None:
    """Return the slope of <dout, out> as the i-th tensor moves along a direction that is not zero.

    values: the call whose inputs and dout are taken; our own call has them if its tape has kept
    them. None where they are not known, or the rule raises.
    """
    x = values.inputs[i].array
    if values.dout is None or x is None:
        return None

    def out(x: Array) -> Any:
        arguments = arguments_of(pair, values)
        array: Any = arguments[pair.positions[i]]
        array[...] = x
        made, _ = pair.rule.rule(*arguments, **arrays_for_tensors(pair.options))
        return np.where(np.isfinite(made), made, 0.0)  # a mask puts -inf into all of them

    try:
        return slope(out, x, direction, values.dout)
    except Exception:  # a rule may refuse what it is given here
        return None


def is_reference_wrong(ours: float, reference: float, witness: float | None) -> bool:
    """Whether the witness is much nearer to our number than to the reference's."""
    return witness is not None and NEARER * abs(witness - ours) < abs(witness - reference)
