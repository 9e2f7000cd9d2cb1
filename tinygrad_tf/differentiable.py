"""How a rule on NumPy arrays becomes an op on tensors, and who is told about it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, overload

import numpy as np

from tinygrad_tf.complaints import explain, no_tensor, wrong_dtypes
from tinygrad_tf.graph import Array, Backward, Edge, Node, Variable

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor

Rule: TypeAlias = Callable[..., tuple[Array, Backward]]
Listener: TypeAlias = Callable[["Op", tuple[Any, ...], Mapping[str, Any], "Tensor"], None]

FLOAT32 = np.dtype(np.float32)
PLAIN = frozenset((bool, int, float, tuple, type(None)))  # what most options are

_grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


class Op(Protocol):
    """A lifted rule: call it on tensors, or its `rule` on arrays."""

    __name__: str
    rule: Rule
    fast: Callable[..., Any] | None

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """Compute the output tensor and, where gradients are wanted, its place in the graph."""


@overload
def differentiable(rule: Rule, /) -> Op: ...


@overload
def differentiable(*, fast: Callable[..., Any]) -> Callable[[Rule], Op]: ...


def differentiable(rule: Rule | None = None, /, *, fast: Callable[..., Any] | None = None) -> Any:
    """Lift a rule, which works on arrays, to an op, which works on tensors and builds the graph.

    rule(*arrays, **options) -> (out, backward), and backward(dout) -> one gradient per array, in
    the order of the arguments, None for one that has no gradient (indices, masks). An argument may
    be a tensor, an array, a number (it takes the tensors' dtype) or None (left out).

    fast: a second form of the rule, from `kernels/`, that float32 is computed with. It may return
    NotImplemented for what it does not cover; then the rule itself is used. What its backward
    returns is dout, or a view of it, or an array that nobody else holds.
    """
    if rule is None:
        return lambda page: _lift(page, fast)
    return _lift(rule, fast)


def _lift(rule: Rule, fast: Callable[..., Any] | None) -> Op:
    name = rule.__name__

    # In one piece, and what is rare in functions: on small arrays each call is part of the price.
    @functools.wraps(rule)
    def op(*inputs: Any, **options: Any) -> Tensor:
        like: Any = None  # the first floating tensor, else the first tensor
        dtype: Any = None
        arrays: list[Any] = []
        edges: list[Edge | None] = []
        plain, wanted = True, False  # only tensors of one dtype? does one want a gradient?
        for x in inputs:
            if isinstance(x, Variable):
                array = x.data
                arrays.append(array)
                if array.dtype is not dtype:
                    if dtype is None or (dtype.kind != "f" and array.dtype.kind == "f"):
                        like, dtype = x, array.dtype
                    else:
                        plain = False
                if x.requires_grad:
                    edges.append(x.node or x)
                    wanted = True
                else:
                    edges.append(None)
            else:
                arrays.append(x)
                edges.append(None)
                if x is not None:
                    plain = False
        if not plain or like is None:
            arrays = _convert(name, inputs, like)
        if options and not PLAIN.issuperset(map(type, options.values())):
            options = _constants(name, options)
        try:
            computed: Any = NotImplemented
            if fast is not None and dtype == FLOAT32:
                computed = fast(*arrays, **options)
            is_fast = computed is not NotImplemented
            out, backward = computed if is_fast else rule(*arrays, **options)
        except (ValueError, IndexError, TypeError) as error:
            raise explain(name, arrays, error) from error
        result: Tensor = like.new_tensor(out)
        data = result.data
        if data.dtype is not dtype:
            _check_result(name, arrays, dtype, data.dtype, options)
        if wanted and _grad_enabled.get():
            result.requires_grad = True
            result.node = Node(name, edges, backward, data.shape, data.dtype, is_fast)
        if listeners := _listeners.get():
            for listener in listeners:
                listener(lifted, inputs, options, result)
        return result

    lifted = cast(Op, op)
    lifted.rule, lifted.fast = rule, fast
    return lifted


def moves(rule: Rule) -> Op:
    """`differentiable` for rules that only move the entries of one array: the short way.

    There are no numbers to convert here, no dtype that could change, and no second form.
    """
    name = rule.__name__

    @functools.wraps(rule)
    def op(x: Any, /, **options: Any) -> Tensor:
        if not isinstance(x, Variable):
            raise no_tensor(name, (x,))
        try:
            out, backward = rule(x.data, **options)
        except (ValueError, IndexError, TypeError) as error:
            raise explain(name, [x.data], error) from error
        result = x.new_tensor(out)
        if x.requires_grad and _grad_enabled.get():
            result.requires_grad = True
            result.node = Node(name, (x.node or x,), backward, out.shape, out.dtype, False)
        if listeners := _listeners.get():
            for listener in listeners:
                listener(lifted, (x,), options, result)
        return result

    lifted = cast(Op, op)
    lifted.rule, lifted.fast = rule, None
    return lifted


def sum_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum `array` over the axes along which `shape` was stretched to it.

    If x (shape) was repeated along an axis, every copy's gradient belongs to the same x, so they
    add up. array (..., larger) -> (shape). Every rule that broadcasts calls this on the way back.
    """
    if array.shape == shape:
        return array
    added = array.ndim - len(shape)
    stretched = tuple(
        axis + added for axis, size in enumerate(shape) if size == 1 != array.shape[axis + added]
    )
    summed: Array = array.sum(axis=(*range(added), *stretched), keepdims=True)
    return summed.reshape(shape)


@contextmanager
def no_grad() -> Iterator[None]:
    """Within this block, or under `@no_grad()`, ops compute but record no graph."""
    token = _grad_enabled.set(False)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def is_grad_enabled() -> bool:
    """Whether ops record the graph here."""
    return _grad_enabled.get()


@contextmanager
def observe(listener: Listener) -> Iterator[None]:
    """Within this block, call `listener(op, inputs, options, output)` after every op."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def _convert(name: str, inputs: tuple[Any, ...], like: Variable | None) -> list[Any]:
    """Inputs that are not all tensors of one dtype, as arrays: numbers take the dtype of `like`."""
    if like is None:
        raise no_tensor(name, inputs)
    dtype = like.data.dtype
    arrays = [x.data if isinstance(x, Variable) else _constant(name, x, dtype) for x in inputs]
    for a in arrays:
        if a is not None and a.dtype != dtype and a.dtype.kind == "f":
            raise wrong_dtypes(name, arrays)
    return arrays


def _constant(name: str, value: Any, dtype: np.dtype[Any]) -> Array | None:
    """An array as it is; a number, 0-d, in the tensors' dtype, so that it never promotes floats."""
    if value is None or (isinstance(value, np.ndarray) and value.ndim > 0):
        return value
    if isinstance(value, bool | int | float | np.generic | np.ndarray):
        number = np.asarray(value)
        if number.dtype.kind == "b":
            return number  # a mask
        # As an integer it would lose its fraction: beside integers it keeps its own kind.
        return number.astype(dtype if dtype.kind == "f" else np.result_type(dtype, value))
    raise TypeError(
        f"{name}: expected a Tensor, an array or a number, got {type(value).__module__}."
        f"{type(value).__name__}; wrap it in Tensor(...) first"
    )


def _constants(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options, but NumPy's scalars as Python's numbers, which never promote."""
    for key, value in options.items():
        if type(value) in PLAIN:
            continue
        if isinstance(value, Variable):
            raise TypeError(
                f"{name}: {key} is a Tensor given by keyword, where it would get no gradient; "
                "pass it by position"
            )
        if isinstance(value, np.generic):
            options = {**options, key: value.item()}
    return options


def _check_result(name: str, arrays: list[Any], dtype: Any, found: Any, options: Any) -> None:
    """Floats come out in the precision they went in, unless the op was told another."""
    if found != dtype and found.kind == "f" and "dtype" not in options:
        raise wrong_dtypes(name, arrays, f" gave {found}")
