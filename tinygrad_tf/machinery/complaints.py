"""What is said when an op gets what does not fit: the op, the shapes and the likely cause.

An error about an op, or about the walk back, has the attribute `op`: the name of the op that is to
blame, or "backward" for the walk itself. Tools read the attribute; the text is for people.
"""

from __future__ import annotations

from typing import Any

from tinygrad_tf.graph import Array


def complaint(kind: type[Exception], op: str, text: str) -> Exception:
    """Return an error whose text begins with the op that is to blame."""
    error = kind(f"{op}: {text}")
    error.op = op  # type: ignore[attr-defined]
    return error


def explain(name: str, arrays: list[Array | None], error: Exception) -> Exception:
    """Put the op and its shapes before NumPy's complaint; our own errors stay as they are."""
    if str(error).startswith(f"{name}:"):
        error.op = name  # type: ignore[attr-defined]
        return error
    return complaint(plain_kind(error), name, f"{error} (inputs: {_describe(arrays)})")


def plain_kind(error: Exception) -> type[Exception]:
    """Return Python's kind of an error: some of NumPy's own kinds cannot be made of a text."""
    if isinstance(error, IndexError):  # NumPy's AxisError is a ValueError first
        return IndexError
    return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")


def no_tensor(name: str, inputs: tuple[Any, ...]) -> Exception:
    """An op needs a tensor, to know what kind of tensor to make."""
    kinds = ", ".join(type(x).__name__ for x in inputs)
    return complaint(TypeError, name, f"expected a Tensor among its inputs, got ({kinds})")


def wrong_dtypes(name: str, arrays: list[Array | None], result: str = "") -> Exception:
    """float32 stays float32: mixing it with float64 is an error rather than a promotion."""
    advice = "the floating dtypes must be the same: convert one side with .to(dtype)"
    if not any(a is not None and a.dtype.kind == "f" for a in arrays):
        advice = "integers have no place here: convert them with .to(float32)"
    return complaint(TypeError, name, f"inputs {_describe(arrays)}{result}; {advice}")


def describe(inputs: tuple[Any, ...]) -> str:
    """Return the kinds of what a function was given, and the shapes of the tensors and arrays."""
    return ", ".join(f"{type(x).__name__}{_shape(x)}" for x in inputs)


def _shape(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return f" {tuple(shape)}" if isinstance(shape, tuple) else ""


def _describe(arrays: list[Array | None]) -> str:
    return ", ".join("None" if a is None else f"{a.shape} {a.dtype}" for a in arrays)
