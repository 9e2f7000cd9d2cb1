"""A function of any kind, made ready to be differentiated: its output, and the way back."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import torch
from crosscheck.answers import in_words
from crosscheck.sides import NUMPY, TORCH, Array, Dialect

Pullback = Callable[[Array], Sequence[Array | None]]  # dL/d(out) -> dL/d(each input)


def linearized(function: Any, arrays: Sequence[Array]) -> tuple[Array, Pullback]:
    """Return the output for these inputs, and the way back."""
    if isinstance(function, tuple | list):
        return _of_pair(function, arrays)
    if hasattr(function, "rule"):
        return _of_tensors(NUMPY, function)(arrays)
    try:
        return _of_tensors(TORCH, function)(arrays)
    except (TypeError, AttributeError) as error:
        try:
            return _of_tensors(NUMPY, function)(arrays)  # a function of our tensors
        except (TypeError, AttributeError) as other:
            raise error from other  # of neither: both are shown


def _of_pair(pair: Sequence[Any], arrays: Sequence[Array]) -> tuple[Array, Pullback]:
    forward, backward = pair
    made = forward(*[array.copy() for array in arrays])
    out, *cache = made if isinstance(made, tuple) else (made,)

    def back(dout: Array) -> Sequence[Array | None]:
        given = backward(dout.copy(), *cache)
        if isinstance(given, Mapping):
            names = names_of(forward, arrays)
            return [given.get(n, given.get(f"d{n}")) for n in names]
        return list(given) if isinstance(given, tuple | list) else [given]

    return np.array(out), back


def _of_tensors(
    side: Dialect, function: Callable[..., Any]
) -> Callable[[Sequence[Array]], tuple[Array, Pullback]]:
    """Return what linearises a function of tensors of one engine."""

    def both_ways(arrays: Sequence[Array]) -> tuple[Array, Pullback]:
        tensors = [side.tensor(a.copy(), requires_grad=a.dtype.kind == "f") for a in arrays]
        out = function(*tensors)
        if not isinstance(out, side.library.Tensor):
            raise TypeError(f"check_op: the function returned {in_words(out)}, expected one tensor")

        def back(dout: Array) -> Sequence[Array | None]:
            if out.requires_grad:
                out.backward(side.tensor(dout))
            grads = [tensor.grad for tensor in tensors]
            return [None if grad is None else side.array(grad) for grad in grads]

        return side.array(out).copy(), back

    return both_ways


def names_of(forward: Any, arrays: Sequence[Array]) -> list[str]:
    """Return what the function calls its inputs."""
    try:
        names = [p.name for p in inspect.signature(forward).parameters.values()]
    except (TypeError, ValueError):  # a function of C
        names = []
    if len(names) < len(arrays) or names[:1] == ["args"]:
        return [f"x{i + 1}" for i in range(len(arrays))] if len(arrays) > 1 else ["x"]
    return names[: len(arrays)]


def beside(
    name: str, reference: Callable[..., Any] | None, arrays: Sequence[Array]
) -> tuple[tuple[Array, Pullback] | None, str]:
    """Return what PyTorch makes of the inputs, or None, and a sentence on it."""
    if reference is not None:
        return _of_tensors(TORCH, reference)(arrays), f"PyTorch's side is {name_of(reference)}."
    plain = name.rpartition(".")[2].lower().removesuffix("_forward").removeprefix("my_")
    for library in (torch.nn.functional, torch):
        known = getattr(library, plain, None)
        if not callable(known) or isinstance(known, type):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # it has to guess something, such as an axis
                said = f"PyTorch's side is {library.__name__}.{plain}, which has the same name."
                return _of_tensors(TORCH, known)(arrays), said
        except Exception:  # it takes other inputs, and is another function
            continue
    return None, "No function of PyTorch has this name and these inputs: name one by reference=."


def name_of(function: Any) -> str:
    """Return what a function is called; that of an `autograd.Function` is its class."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        return owner.__name__
    return str(getattr(function, "__name__", type(function).__name__))
