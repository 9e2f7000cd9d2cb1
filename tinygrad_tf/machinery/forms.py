"""What an op is computed by: its rule or, for float32 and only on request, a second form of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from tinygrad_tf.graph import Array, Backward, Variable
from tinygrad_tf.machinery.complaints import complaint, explain, wrong_dtypes

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
    for key, value in options.items():
        if type(value) not in PLAIN:
            options[key] = _plain(rule.__name__, key, value)
    try:
        second = second_forms.get(rule) if dtype == FLOAT32 else None
        computed = NotImplemented if second is None else second(*arrays, **options)
        if computed is NotImplemented:
            computed = rule(*arrays, **options)
        out, _ = computed
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise explain(rule.__name__, arrays, error) from error
    if getattr(out, "dtype", None) is not dtype:
        found = np.asarray(out).dtype
        if found != dtype and found.kind == "f" and "dtype" not in options:
            raise wrong_dtypes(rule.__name__, arrays, f" gave {found}")
    return computed


def _plain(name: str, key: str, value: Any) -> Any:
    """Return an option as the rule may have it."""
    if isinstance(value, Variable):
        raise complaint(
            TypeError,
            name,
            f"{key} is a Tensor given by keyword, where it would get no gradient; "
            "pass it by position",
        )
    return value.item() if isinstance(value, np.generic) else value
