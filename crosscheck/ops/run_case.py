"""One run of a case on one side, kept as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import torch
from crosscheck.distance import largest_gradient, norm
from crosscheck.draws import Stream
from crosscheck.judge import FLOOR, vanishes
from crosscheck.ops.memory import MemoryWatch, aliased
from crosscheck.sides import NUMPY, TORCH, Array, Dialect, Gradients
from tinygrad_tf import observe

if TYPE_CHECKING:
    from crosscheck.ops.case import OpCase


@dataclass(frozen=True)
class CaseRun:
    """What one run left behind."""

    out: Array  # the result
    dout: Array  # dL/d(out), where the way back started
    gradients: Gradients  # by name, such as dweight; None where nothing arrived

    @property
    def arrays(self) -> Gradients:
        """The result and the gradients, by name."""
        return {"out": self.out, **self.gradients}


@dataclass(frozen=True)
class Given:
    """What a case is given, and the truth about it: PyTorch's run in float64."""

    case: OpCase
    seed: int
    arrays: Sequence[Array]  # the inputs, in float64
    truth: CaseRun

    @classmethod
    def drawn(cls, case: OpCase, seed: int, dtype: str) -> Given:
        """Draw the inputs for a run in this precision, and run the reference in float64."""
        arrays = case.arrays(seed, dtype)
        return cls(case, seed, arrays, run_reference(case, arrays, "float64", seed))

    def at(self, arrays: Sequence[Array]) -> Given:
        """Return the same case at other inputs."""
        truth = run_reference(self.case, arrays, "float64", self.seed)
        return Given(self.case, self.seed, arrays, truth)

    def input(self, gradient: str) -> Array:
        """Return the input whose gradient has this name."""
        return self.arrays[self.case.inputs.index(gradient.removeprefix("d"))]

    @property
    def scale(self) -> float:
        """The norm of the largest gradient, dout among them."""
        return largest_gradient([*self.truth.gradients.values(), self.truth.dout])

    def vanishes(self, name: str) -> bool:
        """Whether the true array is so small that a wrong one would pass."""
        right = self.truth.arrays[name]
        if right is None:
            return True
        right = np.where(np.isfinite(right), right, 0.0)
        return vanishes(norm(right), 0.0 if name == "out" else FLOOR * self.scale)


def run_reference(case: OpCase, arrays: Sequence[Array], dtype: str, seed: int) -> CaseRun:
    """Run PyTorch in "float64" or "float32"."""
    leaves = [TORCH.tensor(array.astype(dtype), requires_grad=True) for array in arrays]
    out = case.use(TORCH, *leaves)
    dout = _cotangent(case, TORCH.array(out), seed)
    out.backward(TORCH.tensor(dout))
    return CaseRun(TORCH.array(out), dout, _gradients(TORCH, case, leaves))


def forward_of_reference(case: OpCase, arrays: Sequence[Array], i: int) -> Callable[[Array], Array]:
    """Return PyTorch's forward in float64 as a function of input i."""
    tensors = [TORCH.tensor(array) for array in arrays]

    def forward(x: Array) -> Array:
        with torch.no_grad():
            moved = [*tensors[:i], TORCH.tensor(x), *tensors[i + 1 :]]
            return TORCH.array(case.use(TORCH, *moved))

    return forward


def run_ours(
    case: OpCase, arrays: Sequence[Array], dtype: str, seed: int, watch: MemoryWatch
) -> CaseRun:
    """Run our engine, and note in the watch who writes into whose memory.

    The way back is walked twice, and the second walk must bring what the first has brought.
    """
    lie = case.layout or np.array
    leaves = [NUMPY.tensor(lie(array.astype(dtype)), requires_grad=True) for array in arrays]
    for name, leaf in zip(case.inputs, leaves, strict=True):
        watch.hold(f"the input {name}", leaf.data)
    with np.errstate(all="ignore"):
        with observe(watch.listen):
            out = case.use(NUMPY, *leaves)
        dout = _cotangent(case, out.data, seed)
        start = NUMPY.tensor(lie(dout) if np.array_equal(lie(dout), dout) else np.array(dout))
        watch.hold("dout", start.data)
        result = out.data.copy()
        out.backward(start, retain_graph=True)
        watch.check("the way back")
        gradients = _gradients(NUMPY, case, leaves)
        others = {"dout": start.data, "out": out.data}
        others |= {name: leaf.data for name, leaf in zip(case.inputs, leaves, strict=True)}
        watch.faults += aliased(gradients, others)
        once = {name: None if g is None else g.copy() for name, g in gradients.items()}
        out.backward(start)
        for name, gradient in _gradients(NUMPY, case, leaves).items():
            first = once[name]
            if first is None or gradient is None:
                continue
            if not np.array_equal(gradient, 2 * first, equal_nan=True):
                watch.faults.append(f"after a second walk back, {name} is not twice the first")
    return CaseRun(result, dout, once)


def _cotangent(case: OpCase, out: Array, seed: int) -> Array:
    """Draw dL/d(out): the same in both precisions, and float32 can hold each number as it is."""
    drawn = case.stream(Stream.COTANGENT, seed).standard_normal(out.shape)
    return np.asarray(drawn, dtype=np.float32).astype(out.dtype)


def _gradients(side: Dialect, case: OpCase, leaves: Sequence[Any]) -> Gradients:
    return {
        f"d{name}": None if leaf.grad is None else side.array(leaf.grad)
        for name, leaf in zip(case.inputs, leaves, strict=True)
    }
