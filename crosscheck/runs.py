"""One forward and backward of a model, on any side, kept as plain arrays."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from crosscheck.answers import in_words, only_tensor
from crosscheck.arrays import LARGE, array_of, is_tensor, real_numbers
from crosscheck.draws import Stream, draws
from crosscheck.given import require_right_kind, require_targets
from crosscheck.in_projection import with_parts
from crosscheck.sides import Array, Dialect, Gradients, Watch, side_of
from tinygrad_tf.ops.cross_entropy import cross_entropy

CROSS_ENTROPY, COTANGENT, SUM = LOSSES = ("cross-entropy", "random cotangent", "sum")


@dataclass(frozen=True)
class Batch:
    """What goes into a model. Nested lists and tensors of either engine become arrays.

    Raises TypeError for inputs or targets that are not numbers.
    """

    inputs: Array  # (B, T) token ids, or (B, T, C) floats, whose gradient is then compared too
    targets: Array | None = None  # (B, T) class numbers, for cross-entropy
    options: Mapping[str, Any] = field(default_factory=dict)  # keywords of forward, such as masks

    @classmethod
    def of(cls, batch: Any) -> Batch:
        """Return a batch as it is, and bare inputs as a batch without targets or options."""
        if isinstance(batch, cls):
            return batch
        if isinstance(batch, tuple | list) and any(hasattr(part, "shape") for part in batch):
            raise TypeError(
                f"compare: the batch is {in_words(batch)}; write Batch(inputs, targets), or give "
                "the inputs as one array"
            )
        return cls(batch)

    @property
    def loss(self) -> str:
        """The loss that a run takes if no other is asked for."""
        return COTANGENT if self.targets is None else CROSS_ENTROPY

    def __post_init__(self) -> None:
        arrays = {"inputs": real_numbers(self.inputs, "the inputs")}
        if self.targets is not None:
            arrays["targets"] = real_numbers(self.targets, "the targets")
        given = {n: array_of(x) if is_tensor(x) else x for n, x in self.options.items()}
        for name, value in (*arrays.items(), ("options", given)):
            object.__setattr__(self, name, value)  # the way in: it is frozen


@dataclass(frozen=True)
class Run:
    """What one run left behind."""

    output: Array  # what the model returned
    loss: Array  # its value, a single number
    gradients: Gradients  # by the name of a parameter, or INPUT; None where nothing arrived

    @cached_property
    def by_part(self) -> Gradients:
        """The gradients; the parts of an in-projection come one by one."""
        return dict(with_parts(self.gradients))


@dataclass(frozen=True)
class CrossEntropy:
    """The mean cross-entropy of the output (..., V) against the targets (...)."""

    targets: Array

    def of_tensor(self, side: Dialect, output: Any) -> Any:
        """Return the loss as a tensor of the side."""
        require_targets(self.targets, tuple(output.shape))
        return side.cross_entropy(output, side.tensor(self.targets))

    def of_array(self, output: Array) -> tuple[Array, Array]:
        """Return the loss, and dL/d(output)."""
        require_targets(self.targets, output.shape)
        logits = output.reshape(-1, output.shape[-1])
        value, backward = cross_entropy.rule(logits, self.targets.reshape(-1))
        dlogits, _ = backward(np.ones_like(value))
        return value, np.reshape(np.asarray(dlogits), output.shape)


@dataclass(frozen=True)
class InnerProduct:
    """The inner product of the output with a cotangent: draws of this seed, or None for ones."""

    seed: int | None

    def of_tensor(self, side: Dialect, output: Any) -> Any:
        """Return the loss as a tensor of the side."""
        if self.seed is None:
            return output.sum()
        return (output * side.tensor(self._cotangent(side.array(output)))).sum()

    def of_array(self, output: Array) -> tuple[Array, Array]:
        """Return the loss, and dL/d(output)."""
        dout = self._cotangent(output)
        return (output * dout).sum(), dout

    def _cotangent(self, output: Array) -> Array:
        if self.seed is None:
            return np.ones_like(output)
        drawn = draws(Stream.COTANGENT, self.seed).standard_normal(output.shape)
        return drawn.astype(output.dtype)


def run(
    model: Any,
    batch: Batch,
    *,
    dtype: str,
    loss: str,
    seed: int = 0,
    watch: Watch = lambda model, inputs: nullcontext(),
) -> Run:
    """Run a copy of the model forward and backward in "float32" or "float64".

    loss: "cross-entropy" of the output (B, T, V) against the targets, or "random cotangent": the
    inner product of the output with draws from a standard normal, the same for every run of this
    seed and shape; or "sum" of the output, to show that it proves little: through a softmax or a
    norm its gradient vanishes whatever the rules say. NumPy's floating-point warnings are off here:
    what is not finite is for the comparison to find. Raises what the model raises; but TypeError if
    that comes of integers in the place of floats, or the other way round.
    """
    side, end = side_of(model), ending(batch, loss, seed)
    with np.errstate(all="ignore"):
        given = (model, batch.inputs, batch.options, dtype)
        try:
            made = Run(*side.differentiate(*given, end, watch))
        except Exception as error:
            require_right_kind(side, *given, error)
            raise
    free_circles(made.output.nbytes)
    return made


def free_circles(size: int) -> None:
    """Free what a run has left behind, if its output has as many bytes as a large model's.

    The tensors of an engine may hold one another in circles, which Python finds late by itself.
    """
    if size > LARGE:
        gc.collect()


def output_of(model: Any, batch: Batch, *, dtype: str) -> Array:
    """Return the output of a model that `run` can run, without going back."""
    side = side_of(model)
    with np.errstate(all="ignore"):
        answer = side.forward(model, batch.inputs, batch.options, dtype)
    if isinstance(side, Dialect):
        return side.array(only_tensor(answer, side.library.Tensor, type(model).__name__))
    return np.array(answer[0])


def ending(batch: Batch, loss: str, seed: int) -> CrossEntropy | InnerProduct:
    """Return the loss that a run of this batch ends with; see `run`.

    Raises ValueError for another name of a loss, and for cross-entropy without targets.
    """
    if loss == CROSS_ENTROPY:
        if batch.targets is None:
            raise ValueError("run: cross-entropy needs a batch with targets")
        return CrossEntropy(batch.targets)
    if loss not in LOSSES:
        raise ValueError(f"run: loss is {loss!r}, expected one of {', '.join(LOSSES)}")
    return InnerProduct(seed if loss == COTANGENT else None)
