"""The two sides, behind one small interface, so that the comparison itself knows neither."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import tinygrad_tf
import torch

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

    def layer_norm(self, x: Any) -> Any:
        """A layer norm without weights, over the last axis. (..., C) -> (..., C)."""


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

    def layer_norm(self, x: Any) -> tinygrad_tf.Tensor:
        """A layer norm without weights, over the last axis. (..., C) -> (..., C)."""
        return tinygrad_tf.nn.functional.layer_norm(x, x.shape[-1:])


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

    def layer_norm(self, x: Any) -> torch.Tensor:
        """A layer norm without weights, over the last axis. (..., C) -> (..., C)."""
        return torch.nn.functional.layer_norm(x, x.shape[-1:])


def engine_of(model: Any) -> Engine:
    """The engine this model is written in. Raises TypeError for a model of another kind."""
    if isinstance(model, tinygrad_tf.nn.Module):
        return NumPyEngine()
    if isinstance(model, torch.nn.Module):
        return TorchEngine()
    raise TypeError(
        f"crosscheck: expected a tinygrad_tf.nn.Module or a torch.nn.Module, got "
        f"{type(model).__module__}.{type(model).__name__}"
    )
