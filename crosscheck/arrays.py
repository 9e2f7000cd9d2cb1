"""What goes into a model, and what comes out of it, as plain arrays."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

import torch
from crosscheck.answers import in_words
from tinygrad_tf import Tensor

Array = npt.NDArray[Any]
Options = Mapping[str, Any]  # of a forward, such as masks

INPUT = "input"  # the name under which the gradient of a floating input is kept

LARGE = 1 << 21  # bytes; of a larger array, the order of SAMPLE entries is read
SAMPLE = 1 << 12
WORD = 8  # bytes

_KNOWN_TO_NUMPY = (torch.float16, torch.float32, torch.float64)
_OF_OTHERS = ("bfloat16", "float8")  # what JAX, say, calls its own types in an array


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of either engine."""
    return isinstance(value, torch.Tensor | Tensor)


def array_of(value: Any) -> Array:
    """Return a tensor of either engine, or whatever else NumPy takes, as an array.

    It shares the memory where it can. Floats that NumPy lacks, bfloat16 and float8, become float32,
    which holds them exactly.
    """
    if isinstance(value, torch.Tensor):
        held = value.detach().cpu()
        lacking = held.is_floating_point() and held.dtype not in _KNOWN_TO_NUMPY
        return np.asarray((held.float() if lacking else held).numpy())
    array = np.asarray(value.detach().numpy() if isinstance(value, Tensor) else value)
    return array.astype(np.float32) if array.dtype.name.startswith(_OF_OTHERS) else array


def real_numbers(value: Any, what: str, dtype: str | None = None) -> Array:
    """Return a tensor, an array or nested lists of real numbers as an array.

    what: the subject of the message. dtype: of nested lists, which have none of their own. Raises
    TypeError for anything else.
    """
    try:
        array = np.asarray(value, dtype) if isinstance(value, list) else array_of(value)
    except (TypeError, ValueError):  # ragged lists
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"compare: {what} must be real numbers in an array, a tensor or nested lists of equal "
            f"lengths, got {in_words(value)}"
        )
    return array


def in_precision(array: Array, dtype: Any) -> Array:
    """Return a floating array in this precision, and any other as it is."""
    return array.astype(dtype) if array.dtype.kind == "f" else array


def with_arrays(options: Options, convert: Callable[[Array], Any]) -> dict[str, Any]:
    """Return a forward's options with the arrays among them converted."""
    return {n: convert(x) if isinstance(x, np.ndarray) else x for n, x in options.items()}


def checksum(array: Array) -> int:
    """Return a number that an array with other entries, or another order, has only by chance.

    Of a large array all bits are added up, and the order of a few entries is read.
    """
    if array.nbytes <= LARGE or array.itemsize > WORD:
        return zlib.crc32(np.ascontiguousarray(array).data)
    bits = array.view(f"u{array.itemsize}")
    sample = bits.flat[:: array.size // SAMPLE]
    return zlib.crc32(sample.data, int(bits.sum(dtype=np.uint64)) % (1 << 32))
