"""How every page of the engine is judged: one function, run on both sides, compared with PyTorch.

`check_op(ours, *inputs, theirs=...)` is the whole examination of an op on finite numbers.
`check_values(ours, *arrays, theirs=...)` compares entry by entry, also NaN and infinities.
Where both sides say it alike (`lambda x: x.transpose(0, 1)`), `theirs` is left out.

An input is a shape, which is filled at random; an array, which is taken as it is; or anything else,
which is passed on. Floating arrays are differentiated. The loss is a random cotangent.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import torch
from tinygrad_tf import Tensor, gradcheck

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]
Result = list[Array | None]  # the output, then the gradient of each input


def check_op(
    ours: Function,
    *inputs: Any,
    theirs: Function | None = None,
    scales: Sequence[float] = (1.0, 1e-3, 30.0),
    domain: Function | None = None,
    may_be_zero: bool = False,
    tolerance: float = 1e-12,
) -> None:
    """Outputs and gradients against PyTorch: float64, float32, strided; and finite differences.

    scales: factors of the first input. domain: maps the drawn numbers to where the op is defined.
    may_be_zero: a gradient that is zero everywhere is no sign of a vacuous test.
    """
    theirs = ours if theirs is None else theirs
    for scale in scales:
        arrays = draw(inputs, scale, domain)
        truth = _run_torch(theirs, arrays)
        for expected in truth:
            assert may_be_zero or expected is None or np.linalg.norm(expected) > 0, "vacuous"
        _compare(_run(ours, arrays), truth, tolerance)
        _check_float32(ours, theirs, arrays)
    arrays = draw(inputs, 1.0, domain)
    _compare(_run(ours, scattered(arrays)), _run_torch(theirs, arrays), tolerance)
    _check_finite_differences(ours, arrays)


def check_values(
    ours: Function,
    *arrays: Any,
    theirs: Function | None = None,
    dtypes: Sequence[str] = ("f8", "f4"),
) -> None:
    """Outputs and gradients against PyTorch entry by entry; NaN and infinities must agree too."""
    for dtype in dtypes:
        cast = [in_dtype(a, dtype) for a in arrays]
        with np.errstate(all="ignore"):
            found = _run(ours, cast)
        for a, b in zip(found, _run_torch(theirs or ours, cast), strict=True):
            assert (a is None) == (b is None)
            if a is not None and b is not None:
                assert a.dtype == b.dtype
                tolerance = 1e-12 if dtype == "f8" else 2e-6
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def _check_float32(ours: Function, theirs: Function, arrays: list[Any]) -> None:
    """Results stay float32, and are about as close to the truth as PyTorch's."""
    single = [in_dtype(a, "f4") for a in arrays]
    truth = _run_torch(theirs, [in_dtype(a, "f8") for a in single])
    rival = _run_torch(theirs, single)
    for a, b, exact in zip(_run(ours, single), rival, truth, strict=True):
        if a is not None and b is not None and exact is not None:
            assert a.dtype == np.float32
            assert _error(a, exact) <= max(4 * _error(b, exact), 1e-6)


def _check_finite_differences(ours: Function, arrays: list[Any]) -> None:
    floats = [i for i, a in enumerate(arrays) if _is_float(a)]

    def function(*tensors: Tensor) -> Any:
        given = dict(zip(floats, tensors, strict=True))
        return ours(*(given.get(i, _constant(a)) for i, a in enumerate(arrays)))

    leaves = [Tensor(arrays[i], requires_grad=True) for i in floats]
    assert gradcheck(function, leaves, allow_zero=True)


def draw(inputs: Sequence[Any], scale: float, domain: Function | None) -> list[Any]:
    """The inputs as arrays that nobody can write into."""
    generator = np.random.default_rng(7)
    arrays = []
    for position, given in enumerate(inputs):
        if isinstance(given, tuple):
            drawn = generator.standard_normal(given)
            given = drawn if domain is None else domain(drawn)
        if position == 0 and _is_float(given):
            given = given * scale
        arrays.append(_frozen(given) if isinstance(given, np.ndarray | np.floating) else given)
    return arrays


def _run(function: Function, arrays: list[Any]) -> Result:
    """Our output and gradients. Two walks back must agree: the first may not have left a trace."""
    inputs = [Tensor(a, requires_grad=True) if _is_float(a) else _constant(a) for a in arrays]
    out = function(*inputs)
    dout = Tensor(strided(cotangent(out)) if any_strided(arrays) else cotangent(out))
    leaves = [x for x, a in zip(inputs, arrays, strict=True) if _is_float(a)]
    out.backward(dout, retain_graph=True)
    once = [None if x.grad is None else x.grad.data for x in leaves]
    out.backward(dout)
    for x, gradient in zip(leaves, once, strict=True):
        if gradient is not None:
            np.testing.assert_array_equal(x.grad.data, 2 * gradient)
    return [out.data, *once]


def _run_torch(function: Function, arrays: list[Any]) -> Result:
    inputs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arrays]
    leaves = [x.requires_grad_() for x in inputs if torch.is_tensor(x) and x.is_floating_point()]
    out = function(*inputs)
    out.backward(torch.tensor(cotangent(out.detach())))
    return [out.detach().numpy(), *(None if x.grad is None else x.grad.numpy() for x in leaves)]


def cotangent(out: Any) -> Array:
    """A random dL/d(out), the same on both sides; read-only, so no rule can write into it."""
    dtype = str(out.dtype).removeprefix("torch.")
    drawn: Array = np.random.default_rng(8).standard_normal(tuple(out.shape))
    return _frozen(drawn.astype(dtype))


def _compare(found: Result, expected: Result, tolerance: float) -> None:
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            assert _error(a, b) <= tolerance


def _error(a: Array, b: Array) -> float:
    """Relative, over the whole array, in float64; NaN when anything is not finite."""
    difference = np.linalg.norm(a.astype("f8") - b)
    return float(difference / np.linalg.norm(b)) if difference else float(difference)


def _constant(value: Any) -> Any:
    return Tensor(value) if isinstance(value, np.ndarray) else value


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f"


def in_dtype(value: Any, dtype: str) -> Any:
    return _frozen(value.astype(dtype)) if _is_float(value) else value


def _frozen(value: Any) -> Array:
    array = np.array(value)
    array.flags.writeable = False
    return array


def strided(value: Any) -> Any:
    """The same numbers, far apart and in column order."""
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return value
    array = np.repeat(value, 2, axis=-1).copy(order="F")[..., ::2]
    array.flags.writeable = False
    return array


def scattered(arrays: list[Any]) -> list[Any]:
    return [strided(a) for a in arrays]


def any_strided(arrays: list[Any]) -> bool:
    return any(isinstance(a, np.ndarray) and not a.flags.c_contiguous for a in arrays)
