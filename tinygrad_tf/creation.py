"""Functions that make tensors, as PyTorch has them: `zeros(2, 3)`, `arange(5)`, `randn(4, 2, ...)`.

dtype is float32 unless something else is said. device may be "cpu". What is random needs
a `numpy.random.Generator`: there is no global seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_tf.dtypes import float32, float64, int64
from tinygrad_tf.graph import Array, Variable
from tinygrad_tf.machinery.complaints import complaint
from tinygrad_tf.machinery.devices import require_cpu
from tinygrad_tf.machinery.inputs import NUMBERS, RANKS, plain_array
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.machinery.options import number, whole
from tinygrad_tf.shaping import sizes
from tinygrad_tf.tensor import Tensor


@named
def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor that holds a copy of this data, as `Tensor` reads it."""
    return _made("tensor", Tensor(data, dtype=dtype).data.copy(), device, requires_grad)


@named
def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of this size with arbitrary entries, for `nn.init` to fill."""
    return _made("empty", np.empty(sizes(size), dtype or float32), device, requires_grad)


@named
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of zeros."""
    return _made("zeros", np.zeros(sizes(size), dtype or float32), device, requires_grad)


@named
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of ones."""
    return _made("ones", np.ones(sizes(size), dtype or float32), device, requires_grad)


@named
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of one number, whose kind says which dtype it is: float32, int64 or bool."""
    value = number("fill_value", fill_value)
    array = _filled(sizes((size,)), value, dtype or NUMBERS[RANKS[value.dtype.kind]])
    return _made("full", array, device, requires_grad)


@named
def zeros_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros in the shape and the dtype of a tensor."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


@named
def ones_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return ones in the shape and the dtype of a tensor."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


@named
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return one number in the shape and the dtype of a tensor."""
    if not isinstance(input, Variable):
        raise complaint(TypeError, "full_like", f"expected a Tensor, got {type(input).__name__}")
    array = _filled(input.shape, number("fill_value", fill_value), dtype or input.dtype)
    return _made("full_like", array, device, requires_grad)


@named
def eye(
    n: int, m: int | None = None, *,
    dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:  # fmt: skip
    """Return a matrix (n, m) with ones on its diagonal; m is n if it is left out."""
    rows, columns = whole("n", n), whole("m", n if m is None else m)
    return _made("eye", np.eye(rows, columns, dtype=dtype or float32), device, requires_grad)


@named
def arange(
    *limits: float, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return the numbers from start to end, without end. arange(end) or (start, end[, step])."""
    if any(np.ndim(limit) for limit in limits):
        raise complaint(TypeError, "arange", "expected numbers, got something with axes")
    if dtype is not None and np.dtype(dtype).kind in "iu":
        limits = tuple(map(int, limits))
    start, end, step = limits if len(limits) == 3 else (*(0, *limits)[-2:], 1)
    if step == 0:
        raise complaint(ValueError, "arange", "step is 0")
    if (end - start) * step < 0:
        text = f"from {start} to {end} there is no way in steps of {step}"
        raise complaint(ValueError, "arange", text)
    numbers = plain_array("arange", np.arange(*limits))
    if dtype is None and numbers.dtype == float64:
        dtype = float32  # Python floats, as in Tensor([0.5])
    return _made("arange", np.asarray(numbers, dtype), device, requires_grad)


@named
def linspace(
    start: float, end: float, steps: int, *,
    dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:  # fmt: skip
    """Return so many numbers at equal distances, from start to end, both included."""
    numbers = np.linspace(start, end, whole("steps", steps))
    array = plain_array("linspace", numbers).astype(dtype or float32)
    return _made("linspace", array, device, requires_grad)


@named
def randn(
    *size: Any, generator: np.random.Generator | None = None,
    dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:  # fmt: skip
    """Return draws from the standard normal distribution."""
    drawn = _required("randn", generator).standard_normal(sizes(size))
    return _made("randn", np.asarray(drawn, dtype or float32), device, requires_grad)


@named
def rand(
    *size: Any, generator: np.random.Generator | None = None,
    dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:  # fmt: skip
    """Return draws from the uniform distribution on [0, 1)."""
    kind = np.dtype(dtype or float32)  # drawn as such: a float64 below 1 may round to 1
    drawn = _required("rand", generator).random(sizes(size), dtype=kind.type)
    return _made("rand", np.asarray(drawn, kind), device, requires_grad)


@named
def randint(
    *limits_and_size: Any, generator: np.random.Generator | None = None,
    dtype: Any = None, device: Any = None
) -> Tensor:  # fmt: skip
    """Return whole numbers from low to high, without high. (high, size) or (low, high, size)."""
    if len(limits_and_size) not in (2, 3):
        text = f"expected (high, size) or (low, high, size), got {limits_and_size}"
        raise complaint(TypeError, "randint", text)
    low, high, size = limits_and_size if len(limits_and_size) == 3 else (0, *limits_and_size)
    if low >= high:
        raise complaint(ValueError, "randint", f"low is {low} and high {high}: nothing between")
    drawn = _required("randint", generator).integers(low, high, size=sizes((size,)))
    return _made("randint", np.asarray(drawn, dtype or int64), device, False)


def _filled(shape: tuple[int, ...], value: Array, dtype: Any) -> Array:
    """Return an array of one number. Raises OverflowError if the dtype does not reach so far."""
    kind = np.dtype(dtype)
    if kind.kind in "iu" and not np.isfinite(value):
        raise OverflowError(f"fill_value is {value}, which {kind} cannot hold")
    return np.full(shape, value, kind)


def _required(op: str, generator: np.random.Generator | None) -> np.random.Generator:
    if not isinstance(generator, np.random.Generator):
        raise complaint(
            TypeError,
            op,
            f"generator is {type(generator).__name__}, expected a numpy.random.Generator: there is "
            "no global seed; pass generator=numpy.random.default_rng(seed)",
        )
    return generator


def _made(op: str, array: Array, device: Any, requires_grad: bool) -> Tensor:
    require_cpu(op, device)
    return Tensor(array, requires_grad)
