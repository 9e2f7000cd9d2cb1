"""What an op is given: tensors, arrays, numbers and None, all turned into arrays for the rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.graph import Array, Edge, Variable
from tinygrad_tf.machinery.complaints import complaint, no_tensor, wrong_dtypes


def unwrap(name: str, inputs: tuple[Any, ...]) -> tuple[Any, list[Any], list[Edge | None]]:
    """Return a tensor to make the result like, the arrays, and where each came from.

    The tensor is the first floating one, or else the first. In the last list a place is None where
    no gradient is wanted, and the list is empty if none is wanted at all. Raises TypeError if there
    is no tensor, or if the floating dtypes differ. It is one plain loop, since every op runs it.
    """
    like: Any = None
    dtype: Any = None
    arrays: list[Any] = []
    sources: list[Edge | None] = []
    only_tensors_of_one_dtype, is_wanted = True, False
    for x in inputs:
        if isinstance(x, Variable):
            array = x.data
            arrays.append(array)
            if array.dtype is not dtype:
                if dtype is None or (dtype.kind != "f" and array.dtype.kind == "f"):
                    like, dtype = x, array.dtype
                else:
                    only_tensors_of_one_dtype = False
            if x.requires_grad:
                sources.append(x.node or x)
                is_wanted = True
            else:
                sources.append(None)
        else:
            arrays.append(x)
            sources.append(None)
            if x is not None:
                only_tensors_of_one_dtype = False
    if not only_tensors_of_one_dtype or like is None:
        arrays = _convert(name, inputs, like)
    return like, arrays, sources if is_wanted else []


def _convert(name: str, inputs: tuple[Any, ...], like: Variable | None) -> list[Any]:
    """Turn each input into an array: numbers take the dtype of `like`."""
    if like is None:
        raise no_tensor(name, inputs)
    dtype = like.data.dtype
    arrays = [x.data if isinstance(x, Variable) else _constant(name, x, dtype) for x in inputs]
    for a in arrays:
        if a is not None and a.dtype != dtype and a.dtype.kind == "f":
            raise wrong_dtypes(name, arrays)
    return arrays


def _constant(name: str, value: Any, dtype: np.dtype[Any]) -> Array | None:
    """Return an array as it is; a number becomes 0-d, in the tensors' dtype: it never promotes."""
    if value is None or (isinstance(value, np.ndarray) and value.ndim > 0):
        return value
    if isinstance(value, bool | int | float | np.generic | np.ndarray):
        number = np.asarray(value)
        if number.dtype.kind == "b":
            return number  # a mask
        # As an integer it would lose its fraction, so beside integers it keeps its own kind.
        return number.astype(dtype if dtype.kind == "f" else np.result_type(dtype, value))
    raise complaint(
        TypeError,
        name,
        f"expected a Tensor, an array or a number, got {type(value).__module__}."
        f"{type(value).__name__}; wrap it in Tensor(...) first",
    )
