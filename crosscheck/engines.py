"""The sides, behind one small interface, so that the comparison itself knows none of them.

A model of an engine of one's own needs two methods: see `ForeignModel`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

import tinygrad_tf
import torch
from tinygrad_tf.ops.cross_entropy import cross_entropy

Array = npt.NDArray[Any]


class Engine(Protocol):
    """What a comparison needs of an autograd engine whose models speak PyTorch's dialect."""

    name: str

    def copy(self, model: Any, dtype: str) -> Any:
        """A copy of the model in "float32" or "float64", in evaluation mode, without gradients."""

    def tensor(self, array: Array, requires_grad: bool = False) -> Any:
        """The engine's tensor of this array."""

    def array(self, tensor: Any) -> Array:
        """The array in this tensor."""

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        """The mean cross-entropy of logits (N, V) and targets (N,)."""


class NumPyEngine:
    """`tinygrad_tf`."""

    name = "NumPy"

    def copy(self, model: Any, dtype: str) -> Any:
        """A copy of the model, ready to run."""
        copied = copy.deepcopy(model).to(np.dtype(dtype)).eval()
        copied.zero_grad()
        return copied

    def tensor(self, array: Array, requires_grad: bool = False) -> tinygrad_tf.Tensor:
        """The engine's tensor of this array."""
        return tinygrad_tf.Tensor(array, requires_grad=requires_grad)

    def array(self, tensor: tinygrad_tf.Tensor) -> Array:
        """The array in this tensor."""
        return tensor.detach().numpy()

    def cross_entropy(self, logits: Any, targets: Any) -> tinygrad_tf.Tensor:
        """The mean cross-entropy of logits (N, V) and targets (N,)."""
        return tinygrad_tf.nn.functional.cross_entropy(logits, targets)


class TorchEngine:
    """PyTorch."""

    name = "PyTorch"

    def copy(self, model: Any, dtype: str) -> Any:
        """A copy of the model, ready to run."""
        copied = copy.deepcopy(model).to(getattr(torch, dtype)).eval()
        copied.zero_grad()
        return copied

    def tensor(self, array: Array, requires_grad: bool = False) -> torch.Tensor:
        """The engine's tensor of this array."""
        return torch.tensor(array, requires_grad=requires_grad)

    def array(self, tensor: torch.Tensor) -> Array:
        """The array in this tensor."""
        return np.asarray(tensor.detach().cpu().numpy())

    def cross_entropy(self, logits: Any, targets: Any) -> torch.Tensor:
        """The mean cross-entropy of logits (N, V) and targets (N,)."""
        return torch.nn.functional.cross_entropy(logits, targets)


Pullback = Callable[[Array], Mapping[str, Array]]


@runtime_checkable
class ForeignModel(Protocol):
    """What a model of any other engine has to offer, to be compared: these two methods.

    `engine` is the name of the engine, for messages.
    """

    engine: str

    def state_dict(self) -> Mapping[str, Array]:
        """The parameters, by the names that the reference has for them."""

    def linearize(self, inputs: Array, dtype: str, **options: Any) -> tuple[Array, Pullback]:
        """Run forward in "float32" or "float64"; return the output, and the way back.

        The way back takes dL/d(output), of the output's shape and dtype, and returns dL/d(each
        parameter) by name, and under "input" that of the inputs, if these are floats.
        """


class ForeignEngine:
    """Any other engine: as much of it as weights need. `run` treats its models by themselves."""

    def __init__(self, name: str) -> None:
        self.name = name

    def copy(self, model: Any, dtype: str) -> Any:
        """The model itself: `linearize` is told the precision each time."""
        return model

    def tensor(self, array: Array, requires_grad: bool = False) -> Array:
        """The array itself."""
        return array

    def array(self, tensor: Any) -> Array:
        """What the model has given, as an array."""
        return np.asarray(tensor)

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        """The mean cross-entropy of logits (N, V) and targets (N,)."""
        loss, _ = cross_entropy.rule(logits, targets)
        return loss


def engine_of(model: Any) -> Engine:
    """The engine this model is written in. Raises TypeError for a model of another kind."""
    if isinstance(model, tinygrad_tf.nn.Module):
        return NumPyEngine()
    if isinstance(model, torch.nn.Module):
        return TorchEngine()
    if isinstance(model, ForeignModel):
        return ForeignEngine(model.engine)
    raise TypeError(
        "crosscheck: expected a tinygrad_tf.nn.Module, a torch.nn.Module, or a model with engine, "
        "state_dict and linearize (see crosscheck.ForeignModel), got "
        f"{type(model).__module__}.{type(model).__name__}"
    )
