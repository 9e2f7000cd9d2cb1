"""A third witness where two gradients of one op differ: a finite difference says who is right.

Both sides have made the same output, so it does not matter whose forward is asked. One entry of an
input is moved, the one where the two gradients differ most, and dout weighs what that does to the
output. The step is not known beforehand, since an entry may be a millionth or a billion: so many
are tried, and the one counts beside which the estimate changes least.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.tape.numpy_recorder import Pair, arrays_for_tensors
from crosscheck.tape.replay import arguments_of

STEPS = [10.0**-power for power in range(1, 9)]
NEARER = 10.0  # how many times nearer to one of two numbers the witness has to be, to decide


def finite_difference(pair: Pair, i: int, index: tuple[int, ...]) -> float | None:
    """Return the slope of <dout, out> along one entry of the i-th tensor that the op is given.

    The values are the reference's. None where they are not known, or the rule raises.
    """
    partner = pair.partner
    if partner is None or partner.dout is None or partner.inputs[i].array is None:
        return None
    try:
        with np.errstate(all="ignore"):
            estimates = [_slope(pair, partner, i, index, step) for step in STEPS]
    except Exception:  # a rule may refuse what it is given here
        return None
    changes = [abs(b - a) for a, b in pairwise(estimates)]
    best = estimates[1 + int(np.argmin(np.nan_to_num(changes, nan=np.inf)))]
    return best if np.isfinite(best) else None


def _slope(pair: Pair, partner: Call, i: int, index: tuple[int, ...], step: float) -> float:
    """Return the central difference of fourth order; NaN if the step is too small for the entry."""

    def made(shift: float) -> tuple[Array, Array]:
        """Return the output with the entry moved, and where the entry has come to stand."""
        arguments = arguments_of(pair, partner)
        array: Any = arguments[pair.positions[i]]
        array[index] += shift
        out, _ = pair.rule.rule(*arguments, **arrays_for_tensors(pair.options))
        return out, array[index]

    (plus, right), (minus, left) = made(step), made(-step)
    (far_plus, _), (far_minus, _) = made(2 * step), made(-2 * step)
    change = 8 * (plus - minus) - (far_plus - far_minus)
    change = np.where(np.isfinite(change), change, 0.0)  # a mask puts -inf into all of them
    return float((change * partner.dout).sum() / (6 * (right - left)))


def is_reference_wrong(ours: float, reference: float, witness: float | None) -> bool:
    """Whether the witness is much nearer to our number than to the reference's."""
    return witness is not None and NEARER * abs(witness - ours) < abs(witness - reference)
