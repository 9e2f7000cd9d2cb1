"""What rounding alone does to one op: the reference's op against itself.

The op is made again on inputs and a dout that are moved by one unit in the last place, and so is
what it computes on its way. An op that takes differences of almost equal numbers multiplies that,
and no rule can be closer to another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crosscheck.amplification import DRAWS, EveryNumberMoved, moved
from crosscheck.distance import gap_between
from crosscheck.sides import Array
from crosscheck.tape.call import Call, Made


def made_nearby(call: Call) -> list[Made]:
    """Return what the reference's call makes of what is near to its own inputs, several times.

    Empty if the call cannot be made again on its own.
    """
    arrays = [source.array for source in call.inputs]
    if call.again is None or any(array is None for array in arrays):
        return []
    found = []
    for draw in range(DRAWS):
        near = [moved(array, draw) for array in arrays if array is not None]
        dout = None if call.dout is None else moved(call.dout, draw)
        try:
            with EveryNumberMoved(draw):
                found.append(call.again(near, dout))
        except RuntimeError:  # it writes into what it is given, or keeps what it was given before
            return []
    return found


def effect(near: Sequence[Array | None], truth: Array | None) -> float:
    """Return the largest |near - truth|; 0 if nothing can be measured."""
    differences = (gap_between(a, truth).difference for a in near if a is not None)
    return max((d for d in differences if np.isfinite(d)), default=0.0)
