"""What an op is computed by: its rule or, for float32 and only on request, a second form of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.complaints import explain, keyword_tensor, wrong_dtypes

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor

Rule: TypeAlias = Callable[..., tuple[Array, Backward]]


class Op(Protocol):
    """A rule that `differentiable` has lifted: call it on tensors, or call its `rule` on arrays."""

    __name__: str
    rule: Rule

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """Compute the result and, where gradients are wanted, remember how it was made."""


# For each rule that has one, its second form, which may answer NotImplemented. The table is empty,
# and every op is computed by its page, until `tinygrad_tf.fast.on()` fills it.
second_forms: dict[Rule, Callable[..., Any]] = {}

FLOAT32 = np.dtype(np.float32)
PLAIN = frozenset((bool, int, float, tuple, type(None)))  # what most options are


def compute(
    rule: Rule, arrays: list[Any], options: dict[str, Any], dtype: np.dtype[Any]
) -> tuple[Array, Backward]:
    """Return what the rule returns on these arrays, whose floating dtype is `dtype`.

    NumPy's scalars among the options become Python's numbers, which never promote. Raises what the
    rule raises, with the op and its shapes before it, and TypeError for a result in another dtype.
    """
    if options:
        for value in options.values():
            if type(value) not in PLAIN:
                _convert_options(rule.__name__, options)
                break
    try:
        second = second_forms.get(rule)
        if second is None or dtype != FLOAT32:
            computed = rule(*arrays, **options)
        elif (computed := second(*arrays, **options)) is NotImplemented:
            computed = rule(*arrays, **options)
        out, _ = computed
    except (ValueError, IndexError, TypeError) as error:
        raise explain(rule.__name__, arrays, error) from error
    if getattr(out, "dtype", None) is not dtype:
        found = np.asarray(out).dtype
        if found != dtype and found.kind == "f" and "dtype" not in options:
            raise wrong_dtypes(rule.__name__, arrays, f" gave {found}")
    return computed


def _convert_options(name: str, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if hasattr(value, "requires_grad"):
            raise keyword_tensor(name, key)
        if isinstance(value, np.generic):
            options[key] = value.item()
