"""What a model is given, held against what it takes: a mistake is told in words."""

from __future__ import annotations

import numpy as np

from crosscheck.arrays import Array, Options
from crosscheck.sides import Side

IGNORED = -100  # the target of a position that does not count, in both engines


def require_targets(targets: Array, shape: tuple[int, ...]) -> None:
    """Raise TypeError or ValueError unless these are class numbers for an output (..., V)."""
    if targets.dtype.kind not in "iu":
        raise TypeError(f"compare: the targets are {targets.dtype}, expected class numbers")
    if targets.shape != shape[:-1]:
        raise ValueError(
            f"compare: the targets {targets.shape} do not fit the output {shape}: expected one "
            f"class number for each row, {shape[:-1]}"
        )
    wrong = targets[((targets < 0) | (targets >= shape[-1])) & (targets != IGNORED)]
    if wrong.size:
        raise ValueError(
            f"compare: {wrong[0]} is among the targets, expected class numbers below {shape[-1]}, "
            "which is the size of the output's last axis"
        )


def require_right_kind(
    side: Side, model: object, inputs: Array, options: Options, dtype: str, error: Exception
) -> None:
    """Raise TypeError if the model failed because its inputs are integers, or are floats.

    That is known by trying: its forward fails on these inputs, and not on the other kind. error:
    what the model raised.
    """
    are_floats = inputs.dtype.kind == "f"
    other = np.zeros(inputs.shape, np.int64) if are_floats else inputs.astype(np.float64)
    if _runs(side, model, inputs, options, dtype) or not _runs(side, model, other, options, dtype):
        return
    given, wanted = ("floats", "integers") if are_floats else ("integers", "floats")
    raise TypeError(
        f"compare: the {side.name} model {type(model).__name__} takes {wanted} and was given "
        f"{given}: it raised {type(error).__name__}: {error}"
    ) from error


def _runs(side: Side, model: object, inputs: Array, options: Options, dtype: str) -> bool:
    try:
        side.forward(model, inputs, options, dtype)
    except Exception:  # whatever it is, it does not run
        return False
    return True
