"""Options that functions take: whole numbers, switches, numbers, sources of randomness.

Each function returns the option as it is needed, or raises an error that says what it is. `@named`
puts the name of the function before it that got the option.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_tf.graph import Array, Variable
from tinygrad_tf.machinery.inputs import plain_array


def whole(name: str, value: Any) -> int:
    """Return a whole number. Raises TypeError for a bool, a fraction, and what is no number."""
    if type(value) is int:  # as nearly always, and quickly
        return value
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r}, expected a whole number")
    return operator.index(value)


def true_or_false(name: str, value: Any) -> bool:
    """Return a switch, which is a bool. Raises TypeError for anything else."""
    if value is True or value is False:
        return value
    raise TypeError(f"{name} is {value!r}, expected True or False")


def number(name: str, value: Any) -> Array:
    """Return one number, or the entry of a tensor without axes, as an array without axes."""
    array = value._array if isinstance(value, Variable) else plain_array(name, value)
    if array.ndim:
        raise TypeError(f"{name} has shape {array.shape}, expected a number")
    return array


def generator_or_new(generator: np.random.Generator | None) -> np.random.Generator:
    """Return the Generator, or for None a fresh one. Raises TypeError for what draws nothing."""
    if generator is None:
        return np.random.default_rng()
    if not hasattr(generator, "random"):
        raise TypeError(
            f"generator is {type(generator).__name__}, expected a numpy.random.Generator, such as "
            "numpy.random.default_rng(seed)"
        )
    return generator
