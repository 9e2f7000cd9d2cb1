"""Whose error it is: what people call is named at the head of each error that comes out of it.

An op names its own errors, in `forms.py`. What is called by another name, or computes without an
op, is marked `@named`, which costs nothing as long as all goes well but one more call.
"""

from __future__ import annotations

import functools
import re
from types import FunctionType
from typing import Any, TypeVar

from tinygrad_tf.machinery.complaints import complaint, describe, no_tensor, plain_kind

Named = TypeVar("Named")
NAME = re.compile(r"(\w+): ")


def named(thing: Named) -> Named:
    """Let each error of a function, or of a class's public methods, begin with its name.

    Errors of `__init__` begin with the name of the class. Ops name their own errors. Warnings, and
    exceptions of classes that are neither Python's nor NumPy's, stay as they are.
    """
    if not isinstance(thing, type):
        return _named(thing.__name__, thing)  # type: ignore[attr-defined, no-any-return]
    for name, method in list(vars(thing).items()):
        is_method = isinstance(method, FunctionType) and not name.startswith("_")
        if is_method and not hasattr(method, "rule"):
            setattr(thing, name, _named(name, method, thing))
    return thing


def _named(name: str, function: Any, kind: type = object) -> Any:
    """Return a function whose errors begin with the name, and whose first argument is of a kind."""

    @functools.wraps(function)
    def call(*inputs: Any, **options: Any) -> Any:
        try:
            if inputs and not isinstance(inputs[0], kind):
                raise no_tensor(name, inputs)
            return function(*inputs, **options)
        except Exception as error:
            op = type(inputs[0]).__name__ if name == "__init__" else name
            said = _said_by(op, (*inputs, *options.values()), error)
            if said is error:
                raise
            raise said.with_traceback(error.__traceback__) from error.__cause__

    return call


def _said_by(op: str, inputs: tuple[Any, ...], error: Exception) -> Exception:
    """Return the error with the name of what was called in the place of the op's."""
    foreign = type(error).__module__.partition(".")[0] not in ("builtins", "numpy")
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    own = {op}
    if inputs and hasattr(type(inputs[0]), op):  # a method: its errors may name the class
        own.add(type(inputs[0]).__name__)
    inner = NAME.match(text)
    if (
        foreign
        or isinstance(error, Warning | StopIteration | NameError)
        or (inner and inner[1] in own)
    ):
        return error
    text = text[inner.end() :] if inner else f"{text} (arguments: {describe(inputs)})"
    # An attribute is missing where something of the wrong type was given.
    kind = TypeError if isinstance(error, AttributeError) else plain_kind(error)
    said = complaint(kind, op, text)
    said.op = getattr(error, "op", op)  # type: ignore[attr-defined]
    return said
