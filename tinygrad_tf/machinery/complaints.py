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
    return complaint(type(error), name, f"{error} (inputs: {_describe(arrays)})")


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


def _describe(arrays: list[Array | None]) -> str:
    return ", ".join("None" if a is None else f"{a.shape} {a.dtype}" for a in arrays)
