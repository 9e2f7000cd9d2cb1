"""The texts of the engine's errors: each names the op, the shapes and the likely cause."""

from __future__ import annotations

from typing import Any

from tinygrad_tf.graph import Array, Edge, Node, Variable

# What an op is given


def explain(name: str, arrays: list[Array | None], error: Exception) -> Exception:
    """Put the op and its shapes before NumPy's complaint; our own errors stay as they are."""
    if str(error).startswith(f"{name}:"):
        return error
    return type(error)(f"{name}: {error} (inputs: {_describe(arrays)})")


def no_tensor(name: str, inputs: tuple[Any, ...]) -> TypeError:
    """An op needs a tensor, to know what kind of tensor to make."""
    kinds = ", ".join(type(x).__name__ for x in inputs)
    return TypeError(f"{name}: expected a Tensor among its inputs, got ({kinds})")


def not_an_input(name: str, value: Any) -> TypeError:
    """An op takes tensors, arrays and numbers."""
    return TypeError(
        f"{name}: expected a Tensor, an array or a number, got {type(value).__module__}."
        f"{type(value).__name__}; wrap it in Tensor(...) first"
    )


def keyword_tensor(name: str, key: str) -> TypeError:
    """Only what is passed by position is differentiated."""
    return TypeError(
        f"{name}: {key} is a Tensor given by keyword, where it would get no gradient; "
        "pass it by position"
    )


def wrong_dtypes(name: str, arrays: list[Array | None], result: str = "") -> TypeError:
    """float32 stays float32: mixing it with float64 is an error rather than a promotion."""
    advice = "the floating dtypes must be the same: convert one side with .to(dtype)"
    if not any(a is not None and a.dtype.kind == "f" for a in arrays):
        advice = "integers have no place here: convert them with .to(float32)"
    return TypeError(f"{name}: inputs {_describe(arrays)}{result}; {advice}")


def _describe(arrays: list[Array | None]) -> str:
    return ", ".join("None" if a is None else f"{a.shape} {a.dtype}" for a in arrays)


# What a backward pass is given


def no_graph() -> RuntimeError:
    """There is nothing to walk."""
    return RuntimeError(
        "backward: this tensor does not require grad: none of its inputs has "
        "requires_grad=True, or it was computed under no_grad()"
    )


def not_a_scalar(root: Variable) -> ValueError:
    """Only of a scalar is it clear what its gradient means."""
    return ValueError(
        f"backward: the tensor has shape {root.data.shape}, not one element; pass "
        "gradient=, dL/d(tensor) of that shape, or reduce it to a loss first"
    )


def wrong_gradient(root: Variable, gradient: Variable) -> ValueError:
    """A gradient has the shape and the dtype of its tensor."""
    return ValueError(
        f"backward: gradient is {gradient.data.shape} {gradient.data.dtype}, expected "
        f"{root.data.shape} {root.data.dtype}, like the tensor"
    )


def freed(node: Node) -> RuntimeError:
    """A graph is freed while it is walked."""
    return RuntimeError(
        f"backward: the graph through '{node.op}' was freed by an earlier backward(); "
        "pass retain_graph=True to that one to walk it twice"
    )


# What a rule's backward or a hook returned


def no_tuple(node: Node, dinputs: Any) -> RuntimeError:
    """The gradients come in a tuple, even a single one."""
    return RuntimeError(
        f"{node.op}: backward returned {type(dinputs).__name__}, expected a tuple of arrays; "
        "is a comma missing, or the return?"
    )


def wrong_count(node: Node, found: int) -> RuntimeError:
    """There is one gradient for each input."""
    return RuntimeError(
        f"{node.op}: backward returned {found} gradients for {len(node.inputs)} inputs"
    )


def no_array(node: Node, dinput: Any) -> RuntimeError:
    """Each gradient is an array."""
    return RuntimeError(
        f"{node.op}: backward returned {type(dinput).__name__} for an input, expected an array"
    )


def misfit(node: Node, dinputs: tuple[Any, ...], source: Edge, dsource: Array) -> RuntimeError:
    """A gradient has its input's shape and dtype."""
    pairs = enumerate(zip(node.inputs, dinputs, strict=False))
    i = next(i for i, (x, dx) in pairs if x is source and dx is dsource)
    place = source if isinstance(source, Node) else source.data
    return RuntimeError(
        f"{node.op}: backward returned {dsource.shape} {dsource.dtype} for input {i}, which is "
        f"{place.shape} {place.dtype}; is a sum_to missing?"
    )


def hook_gave_no_tensor(replacement: Any) -> TypeError:
    """A hook returns a tensor, or None to change nothing."""
    return TypeError(
        f"register_hook: the hook returned {type(replacement).__name__}, expected a Tensor or None"
    )


def hook_gave_another_form(new: Array, gradient: Array) -> ValueError:
    """What takes a gradient's place has its shape and dtype."""
    return ValueError(
        f"register_hook: the hook returned {new.shape} {new.dtype} for a gradient that is "
        f"{gradient.shape} {gradient.dtype}"
    )
