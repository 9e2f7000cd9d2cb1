"""What an op is given: tensors, arrays, numbers and None, all turned into arrays for the rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_tf.graph import Array, Edge, Variable
from tinygrad_tf.machinery.complaints import complaint, no_tensor, wrong_dtypes

if TYPE_CHECKING:
    from tinygrad_tf.machinery.forms import Rule

RANKS = {"b": 0, "u": 1, "i": 1, "f": 2}  # a dtype of a higher rank takes in those below
FLOATS = tuple(map(np.dtype, (np.float32, np.float64)))
# What a Python number is, by its rank, where no tensor beside it has that rank.
NUMBERS = tuple(map(np.dtype, (np.bool_, np.int64, np.float32)))


class Promotion(NamedTuple):
    """How the inputs of a rule become one dtype."""

    first: int  # the inputs before this one stay as they are, such as a condition
    to_float: bool  # whether masks and integers become float32
    masks: bool  # whether masks are taken at all


ALIKE = Promotion(first=0, to_float=False, masks=True)


def promotes(
    first: int = 0, *, to_float: bool = False, masks: bool = True
) -> Callable[[Rule], Rule]:
    """Mark a rule whose inputs become one dtype before it sees them, as PyTorch promotes.

    Masks become integers beside integers, and both become floats beside floats. A rule without this
    mark gets its arrays as they come: they may be indices, targets or masks.
    """

    def mark(rule: Rule) -> Rule:
        rule.promotion = Promotion(first, to_float, masks)  # type: ignore[attr-defined]
        return rule

    return mark


def takes(kinds: str = "iuf", *, first: int | None = None) -> Callable[[Rule], Rule]:
    """Mark a rule whose first inputs, or all of them, have one dtype, of one of these kinds.

    The kinds are NumPy's letters. Masks and integers would compute beside floats, where PyTorch
    refuses them.
    """

    def mark(rule: Rule) -> Rule:
        rule.kinds = kinds, first  # type: ignore[attr-defined]
        return rule

    return mark


def unwrap(rule: Rule, inputs: tuple[Any, ...]) -> tuple[Any, list[Any], list[Edge | None]]:
    """Return a tensor to make the result like, the arrays, and where each came from.

    The tensor is the first floating one, or else the first. In the last list a place is None where
    no gradient is wanted, and the list is empty if none is wanted at all. Raises TypeError if there
    is no tensor, or if the floating dtypes differ. It is one plain loop, since every op runs it.
    """
    like: Any = None
    dtype: Any = None
    arrays: list[Any] = []
    sources: list[Edge | None] = []
    only_tensors_of_one_dtype, is_wanted = True, False
    for x in inputs:
        if isinstance(x, Variable):
            array = x._array
            arrays.append(array)
            if array.dtype is not dtype:
                if dtype is not None:
                    only_tensors_of_one_dtype = False
                if dtype is None or (dtype.kind != "f" and array.dtype.kind == "f"):
                    like, dtype = x, array.dtype
            if x._requires_grad:
                sources.append(x.node or x)
                is_wanted = True
            else:
                sources.append(None)
        else:
            arrays.append(x)
            sources.append(None)
            if x is not None:
                only_tensors_of_one_dtype = False
    if not only_tensors_of_one_dtype or like is None or dtype.kind != "f":
        like, arrays = _convert(rule, inputs, like)
    return like, arrays, sources if is_wanted else []


def _convert(
    rule: Rule, inputs: tuple[Any, ...], like: Variable | None
) -> tuple[Variable, list[Array | None]]:
    """Turn each input into an array, and return them with a tensor to make the result like."""
    name = rule.__name__
    if like is None:
        raise no_tensor(name, inputs)
    dtype = like.data.dtype
    arrays = [x.data if isinstance(x, Variable) else _constant(name, x, dtype) for x in inputs]
    promotion: Promotion | None = getattr(rule, "promotion", None)
    others = [a.dtype for a in arrays if a is not None and a.dtype != dtype]
    if promotion is None or (dtype.kind == "f" and not others):
        kinds, first = getattr(rule, "kinds", ("", 0))
        found = {a.dtype for a in arrays[:first] if a is not None}
        if any(other.kind == "f" for other in others) or len(found) > 1:
            raise wrong_dtypes(name, arrays)
        if any(kind.kind not in kinds for kind in found):
            text = f"{dtype} has no place here: convert it with .to(float32)"
            raise complaint(TypeError, name, text)
        return like, arrays
    arrays, common = promoted(name, inputs, promotion)
    return like if dtype == common else like.new_tensor(np.empty(0, common)), arrays


def promoted(
    name: str, inputs: tuple[Any, ...], promotion: Promotion = ALIKE
) -> tuple[list[Array | None], np.dtype[Any]]:
    """Return the inputs as arrays of one dtype, as PyTorch promotes them, and that dtype."""
    arrays = [x.data if isinstance(x, Variable) else _constant(name, x) for x in inputs]
    common = _common_dtype(name, inputs, arrays, promotion)
    for i in range(promotion.first, len(arrays)):
        array = arrays[i]
        if array is not None and array.dtype != common:
            arrays[i] = array.astype(common)
    return arrays, common


def _common_dtype(
    name: str, inputs: tuple[Any, ...], arrays: list[Array | None], promotion: Promotion
) -> np.dtype[Any]:
    """Return the dtype that PyTorch promotes to. Two floating ones are an error, and it is raised.

    What has axes decides. A tensor without axes, and after it a number, changes the dtype only if
    its own has a higher rank.
    """
    with_axes: set[np.dtype[Any]] = set()
    without_axes: set[np.dtype[Any]] = set()
    rank = 0  # of the numbers
    for x, array in zip(inputs[promotion.first :], arrays[promotion.first :], strict=True):
        if array is None:
            continue
        if array.dtype.kind == "b" and not promotion.masks:
            raise complaint(
                TypeError, name, "a mask has no place here; use ~mask or x ^ mask, or convert it"
            )
        if array.ndim > 0:
            with_axes.add(array.dtype)
        elif isinstance(x, Variable):
            without_axes.add(array.dtype)
        else:
            rank = max(rank, RANKS[array.dtype.kind])
    floats = {dtype for dtype in with_axes | without_axes if dtype.kind == "f"}
    if len(floats) == 1:
        return floats.pop()
    common = NUMBERS[0]
    for several in (with_axes, without_axes, {NUMBERS[rank]}):
        dtype = np.result_type(*several) if several else common
        if RANKS[dtype.kind] > RANKS[common.kind]:
            common = dtype
    if floats or common == FLOATS[1]:  # NumPy's answer to int64 beside uint64
        raise wrong_dtypes(name, arrays)
    return FLOATS[0] if promotion.to_float else common


def plain_array(name: str, data: Any, dtype: Any = None) -> Array:
    """Return the data as an array that a tensor may have.

    Raises TypeError for a masked array, whose mask would be lost, and for a dtype of any other kind
    than floats in single or double precision, integers and bool.
    """
    parts = data if isinstance(data, list | tuple) else (data,)
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise complaint(
            TypeError,
            name,
            "a masked array would lose its mask here; give array.filled(value), and where it is "
            "wanted ~array.mask as a bool tensor",
        )
    try:
        array = np.asarray(data, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:  # such as rows of unlike lengths
        raise complaint(type(error), name, str(error)) from error
    require_supported(name, array.dtype)
    if array.dtype == np.uint64 and dtype is None and not hasattr(data, "dtype"):
        raise complaint(OverflowError, name, "a whole number is larger than int64 holds")
    return array


def require_supported(name: str, dtype: np.dtype[Any]) -> None:
    """Raise TypeError unless a tensor may have this dtype."""
    if dtype.kind not in "iub" and dtype not in FLOATS:
        raise complaint(
            TypeError,
            name,
            f"dtype {dtype} is not supported; use float32 or float64, integers for indices, "
            "bool for masks",
        )


def _constant(name: str, value: Any, dtype: np.dtype[Any] | None = None) -> Array | None:
    """Return an array as it is; a number becomes 0-d, in the tensors' dtype: it never promotes."""
    if value is None:
        return None
    if type(value) is float and dtype is not None and dtype.kind == "f":
        return np.asarray(value, dtype)  # the usual number, and the shortest way
    if not isinstance(value, bool | int | float | np.generic | np.ndarray):
        raise complaint(
            TypeError,
            name,
            f"expected a Tensor, an array or a number, got {type(value).__module__}."
            f"{type(value).__name__}; wrap it in Tensor(...) first",
        )
    array = plain_array(name, value)
    if array.ndim > 0 or array.dtype.kind == "b" or dtype is None:
        return array
    # As an integer it would lose its fraction, so beside integers it keeps its own kind.
    return array.astype(dtype if dtype.kind == "f" else np.result_type(dtype, value))
