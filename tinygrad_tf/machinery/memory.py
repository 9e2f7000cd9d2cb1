"""Which tensors share memory, so that what is written into one is seen, or refused, in all.

Only tensors are known here. NumPy's arrays, such as those that `x.data` and `x.numpy()` return, are
not.
"""

from __future__ import annotations

import sys
from typing import Any

from tinygrad_tf.graph import Variable


class Memory:
    """What tensors have in common whose entries lie in the same memory.

    Each of them holds it once and nobody else holds it. So the number of references to it is the
    number of such tensors that are alive.
    """

    __slots__ = ("of_leaf",)

    def __init__(self, of_leaf: bool) -> None:
        self.of_leaf = of_leaf  # whether the first of the tensors is a leaf, and no op's result


def share_memory(result: Variable, inputs: tuple[Any, ...]) -> None:
    """Note which of the inputs a result shares its memory with, if it does with any."""
    array = result._array
    base = array.base
    for x in inputs:
        if isinstance(x, Variable):
            other = x._array
            if other is array or (base is not None and (other is base or other.base is base)):
                if x.memory is None:
                    x.memory = Memory(x.node is None)
                result.memory = x.memory
                return


def is_shared(variable: Variable) -> bool:
    """Return whether another tensor that shares the memory is alive."""
    return variable.memory is not None and _references(variable) > _REFERENCES_OF_ONE


def _references(variable: Variable) -> int:
    return sys.getrefcount(variable.memory)


def _references_of_one() -> int:
    """Return what `_references` says of a tensor that shares its memory with no other."""
    variable = Variable.__new__(Variable)
    variable.memory = Memory(True)
    return _references(variable)


_REFERENCES_OF_ONE = _references_of_one()  # versions of Python count differently
