"""Whether a run in float32 is made of exact ops and of nothing else.

Each op is called again on the same arrays: once as it was, where it has to make the same, and once
by its page in float64, from which it may differ by rounding. What it is given has to be what was
made for it, to the last bit; what it keeps for the way back has to stay as it is; and the gradients
that are sent to a tensor have to be added up. If all of that holds, then the run is as exact as
such a run can be: what it differs by, it has amplified.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from crosscheck.distance import gap_between, norm
from crosscheck.runs import Batch, run
from crosscheck.sides import INPUT, Array
from crosscheck.tape.call import THE_INPUT
from crosscheck.tape.numpy_recorder import Recorder, arrays_for_tensors
from crosscheck.tape.replay import constant
from tinygrad_tf import Tensor
from tinygrad_tf.machinery.forms import Op, compute

REPEATED = 1e-6  # what one op may make of the same arrays a second time, relative
# What an op in float32 may differ by from its page in float64, relative to the largest of what it
# makes: a gradient may be what is left of large numbers that cancel.
EXACT32 = 1e-5


def is_composed(model: Any, batch: Batch, *, loss: str, seed: int) -> bool:
    """Whether a run of a NumPy model in float32 is made of exact ops and of nothing else."""
    exact, repeater = _Repeater("float64"), _Repeater("float32")
    run(model, batch, dtype="float64", loss=loss, seed=seed, watch=exact.watching)
    made = run(model, batch, dtype="float32", loss=loss, seed=seed, watch=repeater.watching)
    arrived = {THE_INPUT if n == INPUT else n: g for n, g in made.gradients.items()}
    return (
        repeater.repeats
        and repeater.has_constants_of(exact)
        and not any(pair.changed for pair in repeater.pairs.values())
        and not any(map(repeater.sums.are_wrong, repeater.pairs))
        and all(g is None or repeater.sums.is_of_leaf(n, g) for n, g in arrived.items())
    )


class _Repeater(Recorder):
    """Calls every op, and every backward, a second time."""

    def __init__(self, dtype: str) -> None:
        super().__init__({}, floor=0.0, relative=REPEATED)
        self.repeats = True  # whether each of them made the same again, of what was made for it
        self._dtype = np.dtype(dtype)
        self._made: dict[int, int] = {}  # the checksum of a tensor at first, by its identity
        self._constants: list[Array] = []  # what comes neither from an op nor from the model

    def has_constants_of(self, exact: _Repeater) -> bool:
        """Whether what is made beside the ops is in float32 what it is in float64."""
        return len(self._constants) == len(exact._constants) and all(
            gap_between(a.astype(np.float64), b, relative=REPEATED).agrees
            for a, b in zip(self._constants, exact._constants, strict=True)
        )

    def listen(
        self, op: Op, inputs: tuple[Any, ...], options: Mapping[str, Any], output: Tensor
    ) -> None:
        """An op has been called."""
        super().listen(op, inputs, options, output)
        for x in inputs:
            if isinstance(x, Tensor):
                if id(x) not in self._made and id(x) not in self._origins and x.is_floating_point():
                    self._constants.append(x.data.copy())
                if self._made.setdefault(id(x), _checksum(x)) != _checksum(x):
                    self.repeats = False
            elif isinstance(x, np.ndarray):
                self._constants.append(x.copy())
        self._made[id(output)] = _checksum(output)
        if output.node is None or self._dtype == np.float64:
            return
        arrays = [x.data if isinstance(x, Tensor) else constant(x, self._dtype) for x in inputs]
        out, again = compute(op.rule, arrays, arrays_for_tensors(options), self._dtype)
        wide = [_wide(a) for a in arrays]
        exact, exactly = op.rule(*wide, **arrays_for_tensors(options))
        self._compare([output.data], [out], [exact])
        self._call_again(output.node, again, exactly)

    def _call_again(self, node: Any, again: Any, exactly: Any) -> None:
        first = node.backward

        def backward(dout: Array) -> Any:
            same = dout.copy()
            dinputs = first(dout)
            self._compare(dinputs, again(same), exactly(_wide(same)))
            return dinputs

        node.backward = backward

    def _compare(self, made: Any, again: Any, exact: Any) -> None:
        """Note whether results are repeated, and exact; where it is too large for float32, no."""
        arrays = [None if a is None else np.asarray(a) for a in made]
        largest = max(norm(np.nan_to_num(e, posinf=0, neginf=0)) for e in exact if e is not None)
        for a, b, e in zip(arrays, again, exact, strict=True):
            if a is None or b is None:
                self.repeats = self.repeats and a is b
                continue
            repeated = gap_between(a, np.asarray(b), relative=REPEATED).agrees
            self.repeats = self.repeats and repeated and _is_exact(a, e, EXACT32 * largest)


def _wide(array: Any) -> Any:
    is_float = isinstance(array, np.ndarray) and array.dtype.kind == "f"
    return array.astype(np.float64) if is_float else array


def _is_exact(array: Array, exact: Array | None, allowed: float) -> bool:
    """Whether an array is right to within `allowed`, except where right is beyond float32."""
    if exact is None or array.dtype.kind != "f":
        return True
    within = np.abs(exact) < np.finfo(np.float32).max
    difference = np.where(within, array - np.where(within, exact, 0.0), 0.0)
    return bool(norm(difference) <= allowed)


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.data.tobytes())
