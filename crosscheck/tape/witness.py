"""A third witness where two gradients of one op differ: a finite difference says who is right.

Both sides have made the same output, so it does not matter whose forward is asked. One entry of an
input is moved, the one where the two gradients differ most, and dout weighs what that does to the
output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.sides import Array
from crosscheck.slope import slope
from crosscheck.tape.numpy_recorder import Pair, arrays_for_tensors
from crosscheck.tape.replay import arguments_of

NEARER = 10.0  # how many times nearer to one of two numbers the witness has to be, to decide


def finite_difference(pair: Pair, i: int, index: tuple[int, ...]) -> float | None:
    """Return the slope of <dout, out> along one entry of the i-th tensor that the op is given.

    The values are the reference's. None where they are not known, or the rule raises.
    """
    partner = pair.partner
    x = None if partner is None else partner.inputs[i].array
    if partner is None or partner.dout is None or x is None:
        return None
    direction = np.zeros_like(x)
    direction[index] = 1.0

    def out(x: Array) -> Any:
        arguments = arguments_of(pair, partner)
        array: Any = arguments[pair.positions[i]]
        array[...] = x
        made, _ = pair.rule.rule(*arguments, **arrays_for_tensors(pair.options))
        return np.where(np.isfinite(made), made, 0.0)  # a mask puts -inf into all of them

    try:
        measured = slope(out, x, direction, partner.dout)
    except Exception:  # a rule may refuse what it is given here
        return None
    return None if measured is None else measured.value


def is_reference_wrong(ours: float, reference: float, witness: float | None) -> bool:
    """Whether the witness is much nearer to our number than to the reference's."""
    return witness is not None and NEARER * abs(witness - ours) < abs(witness - reference)
