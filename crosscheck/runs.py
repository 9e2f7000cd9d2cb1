"""One forward and backward of a model, in any engine, kept as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosscheck.engines import Array, ForeignEngine, ForeignModel, engine_of
from tinygrad_tf.ops.cross_entropy import cross_entropy

INPUT = "input"  # the name under which the gradient of a floating input is kept

# Called with the very model and inputs that are about to run; what it returns surrounds the run.
Watch = Callable[[Any, Any], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Batch:
    """What goes into a model: inputs, the targets if there are any, and options of its forward.

    inputs: (B, T) token ids, or (B, T, C) floats, whose gradient is then compared too.
    targets: (B, T) class numbers, for cross-entropy. Both may be nested lists, which become arrays.
    options: keyword arguments of the model's forward, such as masks; arrays become tensors.
    """

    inputs: Array
    targets: Array | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", np.asarray(self.inputs))  # the way in: it is frozen
        if self.targets is not None:
            object.__setattr__(self, "targets", np.asarray(self.targets))


@dataclass(frozen=True)
class Run:
    """What one run left behind. gradients: by parameter name, None where nothing arrived."""

    output: Array
    loss: Array
    gradients: dict[str, Array | None]


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
    what is not finite is for the comparison to find.
    """
    engine = engine_of(model)
    if isinstance(engine, ForeignEngine):
        return _run_foreign(model, batch, dtype, loss, seed)
    model = engine.copy(model, dtype)
    inputs = engine.tensor(*_as_input(batch.inputs, dtype))
    options = {
        name: engine.tensor(_as_input(value, dtype)[0]) if isinstance(value, np.ndarray) else value
        for name, value in batch.options.items()
    }
    with np.errstate(all="ignore"), watch(model, inputs):
        output = model(inputs, **options)
        if loss == "cross-entropy":
            targets = engine.tensor(_targets(batch)).flatten()
            value = engine.cross_entropy(output.flatten(0, -2), targets)
        elif loss == "sum":
            value = output.sum()
        else:
            value = (output * engine.tensor(_cotangent(output.shape, dtype, seed))).sum()
        value.backward()
    gradients = {name: _gradient(engine, p) for name, p in model.named_parameters()}
    if inputs.requires_grad:
        gradients[INPUT] = _gradient(engine, inputs)
    return Run(engine.array(output), engine.array(value), gradients)


def _run_foreign(model: ForeignModel, batch: Batch, dtype: str, loss: str, seed: int) -> Run:
    """The same for an engine that has no loss of its own: the way back begins at the output."""
    inputs, is_floating = _as_input(batch.inputs, dtype)
    output, pullback = model.linearize(inputs, dtype, **batch.options)
    if loss == "cross-entropy":
        targets = _targets(batch)
        value, backward = cross_entropy.rule(
            output.reshape(-1, output.shape[-1]), targets.reshape(-1)
        )
        dlogits, _ = backward(np.ones_like(value))
        dout = np.reshape(np.asarray(dlogits), output.shape)
    else:
        dout = _cotangent(output.shape, dtype, seed) if loss != "sum" else np.ones_like(output)
        value = (output * dout).sum()
    gradients = dict(pullback(dout))
    expected = [*model.state_dict(), *([INPUT] if is_floating else [])]
    return Run(output, value, {name: gradients.get(name) for name in expected})


def _targets(batch: Batch) -> Array:
    if batch.targets is None:
        raise ValueError("run: cross-entropy needs a batch with targets")
    return batch.targets


def _cotangent(shape: Any, dtype: str, seed: int) -> Array:
    """Draws from a standard normal. Not from default_rng(seed): from that the input may come, and
    the two must not be equal.
    """
    drawn: Array = np.random.default_rng((seed, 1)).standard_normal(tuple(shape))
    return drawn.astype(dtype)


def parts(arrays: Mapping[str, Array | None]) -> Iterator[tuple[str, Array | None]]:
    """Split what is stacked: of an in-projection, queries, keys and values come apart."""
    for name, array in arrays.items():
        if name.endswith(("in_proj_weight", "in_proj_bias")):
            thirds = [None] * 3 if array is None else np.split(array, 3)
            yield from zip((f"{name}[{letter}]" for letter in "qkv"), thirds, strict=True)
        else:
            yield name, array


def _as_input(array: Array, dtype: str) -> tuple[Array, bool]:
    """The array in this precision and True, if it is floating; else as it is, and False."""
    floating = array.dtype.kind == "f"
    return (array.astype(dtype) if floating else array), floating


def _gradient(engine: Any, tensor: Any) -> Array | None:
    return None if tensor.grad is None else engine.array(tensor.grad)
