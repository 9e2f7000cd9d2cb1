"""The sides of a comparison, each behind the same few words, so that nothing else tells them apart.

A *side* is an engine: what it calls its tensors and its losses, and how a model of it is run. Two
sides speak PyTorch's dialect, ours and PyTorch itself: they are a `Dialect` each. A model of any
other engine has two methods (`ForeignModel`) and runs on the side `Foreign`. One more kind of
engine is one more class here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

import tinygrad_tf
import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck.choices import ENGINES

Array = npt.NDArray[Any]
Options = Mapping[str, Any]  # of a forward, such as masks
Gradients = dict[str, Array | None]  # by the name of a parameter; None where nothing arrived

INPUT = "input"  # the name under which the gradient of a floating input is kept

# Called with the very model and inputs that are about to run; what it returns surrounds the run.
Watch = Callable[[Any, Any], AbstractContextManager[Any]]


class Loss(Protocol):
    """What turns an output into the number whose gradient is taken."""

    def of_tensor(self, side: Dialect, output: Any) -> Any:
        """Return the loss as a tensor of the side, to go backward from."""

    def of_array(self, output: Array) -> tuple[Array, Array]:
        """Return the loss, and dL/d(output)."""


class Side(Protocol):
    """What a comparison needs of an engine."""

    @property
    def name(self) -> str:
        """What it is called in sentences."""

    def weights(self, model: Any) -> dict[str, Array]:
        """Return every parameter as an array, by name."""

    def differentiate(
        self, model: Any, inputs: Array, options: Options, dtype: str, loss: Loss, watch: Watch
    ) -> tuple[Array, Array, Gradients]:
        """Run the model in "float32" or "float64"; return output, loss, and the gradients.

        The model is left as it is. Floating arrays among the inputs and options are given in that
        precision. The gradient of a floating input is under the name INPUT.
        """


@dataclass(frozen=True)
class Dialect:
    """An engine that speaks PyTorch's dialect."""

    key: str  # in options, in JSON, and in the names of tests
    name: str  # in sentences
    library: Any  # the package: nn, optim, float64, no_grad
    models: Any  # its Transformer
    tensor: Callable[..., Any]  # (array, requires_grad=False) -> a tensor
    array: Callable[[Any], Array]  # a tensor -> its array, which shares its memory where it can
    clip_grad_norm: Callable[..., Any]  # (parameters, max_norm)

    def __repr__(self) -> str:
        return self.key

    @property
    def functional(self) -> Any:
        """Its functions, such as `layer_norm`."""
        return self.library.nn.functional

    def copy(self, model: Any, dtype: str) -> Any:
        """Return a copy of the model, in evaluation mode, without gradients."""
        copied = copy.deepcopy(model).to(getattr(self.library, dtype)).eval()
        copied.zero_grad()
        return copied

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        """Return the mean cross-entropy of logits (..., V) and targets (...)."""
        return self.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())

    def options(self, options: Options, dtype: Any) -> dict[str, Any]:
        """Return a forward's options with the arrays among them as tensors."""
        return _with_arrays(options, lambda array: self.tensor(in_precision(array, dtype)))

    def weights(self, model: Any) -> dict[str, Array]:
        """Return every parameter as an array, by name."""
        return {name: np.array(self.array(x), order="C") for name, x in model.state_dict().items()}

    def load(self, model: Any, weights: dict[str, Array]) -> None:
        """Load arrays into a model, strictly.

        Raises RuntimeError listing everything that is missing, unexpected or mis-shaped, or that
        the model could hold only by rounding it.
        """
        rounded = [
            f"{name}: {weights[name].dtype} into {held.dtype}"
            for name, held in self.weights(model).items()
            if name in weights and not np.can_cast(weights[name].dtype, held.dtype, casting="safe")
        ]
        if rounded:
            raise RuntimeError(
                "set_weights: these values would be rounded; convert the model with .double():\n  "
                + "\n  ".join(rounded)
            )
        model.load_state_dict({name: self.tensor(value) for name, value in weights.items()})

    def gradients(self, model: Any) -> Gradients:
        """Return the gradient of every parameter, by name."""
        return {name: self._gradient(p) for name, p in model.named_parameters()}

    def differentiate(
        self, model: Any, inputs: Array, options: Options, dtype: str, loss: Loss, watch: Watch
    ) -> tuple[Array, Array, Gradients]:
        """Run a copy of the model forward and backward; see `Side`."""
        model = self.copy(model, dtype)
        x = self.tensor(in_precision(inputs, dtype), requires_grad=inputs.dtype.kind == "f")
        given = self.options(options, dtype)
        with watch(model, x):
            output = model(x, **given)
            value = loss.of_tensor(self, output)
            value.backward()
        gradients = self.gradients(model)
        if x.requires_grad:
            gradients[INPUT] = self._gradient(x)
        return self.array(output), self.array(value), gradients

    def _gradient(self, tensor: Any) -> Array | None:
        return None if tensor.grad is None else self.array(tensor.grad)


NUMPY = Dialect(
    key=ENGINES[0],
    name="NumPy",
    library=tinygrad_tf,
    models=tinygrad_tf.transformer,
    tensor=tinygrad_tf.Tensor,
    array=lambda tensor: np.asarray(tensor.detach().numpy()),
    clip_grad_norm=tinygrad_tf.optim.clip_grad_norm_,
)
TORCH = Dialect(
    key=ENGINES[1],
    name="PyTorch",
    library=torch,
    models=torch_impl,
    tensor=torch.tensor,
    array=lambda tensor: np.asarray(tensor.detach().cpu().numpy()),
    clip_grad_norm=torch.nn.utils.clip_grad_norm_,
)
DIALECTS = {side.key: side for side in (NUMPY, TORCH)}

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

        Floating arrays among the inputs and options are in that precision. The way back takes
        dL/d(output), of the output's shape and dtype. It returns dL/d(each parameter) by name, and
        under "input" dL/d(inputs), if these are floats.
        """


@dataclass(frozen=True)
class Foreign:
    """Any other engine, through the two methods of its models."""

    name: str

    def weights(self, model: ForeignModel) -> dict[str, Array]:
        """Return every parameter as an array, by name."""
        return {name: np.array(x, order="C") for name, x in model.state_dict().items()}

    def differentiate(
        self, model: Any, inputs: Array, options: Options, dtype: str, loss: Loss, watch: Watch
    ) -> tuple[Array, Array, Gradients]:
        """Run the model forward and its way back; see `Side`. Nobody can watch."""
        given = _with_arrays(options, lambda array: in_precision(array, dtype))
        output, pullback = model.linearize(in_precision(np.array(inputs), dtype), dtype, **given)
        output = np.array(output)  # a copy, since the way back may write over it
        value, dout = loss.of_array(output)
        gradients = dict(pullback(dout))
        expected = [*model.state_dict(), *([INPUT] if inputs.dtype.kind == "f" else [])]
        return output, value, {name: gradients.get(name) for name in expected}


def side_of(model: Any) -> Side:
    """Return the side that this model runs on. Raises TypeError for a model of another kind."""
    if isinstance(model, tinygrad_tf.nn.Module):
        return NUMPY
    if isinstance(model, torch.nn.Module):
        return TORCH
    if isinstance(model, ForeignModel):
        return Foreign(model.engine)
    raise TypeError(
        "crosscheck: expected a tinygrad_tf.nn.Module, a torch.nn.Module, or a model with engine, "
        "state_dict and linearize (see crosscheck.ForeignModel), got "
        f"{type(model).__module__}.{type(model).__name__}"
    )


def _with_arrays(options: Options, convert: Callable[[Array], Any]) -> dict[str, Any]:
    return {n: convert(x) if isinstance(x, np.ndarray) else x for n, x in options.items()}


def in_precision(array: Array, dtype: Any) -> Array:
    """Return a floating array in this precision, and any other as it is."""
    return array.astype(dtype) if array.dtype.kind == "f" else array
